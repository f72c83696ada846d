"""Signed checkpoints: when they are made, what they cover, and what they show that the chain alone cannot."""

import asyncio
import stat
from dataclasses import replace

import msgspec
import pytest

from flyball.audit import Head, chain, checkpoints, noted, service, store
from flyball.audit.errors import ChainBrokenError, SigningKeyError
from flyball.audit.sealing import Sealer, note_new, seal
from flyball.audit.signing import SigningKey, audit_folder, is_signed, signing_key
from flyball.audit.standing import standing
from flyball.audit.verifying import verify
from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all
from flyball.kit.clock import FixedClock


async def record_some(ctx: Context, many: int) -> None:
    for number in range(many):
        async with ctx.db.transaction() as connection:
            await service.record(connection, ctx, action="keys.create", object_kind="key", object_id=f"k{number}")


async def tamper(ctx: Context, *statements: str) -> None:
    """What somebody with all rights in the database does."""
    async with ctx.db.owner_connection() as connection, connection.transaction():
        for table in ("audit_events", "audit_checkpoints"):
            await execute(connection, f"alter table {table} disable trigger all")
        await execute(connection, "delete from audit_salts")
        for statement in statements:
            await execute(connection, statement)
        for table in ("audit_events", "audit_checkpoints"):
            await execute(connection, f"alter table {table} enable trigger all")


async def rebuild(ctx: Context, events: list) -> None:
    """Write a chain anew from its beginning, head included, as who owns the database can."""
    previous = chain.FIRST
    await tamper(ctx, "delete from audit_events")
    async with ctx.db.owner_connection() as connection:
        for event in events:
            text, previous = chain.canonical(event).decode(), chain.chained(previous, event)
            await execute(
                connection, "insert into audit_events (project, seq, canonical, hash) values ('default', %s, %s, %s)",
                event.seq, text, previous,
            )  # fmt: skip
        await execute(connection, "update audit_heads set seq = %s, hash = %s", len(events), previous)


async def events_of(ctx: Context) -> list:
    return list(reversed((await service.list_events(ctx, limit=200)).items))


async def test_a_checkpoint_signs_the_head_and_the_merkle_root_of_what_is_new(ctx):
    await record_some(ctx, 3)
    first = await seal(ctx)
    await record_some(ctx, 20)
    second = await seal(ctx)

    hashes = [bytes.fromhex(event.hash) for event in await events_of(ctx)]
    assert (first.checkpoint.first, first.checkpoint.seq) == (1, 3)
    assert (second.checkpoint.first, second.checkpoint.seq) == (4, 23)
    assert second.checkpoint.hash == hashes[-1].hex()
    assert second.checkpoint.root == chain.merkle_root(hashes[3:]).hex()
    assert second.checkpoint.previous == checkpoints.body_hash(chain.checkpoint_body(first.checkpoint).decode())
    assert is_signed(chain.checkpoint_body(second.checkpoint), second.signature, signing_key(ctx.layout).public)


async def test_where_nothing_happened_the_newest_checkpoint_stands(ctx):
    assert await seal(ctx) is None

    await record_some(ctx, 1)

    assert await seal(ctx) == await seal(ctx)


async def test_a_chain_with_checkpoints_verifies_and_says_how_far_it_is_signed(ctx):
    await record_some(ctx, 3)
    await seal(ctx)
    await record_some(ctx, 2)

    found = await verify(ctx)

    assert found.ok, found.finding
    assert (found.events, found.signed_up_to, found.keys) == (5, 3, (signing_key(ctx.layout).public,))


async def test_two_who_sign_at_once_make_one_checkpoint(ctx):
    await record_some(ctx, 4)

    made = await asyncio.gather(*(seal(ctx) for _ in range(4)))

    assert len({each.signature for each in made}) == 1
    assert (await verify(ctx)).checkpoints == 1


