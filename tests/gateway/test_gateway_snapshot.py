"""The snapshot: read from PostgreSQL, replaced on news within a second, kept while PostgreSQL is away."""

import asyncio
import time
from types import MappingProxyType

import psycopg
import pytest
from psycopg import sql

from flyball.functions import service as functions
from flyball.functions.live import set_live
from flyball.functions.pinning import pin_variants
from flyball.functions.records import FunctionSpec, LiveRelease, RulesVariant
from flyball.gateway.current import CurrentSnapshot
from flyball.gateway.errors import NotReadyError
from flyball.gateway.load_keys import KnownKeys, load_keys, newer_keys
from flyball.gateway.snapshot import KnownProject
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.secrets import Secret, token_hash
from flyball.models import service as models
from flyball.models.records import Endpoint, ModelSpec, Prices
from flyball.projects import keys as projects
from flyball.projects import members
from flyball.projects.keys import KeyGrant
from flyball.projects.roles import ROLES
from flyball.secrets import rotation
from flyball.secrets import service as secrets
from flyball.settings import Settings

QUESTION = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
SPEC = ModelSpec(
    endpoints=(Endpoint(provider="openai-compatible", base_url="http://127.0.0.1:1/v1", model="small", weight=2),),
    prices=Prices(input="0.15", output="0.60"),
)


async def put_model(ctx, name="fast", spec=SPEC):
    async with ctx.db.transaction() as connection:
        await models.put(connection, ctx, name, spec)


async def put_live_function(ctx, name="triage"):
    spec = FunctionSpec(input=QUESTION, variants={"rules": RulesVariant(code="rules:answer")})
    async with ctx.db.transaction() as connection:
        function = await functions.put(
            connection, ctx, name, spec, {"rules": b"def answer(input, tools):\n    return 'x'\n"}
        )
        (variant,) = await pin_variants(connection, ctx, function)
        live = LiveRelease(
            project=ctx.project,
            function=name,
            release_id="rel_1",
            release_hash="sha256:r",
            shares=((variant.hash, 1.0),),
        )
        await set_live(connection, ctx, live)
    return variant


