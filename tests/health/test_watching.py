"""The watch: lag as it is, a row a minute that survives restarts and an absent PostgreSQL."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from flyball.health import store, watching
from flyball.health.minutes import Pending, join
from flyball.health.objective import MINUTE_NS
from flyball.health.records import Minute
from flyball.health.watching import Watch
from flyball.infra.db.database import execute
from flyball.kit.clock import FixedClock
from flyball.traces import inbox
from flyball.traces.flusher import Flusher
from flyball.traces.records import Span

START = 1_700_000_040 * 1_000_000_000 // MINUTE_NS * MINUTE_NS


@pytest.fixture
def clock():
    return FixedClock(START)


@pytest.fixture
def timed(ctx, clock):
    """The context with a clock that the test moves."""
    return replace(ctx, clock=clock)


async def keep(ctx, number: int) -> None:
    """A span is acknowledged now."""
    span = Span(
        project="default",
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        name="call",
        kind="llm",
        start_ns=1,
        end_ns=2,
    )
    async with ctx.db.transaction() as connection:
        await inbox.append(connection, [inbox.span_item(span)], now_ns=ctx.clock.now_ns())


async def keep_request(ctx, records: int) -> None:
    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            "insert into inbox_batches (project, signal, key_id, digest, received_ns, records, size, body) values ('default', 'metrics', 'k', %s, %s, %s, 9, %s)",
            b"d",
            ctx.clock.now_ns(),
            records,
            b"packed",
        )


async def test_the_lag_is_the_age_of_the_oldest_record_of_any_kind(timed, clock):
    watch = Watch(timed)
    await keep(timed, 1)
    clock.advance(3)
    await keep_request(timed, 70)
    clock.advance(1)
    await watch.sample()
    await watch.look()
    [minute] = watch.minutes()

    assert minute.worst_lag_ns == 4_000_000_000
    assert (minute.samples, minute.failed) == (1, 0)
    assert minute.waiting == 71
    assert watch.oldest == {
        "span": START,
        "score": None,
        "traces": None,
        "logs": None,
        "metrics": START + 3_000_000_000,
    }


async def test_what_is_in_its_table_waits_no_more(timed, clock):
    watch = Watch(timed)
    await keep(timed, 1)
    clock.advance(3)
    await watch.sample()
    await Flusher(timed).flush()
    clock.advance(60)
    await watch.sample()

    assert [minute.worst_lag_ns for minute in watch.minutes()] == [3_000_000_000, 0]


async def test_a_minute_is_the_worst_of_its_samples_whoever_measured(timed, clock):
    await keep(timed, 1)
    for _ in range(3):  # a process each: started anew, it adds to what the one before wrote
        watch = Watch(timed)
        clock.advance(2)
        await watch.sample()
        await watch.look()

    async with timed.db.across_projects().connection() as connection:
        [minute] = await store.minutes_since(connection, 0)

    assert (minute.samples, minute.worst_lag_ns) == (3, 6_000_000_000)
    assert [each.samples for each in watch.minutes()] == [3]


async def test_while_postgresql_is_away_minutes_are_missed_and_none_is_forgotten(timed, clock, monkeypatch):
    watch = Watch(timed)
    await watch.sample()
    await watch.look()
    monkeypatch.setattr(watching, "_PATIENCE_SECONDS", 0.0)
    for _ in range(3):
        clock.advance(60)
        await watch.sample()
        await watch.look()
    told = watch.minutes()
    monkeypatch.undo()
    clock.advance(60)
    await watch.sample()
    await watch.look()
    async with timed.db.across_projects().connection() as connection:
        written = await store.minutes_since(connection, 0)

    assert [(one.samples, one.failed, one.worst_lag_ns) for one in told] == [(1, 0, 0)] + [(0, 1, None)] * 3
    assert [(one.samples, one.failed, one.worst_lag_ns) for one in written] == [(1, 0, 0)] + [(0, 1, None)] * 3 + [
        (1, 0, 0)
    ]


async def test_minutes_are_kept_for_eight_days(timed, clock):
    watch = Watch(timed)
    await watch.sample()
    await watch.look()
    clock.advance(8 * 86_400 + 61)
    await watch.sample()
    await watch.look()
    async with timed.db.across_projects().connection() as connection:
        kept = await store.minutes_since(connection, 0)

    assert [one.minute_ns for one in kept] == [START + 8 * 86_400 * 10**9 + MINUTE_NS]


async def test_the_watch_ends_though_a_look_forgot_that_it_was_to_end(timed, monkeypatch):
    begun = asyncio.Event()

    async def forgetting(_watch) -> None:
        if not begun.is_set():
            begun.set()
            with suppress(asyncio.CancelledError):  # as Python 3.11 does where a connection is just handed over
                await asyncio.Event().wait()

    monkeypatch.setattr(Watch, "sample", forgetting)

    async with asyncio.timeout(10), watching.watching(timed):
        await begun.wait()


async def test_the_flusher_tells_what_it_moved_and_what_failed(timed):
    await keep(timed, 1)
    await keep(timed, 2)
    await Flusher(timed).flush()
    sums = {(one.name, one.of): one.number for one in timed.tally.sums()}

    assert (sums["flushes", "span"], sums["flushed", "span"]) == (1, 2)


def test_two_measurements_of_a_minute_join_by_sum_worst_and_least():
    one = Minute(minute_ns=0, samples=2, worst_lag_ns=5, stored=3, disk_free=100)
    other = Minute(minute_ns=0, samples=1, failed=1, worst_lag_ns=9, stored=4, disk_free=80, memory=7)

    assert join(one, other) == Minute(
        minute_ns=0, samples=3, failed=1, worst_lag_ns=9, stored=7, disk_free=80, memory=7
    )
    assert join(one, other) == join(other, one)


def test_of_minutes_that_cannot_be_written_the_newest_day_is_kept():
    pending = Pending()
    for number in range(2_000):
        pending.add(Minute(minute_ns=number * MINUTE_NS, samples=1))

    taken = pending.take()

    assert (len(taken), taken[0].minute_ns, taken[-1].minute_ns) == (1440, 560 * MINUTE_NS, 1999 * MINUTE_NS)
    assert pending.take() == []