async def test_a_chain_made_anew_below_a_checkpoint_is_found(ctx):
    await record_some(ctx, 5)
    await seal(ctx)
    changed = [msgspec.structs.replace(event, actor_name="nobody") for event in await events_of(ctx)]

    await rebuild(ctx, changed)

    found = await verify(ctx)
    assert (found.ok, found.fault, found.broken_at) == (False, "edit", 5)
    assert "checkpoint 1" in found.finding


async def test_a_rebuilt_chain_with_its_checkpoints_removed_shows_against_the_data_directory(ctx):
    await record_some(ctx, 5)
    await seal(ctx)
    await rebuild(ctx, (await events_of(ctx))[:3])
    await tamper(ctx, "delete from audit_checkpoints")

    found = await verify(ctx)

    assert (found.fault, found.gap) == ("truncation", 5)
    assert "data directory" in found.finding


async def test_a_checkpoint_signed_by_a_stranger_is_found(ctx, tmp_path):
    await record_some(ctx, 5)
    theirs = replace(ctx, layout=type(ctx.layout)(tmp_path))
    await seal(theirs)

    assert (await verify(ctx)).fault == "signature"
    trusting = msgspec.structs.replace(ctx.settings, audit_trusted_keys=signing_key(theirs.layout).public)
    assert (await verify(replace(ctx, settings=trusting))).ok


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("delete from audit_checkpoints where number = 2", "checkpoint 2"),
        ("update audit_checkpoints set signature = decode(repeat('00', 64), 'hex') where number = 1", "checkpoint 1"),
        (
            "update audit_checkpoints set body = replace(body, '\"seq\":2', '\"seq\":1') where number = 2",
            "checkpoint 2",
        ),
    ],
)
async def test_a_checkpoint_that_was_changed_or_removed_is_named(ctx, statement, words):
    for _ in range(3):
        await record_some(ctx, 1)
        await seal(ctx)

    await tamper(ctx, statement)
    noted.noted_file(ctx.layout).unlink()  # what the data directory knows is another test

    found = await verify(ctx)
    assert not found.ok
    assert words in found.finding


async def test_a_broken_chain_is_not_signed(ctx):
    await record_some(ctx, 3)
    await tamper(ctx, "update audit_events set canonical = replace(canonical, 'k1', 'k9') where seq = 2")

    with pytest.raises(ChainBrokenError, match="event 2 was changed"):
        await seal(ctx)


async def test_the_background_signs_after_enough_events_or_enough_time(ctx):
    clock = FixedClock()
    wanted = msgspec.structs.replace(ctx.settings, audit_checkpoint_events=5, audit_checkpoint_seconds=60.0)
    sealer = Sealer(replace(ctx, clock=clock, settings=wanted))
    await record_some(ctx, 4)

    assert await sealer.look() == 0  # too few, too young
    await record_some(ctx, 1)
    assert await sealer.look() == 1  # enough events
    await record_some(ctx, 1)
    assert await sealer.look() == 0
    clock.advance(61)
    assert await sealer.look() == 1  # enough time
    clock.advance(600)
    assert await sealer.look() == 0  # nothing new


async def test_each_project_has_a_chain_and_checkpoints_of_its_own(ctx):
    other = await another_project(ctx)
    await asyncio.gather(record_some(ctx, 3), record_some(other, 5))
    wanted = msgspec.structs.replace(ctx.settings, audit_checkpoint_events=1)

    assert await Sealer(replace(ctx, settings=wanted)).look() == 2
    mine, theirs = await verify(ctx), await verify(other)
    assert (mine.ok, mine.events, mine.signed_up_to) == (True, 3, 3)
    assert (theirs.ok, theirs.events, theirs.signed_up_to) == (True, 5, 5)


async def test_two_first_appends_at_once_make_one_chain(ctx):
    other = await another_project(ctx)

    await asyncio.gather(*(record_some(other, 1) for _ in range(6)))

    found = await verify(other)
    assert (found.ok, found.events) == (True, 6)


