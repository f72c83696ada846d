"""Retention: what is older than the setting is given up for a signed statement, and nothing else can be deleted."""

from dataclasses import replace

import msgspec
import pytest

from flyball.audit import Head, checkpoints, exporting, offline, service, signing, store
from flyball.audit.checkpoints import Stood
from flyball.audit.errors import ChainBrokenError, ClockDoubtedError, RetentionTooShortError
from flyball.audit.keeping import keeping
from flyball.audit.pruning import Pruner, prune, retention_days
from flyball.audit.sealing import seal
from flyball.audit.verifying import verify
from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all
from flyball.kit.clock import SystemClock
from flyball.kit.errors import InvalidInputError
from flyball.settings import Settings

DAY_NS = 86_400 * 1_000_000_000


class Shifted:
    """The machine's clock, some days before or after."""

    def __init__(self, days: float) -> None:
        self.days = days

    def now_ns(self) -> int:
        return SystemClock().now_ns() + int(self.days * DAY_NS)

    def monotonic_ns(self) -> int:
        return SystemClock().monotonic_ns()


def keeping_days(ctx: Context, days: int) -> Context:
    return replace(ctx, settings=msgspec.structs.replace(ctx.settings, audit_retention_days=days))


async def record_some(ctx: Context, many: int, *, days_ago: float = 0.0) -> None:
    then = replace(ctx, clock=Shifted(-days_ago))
    for number in range(many):
        async with ctx.db.transaction() as connection:
            await service.record(connection, then, action="keys.create", object_kind="key", object_id=f"k{number}")


async def numbers(ctx: Context) -> list[int]:
    async with ctx.db.connection() as connection:
        rows = await fetch_all(connection, "select seq from audit_events order by seq")
    return [row["seq"] for row in rows]


@pytest.mark.parametrize("days", [1, 90, 179, -1])
def test_less_than_180_days_is_refused(days):
    with pytest.raises(RetentionTooShortError, match=f"{days} is less than the 180 days"):
        retention_days(Settings(audit_retention_days=days))


@pytest.mark.parametrize("days", [0, 180, 3650])
def test_for_ever_and_180_days_and_more_are_fine(days):
    assert retention_days(Settings(audit_retention_days=days)) == days


async def test_the_control_process_does_not_start_with_less(ctx):
    with pytest.raises(RetentionTooShortError):
        async with keeping(keeping_days(ctx, 30)):
            pass


async def test_what_is_older_is_given_up_and_the_chain_verifies_from_a_signed_statement(ctx):
    ctx = keeping_days(ctx, 200)
    await record_some(ctx, 4, days_ago=300)
    await seal(ctx)
    await record_some(ctx, 3, days_ago=10)

    given_up = await prune(ctx)

    found = await verify(ctx)
    assert (given_up.events, given_up.up_to) == (4, 4)
    assert await numbers(ctx) == [5, 6, 7, 8]  # and the pruning itself is recorded
    assert found.ok, found.finding
    assert (found.begins_at, found.events, found.signed_up_to) == (5, 4, 7)
    assert (await service.show_event(ctx, 8)).action == "audit.prune"
    assert (await prune(ctx)).events == 0
    await record_some(ctx, 2)
    await seal(ctx)
    assert (await verify(ctx)).ok


async def test_a_head_that_was_noted_is_held_against_what_was_given_up(ctx):
    ctx = keeping_days(ctx, 200)
    await record_some(ctx, 4, days_ago=300)
    noted = (await verify(ctx)).head
    await seal(ctx)
    await prune(ctx)

    forged, older = await verify(ctx, Head(seq=4, hash="0" * 64)), await verify(ctx, Head(seq=3, hash="0" * 64))

    assert (noted.seq, (await verify(ctx, noted)).ok) == (4, True)
    assert (forged.ok, forged.broken_at) == (False, 4)
    assert (older.ok, "cannot be checked any more" in older.finding) == (False, True)
    with pytest.raises(InvalidInputError):
        await verify(ctx, Head(seq=0, hash="0" * 64))


async def test_only_what_a_checkpoint_ends_is_given_up(ctx):
    ctx = keeping_days(ctx, 180)
    await record_some(ctx, 3, days_ago=300)
    await seal(ctx)
    await record_some(ctx, 3, days_ago=250)  # old as well, but the next checkpoint will cover younger ones too
    await record_some(ctx, 1, days_ago=1)

    assert (await prune(ctx)).up_to == 3
    assert (await verify(ctx)).begins_at == 4


async def test_pruning_again_and_again_verifies(ctx):
    ctx = keeping_days(ctx, 180)
    for days_ago in (500, 400, 300, 200):
        await record_some(ctx, 3, days_ago=days_ago)
        await seal(ctx)
    for days in (450, 350, 250, 180):
        await prune(keeping_days(ctx, days))
        assert (await verify(ctx)).ok

    assert (await verify(ctx)).begins_at == 13


async def test_for_ever_gives_up_nothing(ctx):
    await record_some(ctx, 3, days_ago=3000)
    await seal(ctx)

    assert (await prune(ctx)).events == 0
    assert await numbers(ctx) == [1, 2, 3]


