"""Secrets: kept encrypted, bound to their hosts, told to nobody, exchanged without a gap."""

import os
from dataclasses import replace

import msgspec
import pytest
from psycopg import sql

from flyball.audit import service as audit
from flyball.infra.context import Actor
from flyball.infra.db.database import execute, fetch_all
from flyball.infra.secrets.errors import HostInvalidError, MasterKeyError
from flyball.infra.secrets.files import master_file
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.secrets import Secret
from flyball.models import service as models
from flyball.models.errors import ModelNotConfiguredError
from flyball.models.reaching import reaching, unavailable_reasons
from flyball.models.records import Endpoint, ModelSpec
from flyball.secrets import SecretInvalidError, SecretNotFoundError, Use, rotation, service
from flyball.secrets.errors import MasterKeyRefusedError
from flyball.settings import Settings

VALUE = "sk-stored-and-told-to-nobody-4711"
HOST = "api.openai.com"


def spec(**fields):
    return ModelSpec(
        endpoints=(Endpoint(**{"provider": "openai", "model": "m", "api_key": "secret:openai", **fields}),)
    )


async def keep(ctx, value=VALUE, hosts=(HOST,), name="openai"):
    return await service.set_secret(ctx, name, Secret(value), hosts)


async def reached(ctx, declared=None):
    (endpoint,) = await reaching(ctx)("default", "fast", declared or spec())
    return endpoint.api_key.reveal()


async def why_not(ctx, declared=None):
    with pytest.raises(ModelNotConfiguredError) as caught:
        await reaching(ctx)("default", "fast", declared or spec())
    assert VALUE not in str(caught.value)
    return caught.value.message


def another_process(ctx, **settings):
    """The same data directory and database, as a process with other settings and an empty memory has them."""
    changed = msgspec.structs.replace(ctx.settings, **settings)
    return replace(ctx, settings=changed, keyring=Keyring(changed, ctx.layout, ctx.clock))


async def everything(ctx):
    """Every value of every column of every table, as text."""
    told = ""
    async with ctx.db.across_projects().connection() as connection:
        tables = await fetch_all(
            connection, "select table_name from information_schema.tables where table_schema = 'public'"
        )
        for table in tables:
            query = sql.SQL("select to_jsonb(t)::text as row from {} t").format(sql.Identifier(table["table_name"]))
            cursor = await connection.execute(query)
            told += "".join(row["row"] for row in await cursor.fetchall())
    return told


async def test_a_secret_is_kept_encrypted_and_a_model_is_called_with_it(ctx):
    kept = await keep(ctx)

    assert (kept.name, kept.version, kept.hosts) == ("openai", 1, (HOST,))
    assert await reached(ctx) == await reached(another_process(ctx)) == VALUE
    told = await everything(ctx)
    assert "openai" in told
    for seen in (VALUE, VALUE.encode().hex()):
        assert seen not in told
    assert VALUE not in repr(kept) + msgspec.json.encode(await service.list_secrets(ctx)).decode()


async def test_every_set_is_a_new_version_and_nothing_of_the_old_one_stays(ctx):
    await keep(ctx, "first-value-4711")
    second = await keep(ctx, "second-value-4711")

    assert second.version == 2
    assert await reached(ctx) == "second-value-4711"
    async with ctx.db.connection() as connection:
        assert len(await fetch_all(connection, "select * from secrets")) == 1


async def test_a_removed_secret_is_gone_and_its_next_version_is_another(ctx):
    await keep(ctx)
    removed = await service.remove_secret(ctx, "openai")

    assert removed.version == 1
    assert await service.list_secrets(ctx) == ()
    assert "there is no secret named openai" in await why_not(ctx)
    with pytest.raises(SecretNotFoundError, match="flyball secrets list"):
        await service.remove_secret(ctx, "openai")
    assert (await keep(ctx)).version == 2


@pytest.mark.parametrize("name", ["", "a b", "a/b", ".a", "-", "x" * 101, "é", "a\n"])
async def test_what_is_no_name_is_refused(ctx, name):
    with pytest.raises(SecretInvalidError, match="is no name"):
        await keep(ctx, name=name)


@pytest.mark.parametrize("value", ["", " ", "x" * 70_000, "a\0b", "a\x1b[0mb"])
async def test_what_is_no_value_is_refused_without_repeating_it(ctx, value):
    with pytest.raises(SecretInvalidError) as caught:
        await keep(ctx, value)

    assert value.strip() == "" or value not in str(caught.value)


async def test_a_secret_of_several_lines_is_one(ctx):
    account = '{\n\t"client_email": "a",\r\n  "private_key": "-----BEGIN"\n}\n'
    await keep(ctx, account)

    assert await reached(ctx) == account