async def test_a_first_append_that_is_rolled_back_leaves_no_hole(ctx):
    other = await another_project(ctx)
    begun, go = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        async with other.db.transaction() as connection:
            await service.record(connection, other, action="keys.create", object_kind="key", object_id="x")
            begun.set()
            await go.wait()
            raise ZeroDivisionError

    failing = asyncio.create_task(fail())
    await begun.wait()
    second = asyncio.create_task(record_some(other, 1))
    await asyncio.sleep(0.05)
    go.set()
    await asyncio.wait([failing, second])

    assert isinstance(failing.exception(), ZeroDivisionError)
    assert (await verify(other)).events == 1


async def another_project(ctx: Context) -> Context:
    async with ctx.db.across_projects().connection() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('p', 'default', 'p', 'p', 1)",
        )
    return ctx.within("p", ctx.actor)


async def test_the_key_is_for_its_owner_alone_and_stays_the_same(layout):
    key = signing_key(layout)

    path = audit_folder(layout) / "signing.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signing_key(layout).public == key.public
    assert sorted(each.name for each in audit_folder(layout).iterdir()) == ["signing.key"]
    assert isinstance(key, SigningKey)
    with pytest.raises(TypeError):
        key.__reduce__()


def test_a_key_that_others_can_read_or_that_is_none_is_refused(layout):
    signing_key(layout)
    path = audit_folder(layout) / "signing.key"

    path.chmod(0o640)
    with pytest.raises(SigningKeyError, match="read by others"):
        signing_key(layout)
    path.chmod(0o600)
    path.write_text("nonsense")
    with pytest.raises(SigningKeyError, match="no Ed25519 key"):
        signing_key(layout)


async def test_checkpoints_are_noted_in_the_data_directory_whatever_was_cut_off_there(ctx):
    await record_some(ctx, 1)
    await seal(ctx)
    with noted.noted_file(ctx.layout).open("ab") as file:
        file.write(b'{"checkpoint":{"at_ns":"17')  # a kill in the middle of a line
    await record_some(ctx, 1)
    await seal(ctx)

    assert [each.number for each in noted.noted_checkpoints(ctx.layout, "default")] == [1, 2]
    assert await note_new(ctx) == 0
    assert (await verify(ctx)).ok


async def test_a_checkpoint_that_a_kill_kept_from_being_noted_is_noted_later(ctx):
    await record_some(ctx, 1)
    await seal(ctx)
    noted.noted_file(ctx.layout).unlink()

    assert await note_new(ctx) == 1
    assert [each.number for each in noted.noted_checkpoints(ctx.layout, "default")] == [1]


async def test_the_standing_says_what_is_signed_by_whom(ctx):
    await record_some(ctx, 2)
    before = await standing(ctx)
    await seal(ctx)
    after = await standing(ctx)

    assert (before.latest, before.checkpoints, before.head.seq) == (None, 0, 2)
    assert (after.latest.checkpoint.seq, after.checkpoints, after.key) == (2, 1, signing_key(ctx.layout).public)


async def test_checkpoints_refuse_to_be_changed_even_by_the_owner_of_the_tables(ctx):
    await record_some(ctx, 1)
    await seal(ctx)

    for statement in (
        "update audit_checkpoints set body = '{}'",
        "delete from audit_checkpoints",
        "truncate audit_checkpoints",
    ):
        with pytest.raises(Exception, match="append-only"):
            async with ctx.db.owner_connection() as connection:
                await execute(connection, statement)
    async with ctx.db.connection() as connection:
        assert len(await fetch_all(connection, "select 1 from audit_checkpoints")) == 1


async def test_a_head_noted_earlier_is_passed_through(ctx):
    await record_some(ctx, 2)
    head = (await verify(ctx)).head
    await record_some(ctx, 2)

    assert (await verify(ctx, head)).ok
    assert (await verify(ctx, Head(seq=2, hash="0" * 64))).broken_at == 2
    async with ctx.db.connection() as connection:
        assert await store.first_missing(connection, "default", 0, 5) == 5