async def until(condition, seconds=20.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it took too long"
        await asyncio.sleep(0.01)


@pytest.fixture
async def snapshots(ctx):
    snapshots = CurrentSnapshot(ctx.db, ctx.keyring)
    await snapshots.reload()
    async with snapshots.kept_fresh():
        yield snapshots


async def test_it_holds_keys_models_functions_and_what_is_live(ctx):
    made = await projects.create_key(ctx, "app")
    await put_model(ctx)
    variant = await put_live_function(ctx)
    snapshots = CurrentSnapshot(ctx.db, ctx.keyring)
    with pytest.raises(NotReadyError):
        snapshots.in_force()

    await snapshots.reload()

    snapshot = snapshots.in_force()
    project = snapshot.projects["default"]
    assert snapshot.keys[token_hash(made.secret.reveal())].id == made.key.id
    assert project.models["fast"].endpoints[0].weight == 2
    assert project.functions["triage"].live.release_id == "rel_1"
    assert project.functions["triage"].variants[variant.hash].spec == variant.spec
    assert project.functions["triage"].text_field == "question"


async def test_a_model_whose_environment_is_missing_is_known_with_the_reason(ctx, monkeypatch):
    endpoint = Endpoint(provider="openai-compatible", base_url="http://x/v1", model="m", api_key="env:NO_SUCH_KEY")
    await put_model(ctx, spec=ModelSpec(endpoints=(endpoint,)))
    snapshots = CurrentSnapshot(ctx.db, ctx.keyring)

    await snapshots.reload()
    assert "NO_SUCH_KEY is not set" in snapshots.in_force().projects["default"].models["fast"].reason

    monkeypatch.setenv("NO_SUCH_KEY", "sk-1")
    await snapshots.reload()
    assert snapshots.in_force().projects["default"].models["fast"].endpoints[0].api_key.reveal() == "sk-1"


async def test_a_new_key_works_and_a_revoked_one_is_refused_within_a_second(ctx, snapshots):
    made = await projects.create_key(ctx, "app")
    hash_ = token_hash(made.secret.reveal())
    await until(lambda: hash_ in snapshots.in_force().keys)

    await projects.revoke_key(ctx, "app")

    await until(lambda: hash_ not in snapshots.in_force().keys)


async def test_a_change_of_models_and_releases_is_in_force_within_a_second(ctx, snapshots):
    await put_model(ctx)
    await put_live_function(ctx)

    def in_force():
        return snapshots.in_force().projects.get("default", KnownProject())

    await until(lambda: "fast" in in_force().models)
    await until(lambda: "triage" in in_force().functions and in_force().functions["triage"].live is not None)


async def test_the_last_snapshot_stays_while_postgresql_is_away_and_news_is_caught_up_after(
    ctx, snapshots, postgres, database_url
):
    made = await projects.create_key(ctx, "app")
    hash_ = token_hash(made.secret.reveal())
    await until(lambda: hash_ in snapshots.in_force().keys)
    name = database_url.partition("?")[0].rpartition("/")[2]

    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(sql.SQL("alter database {} allow_connections false").format(sql.Identifier(name)))
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        await asyncio.sleep(0.5)
        assert hash_ in snapshots.in_force().keys
        admin.execute(sql.SQL("alter database {} allow_connections true").format(sql.Identifier(name)))
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("update keys set revoked_ns = 1")  # and no news of it

    await until(lambda: hash_ not in snapshots.in_force().keys, seconds=8)


async def test_a_secret_that_was_set_exchanged_or_removed_counts_within_a_second(ctx, snapshots):
    endpoint = Endpoint(provider="openai", model="m", api_key="secret:openai")
    await put_model(ctx, spec=ModelSpec(endpoints=(endpoint,)))

    def in_force():
        model = snapshots.in_force().projects.get("default", KnownProject()).models.get("fast")
        return model and (model.endpoints[0].api_key.reveal() if model.endpoints else model.reason)

    await until(lambda: "there is no secret named openai" in (in_force() or ""))
    for value in ("sk-first-of-all", "sk-second-of-all"):
        await secrets.set_secret(ctx, "openai", Secret(value), ["api.openai.com"])
        await until(lambda value=value: in_force() == value)
    await rotation.rotate_data_key(ctx)
    await rotation.rotate_master(ctx)
    await secrets.set_secret(ctx, "openai", Secret("sk-third-of-all"), ["api.openai.com"])
    await until(lambda: in_force() == "sk-third-of-all")
    await secrets.set_secret(ctx, "openai", Secret("sk-fourth-of-all"), ["elsewhere.example"])
    await until(lambda: "bound to elsewhere.example" in in_force())
    await secrets.remove_secret(ctx, "openai")
    await until(lambda: "there is no secret named openai" in in_force())


async def test_a_slow_command_for_a_key_does_not_keep_a_revocation_from_counting(ctx, snapshots, tmp_path):
    commands = tmp_path / "commands.yaml"
    commands.write_text("slow: [sh, -c, 'sleep 3; echo sk-at-last']\n")
    keyring = Keyring(Settings(secret_commands=str(commands)), ctx.layout, ctx.clock)
    slow = CurrentSnapshot(ctx.db, keyring)
    await slow.reload()
    async with slow.kept_fresh():
        made = await projects.create_key(ctx, "app")
        hash_ = token_hash(made.secret.reveal())
        await until(lambda: hash_ in slow.in_force().keys)
        endpoint = Endpoint(provider="openai", model="m", api_key="cmd:slow")
        await put_model(ctx, spec=ModelSpec(endpoints=(endpoint,)))
        await projects.revoke_key(ctx, "app")

        await until(lambda: hash_ not in slow.in_force().keys)

        def in_force():
            model = slow.in_force().projects.get("default", KnownProject()).models.get("fast")
            return model and (model.endpoints[0].api_key.reveal() if model.endpoints else model.reason)

        await until(lambda: "still being fetched" in (in_force() or ""))
        await until(lambda: in_force() == "sk-at-last", seconds=20)


@pytest.fixture
async def deaf(ctx, monkeypatch):
    """A snapshot that hears no news: every notice is lost."""

    async def silence(*_):
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr("flyball.gateway.current.listen", silence)
    snapshots = CurrentSnapshot(ctx.db, ctx.keyring)
    await snapshots.reload()
    async with snapshots.kept_fresh():
        yield snapshots


async def test_a_revocation_counts_although_the_notice_of_it_was_lost(ctx, deaf):
    made = await projects.create_key(ctx, "app")
    hash_ = token_hash(made.secret.reveal())
    await until(lambda: hash_ in deaf.in_force().keys, seconds=5)
    known = deaf.in_force().projects

    await projects.revoke_key(ctx, "app")

    await until(lambda: hash_ not in deaf.in_force().keys, seconds=5)
    assert deaf.in_force().projects is known  # nothing else had to be read


async def test_a_member_who_loses_rights_is_felt_although_the_notice_of_it_was_lost(ctx, deaf):
    await members.add_member(ctx, "maria", "maintainer")
    made = await projects.create_key(ctx, "laptop", grant=KeyGrant(personal=True, member="maria"))
    hash_ = token_hash(made.secret.reveal())

    def permissions():
        key = deaf.in_force().keys.get(hash_)
        return key.permissions if key else None

    await until(lambda: permissions() == ROLES["maintainer"], seconds=5)
    await members.set_role(ctx, "maria", "viewer")
    await until(lambda: permissions() == ROLES["viewer"], seconds=5)
    await members.remove_member(ctx, "maria")
    await until(lambda: permissions() is None, seconds=5)


async def test_a_revocation_counts_while_the_rest_of_the_snapshot_is_still_being_read(ctx, snapshots, monkeypatch):
    made = await projects.create_key(ctx, "app")
    hash_ = token_hash(made.secret.reveal())
    await until(lambda: hash_ in snapshots.in_force().keys, seconds=5)
    reading = asyncio.Event()

    async def for_ever(*_):
        reading.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("flyball.gateway.current.load_projects", for_ever)
    await put_model(ctx)
    await projects.create_key(ctx, "other")
    await asyncio.wait_for(reading.wait(), 5)

    await projects.revoke_key(ctx, "app")

    await until(lambda: hash_ not in snapshots.in_force().keys, seconds=5)


async def test_a_change_that_is_committed_after_a_later_one_is_not_missed(ctx, database_url):
    late = (await projects.create_key(ctx, "late")).secret
    database = ctx.db.across_projects()
    known = await load_keys(database)
    async with await psycopg.AsyncConnection.connect(database_url) as slow:
        await slow.execute("select set_config('flyball.project', '*', false)")
        await slow.execute("update keys set revoked_ns = 1 where name = 'late'")
        await projects.create_key(ctx, "soon")
        known = await newer_keys(database, known)
        assert {key.name for key in known.keys.values()} == {"late", "soon"}

        await slow.commit()

    known = await newer_keys(database, known)
    assert token_hash(late.reveal()) not in known.keys


async def test_what_has_not_changed_is_not_made_anew(ctx):
    await projects.create_key(ctx, "app")
    database = ctx.db.across_projects()
    known = await load_keys(database)

    assert (await newer_keys(database, known)).keys is known.keys


async def test_a_database_that_counts_its_transactions_from_further_back_is_read_as_a_whole(ctx):
    await projects.create_key(ctx, "app")
    database = ctx.db.across_projects()
    known = await load_keys(database)

    assert len((await newer_keys(database, KnownKeys(MappingProxyType({}), known.seen + 1_000_000))).keys) == 1


async def test_many_keys_are_read_in_portions_and_none_is_left_out(ctx):
    async with ctx.db.connection() as connection:
        await connection.execute(
            "insert into keys (id, line, project, name, name_key, prefix, hash, role, permissions, created_by, created_ns) "
            "select 'key_' || n, 'key_' || n, 'default', 'k' || n, 'k' || n, 'flyball_', sha256(n::text::bytea), 'application', "
            "array['gateway.call'], 'test', n from generate_series(1, 1203) n"
        )

    known = await load_keys(ctx.db.across_projects())

    assert len(known.keys) == 1203
    assert len({id(key.permissions) for key in known.keys.values()}) == 1