async def test_a_secret_must_be_bound_to_a_host(ctx):
    with pytest.raises(HostInvalidError):
        await keep(ctx, hosts=())


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"base_url": "https://evil.example/v1"},
        {"base_url": "https://api.openai.com.evil.example/v1"},
        {"base_url": "http://api.openai.com/v1"},
        {"base_url": "https://api.openai.com:8443/v1"},
        {"base_url": "env:EVIL_URL"},
        {"provider": "anthropic"},
    ],
)
async def test_a_secret_is_sent_to_no_host_but_its_own(ctx, monkeypatch, elsewhere):
    monkeypatch.setenv("EVIL_URL", "https://evil.example/v1")
    await keep(ctx)

    why = await why_not(ctx, spec(**elsewhere))

    assert "the secret openai is bound to api.openai.com" in why
    assert "flyball secrets set openai --host" in why


async def test_other_hosts_need_the_value_again_and_a_row_that_was_bound_elsewhere_does_not_open(ctx):
    await keep(ctx)
    async with ctx.db.connection() as connection:
        await execute(connection, "update secrets set hosts = %s", ["evil.example"])

    assert "cannot be decrypted" in await why_not(another_process(ctx), spec(base_url="https://evil.example/v1"))
    await keep(ctx, hosts=["evil.example"])
    assert await reached(ctx, spec(base_url="https://evil.example/v1")) == VALUE


@pytest.mark.parametrize("change", ["name = 'other'", "version = 7", "sealed = sealed || '\\x00'::bytea"])
async def test_a_row_that_somebody_changed_does_not_open(ctx, change):
    await keep(ctx)
    async with ctx.db.connection() as connection:
        await execute(connection, f"update secrets set {change}")

    name = "other" if "name" in change else "openai"
    assert "cannot be decrypted" in await why_not(another_process(ctx), spec(api_key=f"secret:{name}"))


async def test_one_project_does_not_see_or_use_the_secrets_of_another(ctx):
    async with ctx.db.across_projects().connection() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('b', 'default', 'b', 'b', 0)",
        )
    other = ctx.within("b", Actor(id="mbr_b", kind="member", name="b"))
    await keep(ctx)
    await keep(other, "sk-of-the-other-tenant")

    assert [secret.version for secret in await service.list_secrets(other)] == [1]
    assert await reached(other) == "sk-of-the-other-tenant"
    assert await reached(ctx) == VALUE
    await service.remove_secret(other, "openai")
    assert await reached(ctx) == VALUE
    async with other.db.connection() as connection:
        assert await fetch_all(connection, "select * from secrets where project = 'default'") == []
        assert await fetch_all(connection, "select * from data_keys where project = 'default'") == []


async def test_a_row_carried_into_another_project_does_not_open(ctx):
    async with ctx.db.across_projects().connection() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('b', 'default', 'b', 'b', 0)",
        )
    other = ctx.within("b", ctx.actor)
    await keep(ctx)
    await keep(other, "sk-of-the-other-tenant")
    async with ctx.db.across_projects().connection() as connection:
        await execute(
            connection,
            "update secrets set sealed = (select sealed from secrets where project = 'default') where project = 'b'",
        )
        stolen = await why_not(another_process(other))
        await execute(
            connection,
            "update data_keys set wrapped = (select wrapped from data_keys where project = 'default') where project = 'b'",
        )

    assert "cannot be decrypted" in stolen
    assert "cannot be decrypted" in await why_not(another_process(other))


async def test_who_uses_a_secret_and_where_it_would_go_is_told(ctx):
    async with ctx.db.transaction() as connection:
        await models.put(connection, ctx, "fast", spec())
        await models.put(
            connection, ctx, "local", spec(provider="openai-compatible", base_url="http://127.0.0.1:9001/v1")
        )

    assert await service.hosts_wanted(ctx, "openai") == ("127.0.0.1:9001", HOST)
    await keep(ctx)
    (listed,) = await service.list_secrets(ctx)
    assert listed.used_by == (Use(model="fast", host=HOST), Use(model="local", host="127.0.0.1:9001"))
    reasons = await unavailable_reasons(ctx, await models.list_models(ctx))
    assert sorted(bool(reason) for reason in reasons.values()) == [False, True]
    async with ctx.db.transaction() as connection:
        await models.put(connection, ctx, "fast", spec(api_key="env:OPENAI_API_KEY"))
    (listed,) = await service.list_secrets(ctx)
    assert listed.used_by == (Use(model="local", host="127.0.0.1:9001"),)


