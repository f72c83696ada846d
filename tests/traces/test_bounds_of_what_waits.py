"""What waits for its end has a bound in each project: the oldest are given up, visibly, and nobody else loses anything."""

import os

import pytest

from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all
from flyball.projects import tenants
from flyball.traces import open_spans, parts
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.parts import Place
from flyball.traces.tables import SPANS
from flyball.traces.told import Told

NOW = 1_763_750_000_000_000_000
NAMES = [f"{number}" for number in range(6)]


@pytest.fixture
async def other(ctx: Context) -> Context:
    return ctx.within((await tenants.create_project(ctx, "other")).id, ctx.actor)


async def begin(ctx: Context, flusher: Flusher, *names: str, text: str = "") -> None:
    """Open spans, told of one after the other."""
    for name in names:
        ids = {"trace_id": os.urandom(16).hex(), "span_id": os.urandom(8).hex()}
        told = Told(**ids, name=name, start_ns=NOW, end_ns=0, attributes={"text": text})
        await take_request(ctx, "traces", spans_request([told]).SerializeToString())
    await flusher.flush()


async def still_open(ctx: Context) -> list[str]:
    async with ctx.db.connection() as connection:
        rows = await open_spans.newest(connection, ctx.project, most=100)
    return sorted(open_spans.told_of(row).name for row in rows)


def stored(ctx: Context) -> list[str]:
    rows = ctx.lake.query("select name, attributes from spans", tables=(SPANS,))
    assert all("flyball.unended" in row["attributes"] for row in rows)
    return sorted(row["name"] for row in rows)


@pytest.mark.parametrize("bound", [{"MOST_ROWS": 4}, {"MOST_BYTES": 4_600}], ids=["rows", "bytes"])
async def test_of_too_many_open_spans_those_not_told_of_for_longest_are_stored_and_say_so(
    ctx: Context, other: Context, monkeypatch: pytest.MonkeyPatch, bound: dict[str, int]
) -> None:
    for name, value in bound.items():
        monkeypatch.setattr(open_spans, name, value)
    flusher = Flusher(ctx)
    await begin(other, flusher, "elsewhere")
    await begin(ctx, flusher, *NAMES, text="x" * 1_000)

    await flusher.tidy()
    await flusher.flush()

    assert (stored(ctx), await still_open(ctx)) == (NAMES[:2], NAMES[2:])
    assert await still_open(other) == ["elsewhere"]
    assert {one.name: one.number for one in ctx.tally.sums()}["given_up"] == 2


async def test_large_open_spans_are_given_up_a_few_at_a_time_until_all_that_has_to_go_is_gone(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_spans, "MOST_BYTES", 1_500)
    monkeypatch.setattr(open_spans, "_MOST_BYTES_AT_ONCE", 1_100)
    flusher = Flusher(ctx)
    await begin(ctx, flusher, *NAMES, text="x" * 1_000)
    await flusher.tidy()
    async with ctx.db.connection() as connection:
        requests = await fetch_all(connection, "select records from inbox_batches where project = %s", ctx.project)
    await flusher.flush()

    assert [row["records"] for row in requests] == [2, 2, 1]
    assert (stored(ctx), await still_open(ctx)) == (NAMES[:5], NAMES[5:])


async def test_of_too_many_parts_of_spans_the_oldest_go(
    ctx: Context, other: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_ROWS", 2)
    for name in NAMES[:4]:
        await parts.add_parts(ctx, {Place(name, "s"): {"name": name}})
    await parts.add_parts(other, {Place("0", "s"): {"name": "elsewhere"}})

    await Flusher(ctx).tidy()

    assert await known(ctx) == ["2", "3"]
    assert await known(other) == ["0"]


async def test_parts_go_after_a_week_though_their_project_sends_nothing_any_more(ctx: Context) -> None:
    await parts.add_parts(ctx, {Place("0", "s"): {"name": "a"}})
    async with ctx.db.connection() as connection:
        long_ago = ctx.clock.now_ns() - parts.KEPT_NS - 1
        await execute(connection, "update span_parts set received_ns = %s where project = %s", long_ago, ctx.project)

    await Flusher(ctx).tidy()

    assert await known(ctx) == []


async def test_one_span_that_is_told_without_end_is_not_remembered_without_end(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MOST_OF_ONE", 1_000)
    place = Place("0", "s")
    await parts.add_parts(ctx, {place: {"first": "a"}})

    told = await parts.add_parts(ctx, {place: {"second": "x" * 2_000}})

    assert told[place].keys() == {"first", "second"}
    assert (await parts.add_parts(ctx, {place: {"third": "c"}}))[place] == {"first": "a", "third": "c"}


async def known(ctx: Context) -> list[str]:
    async with ctx.db.connection() as connection:
        rows = await fetch_all(connection, "select trace_id from span_parts where project = %s", ctx.project)
    return sorted(row["trace_id"] for row in rows)