async def test_an_export_begins_where_the_chain_does_and_verifies_offline(ctx, tmp_path):
    ctx = keeping_days(ctx, 180)
    await record_some(ctx, 3, days_ago=300)
    await seal(ctx)
    await prune(ctx)
    path = tmp_path / "e.jsonl"

    path.write_bytes(b"".join([part async for part in await exporting.export(ctx)]))

    found = offline.verify_file(path, public_keys=[signing.signing_key(ctx.layout).public])
    assert found.ok, found.finding
    assert (found.begins_at, found.events) == (4, 2)


async def test_a_beginning_that_was_deleted_without_a_statement_is_a_gap(ctx):
    await record_some(ctx, 5, days_ago=300)
    async with ctx.db.owner_connection() as connection, connection.transaction():
        await execute(connection, "alter table audit_events disable trigger all")
        await execute(connection, "delete from audit_salts")
        await execute(connection, "delete from audit_events where seq <= 2")
        await execute(connection, "alter table audit_events enable trigger all")

    found = await verify(ctx)

    assert (found.ok, found.gap) == (False, 1)
    assert "missing" in found.finding


async def delete_as_pruning_does(ctx: Context, up_to: int, *, setting: str = "default") -> None:
    async with ctx.db.owner_connection() as connection, connection.transaction():
        await execute(connection, "select set_config('flyball.pruning', %s, true)", setting)
        await execute(connection, "delete from audit_salts")
        await execute(connection, "delete from audit_events where seq <= %s", up_to)


async def state_as_pruning_does(ctx: Context, up_to: int) -> None:
    async with ctx.db.connection() as connection:
        before = await store.last_checkpoint(connection, "default")
        event = await store.find(connection, "default", up_to)
        stood = Stood("pruned", 1, up_to, bytes.fromhex(event.hash), "", event.at_ns)
        key = signing.signing_key(ctx.layout)
        body, signature = checkpoints.make(key, "default", before, stood, at_ns=ctx.clock.now_ns())
        await store.add_checkpoint(connection, "default", before.number + 1, body, signature)


async def test_the_database_lets_no_other_deletion_through(ctx):
    await record_some(ctx, 3, days_ago=300)
    await record_some(ctx, 2, days_ago=170)
    await seal(ctx)

    with pytest.raises(Exception, match="append-only"):  # no statement stands for them
        await delete_as_pruning_does(ctx, 3)
    await state_as_pruning_does(ctx, 4)
    with pytest.raises(Exception, match="append-only"):  # not said in this transaction
        await delete_as_pruning_does(ctx, 3, setting="")
    with pytest.raises(Exception, match="append-only"):  # said for another project
        await delete_as_pruning_does(ctx, 3, setting="other")
    with pytest.raises(Exception, match="append-only"):  # younger than 180 days
        await delete_as_pruning_does(ctx, 4)
    with pytest.raises(Exception, match="append-only"):  # behind the statement
        await delete_as_pruning_does(ctx, 5)
    assert await numbers(ctx) == [1, 2, 3, 4, 5]
    await delete_as_pruning_does(ctx, 3)
    assert await numbers(ctx) == [4, 5]


async def test_a_signed_statement_over_younger_events_is_found(ctx):
    await record_some(ctx, 3, days_ago=100)
    await seal(ctx)

    await state_as_pruning_does(ctx, 3)

    assert "younger than 180 days" in (await verify(ctx)).finding


async def test_a_broken_chain_is_not_given_up(ctx):
    ctx = keeping_days(ctx, 180)
    await record_some(ctx, 3, days_ago=300)
    await seal(ctx)
    async with ctx.db.owner_connection() as connection, connection.transaction():
        await execute(connection, "alter table audit_events disable trigger all")
        await execute(connection, "update audit_events set canonical = replace(canonical, 'k1', 'k9') where seq = 2")
        await execute(connection, "alter table audit_events enable trigger all")

    with pytest.raises(ChainBrokenError, match="event 2 was changed"):
        await prune(ctx)

    assert await numbers(ctx) == [1, 2, 3]


async def test_a_clock_that_is_days_ahead_gives_up_nothing(ctx):
    ctx = keeping_days(ctx, 180)
    await record_some(ctx, 3)
    await seal(ctx)

    with pytest.raises(ClockDoubtedError, match="more than an hour apart"):
        await prune(replace(ctx, clock=Shifted(400)))

    assert await numbers(ctx) == [1, 2, 3]


async def test_a_clock_that_jumps_while_flyball_runs_stops_the_pruning(ctx):
    clock = Shifted(0)
    pruner = Pruner(keeping_days(replace(ctx, clock=clock), 180))

    clock.days = 3

    with pytest.raises(ClockDoubtedError, match="has jumped"):
        await pruner.look()


async def test_the_background_prunes_every_project(ctx):
    async with ctx.db.across_projects().connection() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('p', 'default', 'p', 'p', 1)",
        )
    other = ctx.within("p", ctx.actor)
    for each in (ctx, other):
        await record_some(each, 2, days_ago=300)
        await seal(each)

    await Pruner(keeping_days(ctx, 180)).look()

    assert (await verify(ctx)).begins_at == 3
    assert (await verify(other)).begins_at == 3


async def test_commitments_of_pruned_events_lose_their_salts(ctx):
    ctx = keeping_days(ctx, 180)
    await record_some(ctx, 2, days_ago=300)
    await seal(ctx)
    await prune(ctx)

    async with ctx.db.connection() as connection:
        assert await store.salt(connection, "default", 1) is None
        assert await store.salt(connection, "default", 3) is not None