async def test_every_change_is_in_the_audit_record_without_the_value(ctx):
    await keep(ctx)
    await service.remove_secret(ctx, "openai")
    await rotation.rotate_data_key(ctx)

    events = (await audit.list_events(ctx)).items
    assert [event.action for event in events] == ["secrets.rotate_data_key", "secrets.remove", "secrets.set"]
    assert VALUE not in repr(events)


async def test_a_new_data_key_encrypts_everything_anew_and_the_old_one_is_forgotten(ctx):
    for number in range(5):
        await keep(ctx, f"value-number-{number}", name=f"s{number}")
    async with ctx.db.connection() as connection:
        before = await fetch_all(connection, "select data_key, sealed from secrets order by name")

    done = await rotation.rotate_data_key(ctx)

    async with ctx.db.connection() as connection:
        after = await fetch_all(connection, "select data_key, sealed from secrets order by name")
        keys = await fetch_all(connection, "select id from data_keys")
    assert (done.secrets, [key["id"] for key in keys]) == (5, [done.data_key])
    assert not {row["sealed"] for row in before} & {row["sealed"] for row in after}
    for process in (ctx, another_process(ctx)):
        assert [await reached(process, spec(api_key=f"secret:s{n}")) for n in range(5)] == [
            f"value-number-{n}" for n in range(5)
        ]


async def test_the_master_key_in_the_data_directory_is_exchanged_and_the_old_one_gone(ctx):
    await keep(ctx)
    before = await rotation.master_key_state(ctx)
    text = master_file(ctx.layout).read_text()

    done = await rotation.rotate_master(ctx)

    after = await rotation.master_key_state(ctx)
    assert (before.origin, before.data_keys, before.foreign) == ("data directory", 1, ())
    assert (done.data_keys, done.master_key) == (1, after.master_key)
    assert before.master_key != after.master_key
    assert text.strip() not in master_file(ctx.layout).read_text()
    assert await reached(ctx) == await reached(another_process(ctx)) == VALUE


async def test_an_operators_master_key_is_exchanged_with_both_at_hand(ctx):
    old, new = Secret(os.urandom(32).hex()), Secret(os.urandom(32).hex())
    first = another_process(ctx, master_key=old)
    await keep(first)
    stranger = another_process(ctx, master_key=new)
    both = another_process(ctx, master_key=new, master_key_old=old)

    wrong = await why_not(stranger)
    old_id = (await first.keyring.safe.masters()).current.id
    new_id = (await stranger.keyring.safe.masters()).current.id
    assert old_id in wrong
    assert new_id in wrong
    with pytest.raises(MasterKeyError):
        await rotation.rotate_master(stranger)
    with pytest.raises(MasterKeyError):
        await keep(stranger, "another", name="another")
    assert (await rotation.master_key_state(stranger)).foreign == (old_id,)

    assert await reached(both) == VALUE
    assert (await rotation.master_key_state(both)).earlier == 1
    assert (await rotation.rotate_master(both)).data_keys == 1

    assert await reached(another_process(ctx, master_key=new)) == VALUE
    assert new_id in await why_not(another_process(ctx, master_key=old))
    assert not master_file(ctx.layout).exists()


async def test_a_lost_master_key_is_an_error_and_never_a_new_key(ctx):
    await keep(ctx)
    master_file(ctx.layout).unlink()
    process = another_process(ctx)

    assert "this process has none" in await why_not(process)
    with pytest.raises(MasterKeyError, match="this process has none"):
        await keep(process, "x-another-value", name="another")
    assert not master_file(ctx.layout).exists()


async def test_the_master_key_is_exchanged_by_the_owner_of_the_machine_alone(ctx):
    owner = ctx.acting_as(Actor(id="mbr_1", kind="member", name="owner"))

    with pytest.raises(MasterKeyRefusedError, match="on the machine itself"):
        await rotation.rotate_master(owner)


async def test_a_stored_secret_is_no_path_of_a_file(ctx):
    (ctx.layout.root / "other.json").write_text('{"client_email": "stolen"}')
    await keep(ctx, f"{ctx.layout.root}/other.json", hosts=["aiplatform.googleapis.com"])
    declared = ModelSpec(
        endpoints=(
            Endpoint(provider="vertex", model="m", project="p", location="global", service_account="secret:openai"),
        )
    )

    assert "neither a service account's key" in await why_not(ctx, declared)


def test_settings_show_no_master_key():
    settings = Settings(master_key=Secret(VALUE), master_key_old=Secret(VALUE))

    assert VALUE not in repr(settings)
    with pytest.raises(TypeError):
        msgspec.json.encode(settings)
