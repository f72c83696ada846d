"""A record that cannot be moved, for a reason that nobody foresaw, is set aside; all others are in their tables exactly once."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all
from flyball.infra.lake.errors import LakeAwayError
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.kit.paging import Page
from flyball.projects import tenants
from flyball.traces import aside, erasing, inbox, retention
from flyball.traces.alike import Foreign, Understood, understood
from flyball.traces.errors import AsideNotFoundError
from flyball.traces.flusher import Flusher
from flyball.traces.moving import native, told_signals, told_spans
from flyball.traces.otlp.encoding import logs_request, points_request, spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.records import Span
from flyball.traces.signal_tables import LOGS, METRICS
from flyball.traces.tables import SPANS
from flyball.traces.told import Told, ToldLog, ToldPoint

NOW = 1_763_750_000_000_000_000
POISON = "poison"


def a_span(name: str = "call", **fields: object) -> Told:
    basic = {"trace_id": os.urandom(16).hex(), "span_id": os.urandom(8).hex(), "start_ns": NOW, "end_ns": NOW + 5}
    return Told(**(basic | {"name": name} | fields))


def understand(foreign: Sequence[Foreign]) -> Understood:
    """A mapping with a fault that nobody foresaw; its error says what the span holds."""
    for _, told, _ in foreign:
        if told.name == POISON:
            raise ZeroDivisionError(f"the secret of {told.attributes.get('user.id')}")
    return understood(foreign, lambda _project: None)


async def send(ctx: Context, *spans: Told) -> None:
    assert (await take_request(ctx, "traces", spans_request(spans).SerializeToString())).accepted == len(spans)


def names(ctx: Context) -> list[str]:
    return sorted(row["name"] for row in ctx.lake.query("select name from spans", tables=(SPANS,)))


async def waiting(ctx: Context) -> int:
    async with ctx.db.connection() as connection:
        return await inbox.count_all(connection)


async def set_aside(ctx: Context) -> Page[aside.Aside]:
    return await aside.list_aside(ctx, limit=200)


@pytest.fixture
def flusher(ctx: Context) -> Flusher:
    return Flusher(ctx, understand)


async def test_one_bad_span_among_many_requests_is_set_aside_and_the_others_are_stored_once(
    ctx: Context, flusher: Flusher, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        bad = [a_span(POISON, attributes={"user.id": "ada"})] if number == 13 else []
        await send(ctx, a_span(f"{number:02} a"), *bad, a_span(f"{number:02} b"))
    assert await flusher.finish()

    assert names(ctx) == [f"{number:02} {letter}" for number in range(20) for letter in "ab"]
    (one,) = (await set_aside(ctx)).items
    assert (one.kind, one.records, one.error, one.stored) == ("traces", 1, "ZeroDivisionError", False)
    shown = await aside.show_aside(ctx, one.id)
    assert shown.holds["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == POISON
    assert await waiting(ctx) == 0
    assert "ZeroDivisionError at understand" in caplog.text
    assert "ada" not in caplog.text
    assert {one.name: one.number for one in ctx.tally.sums()}["set_aside"] == 1


async def test_requests_full_of_bad_spans_hold_nobody_up(ctx: Context, flusher: Flusher) -> None:
    for _ in range(5):
        await send(ctx, *(a_span(POISON) for _ in range(40)))
        await send(ctx, a_span("good"))
    assert await flusher.finish()

    assert names(ctx) == ["good"] * 5
    assert sum(one.records for one in (await set_aside(ctx)).items) == 200


async def test_of_a_request_with_more_bad_records_than_are_looked_for_all_good_ones_or_groups_are_accounted_for(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flyball.traces.moving.sifting._LEAST_TRIED", 10)
    monkeypatch.setattr("flyball.traces.moving.sifting._TRIED_OF_EACH", 2)
    await send(ctx, *(a_span(POISON if number % 7 == 0 else "good") for number in range(100)))
    assert await flusher.finish()

    assert len(names(ctx)) + sum(one.records for one in (await set_aside(ctx)).items) == 100


async def test_the_other_kinds_are_moved_though_one_fails(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ToldLog(time_ns=NOW, body=POISON)
    await take_request(ctx, "logs", logs_request([log]).SerializeToString())
    await send(ctx, a_span())

    async def away(*_: object) -> None:
        raise LakeAwayError("no space left")

    monkeypatch.setattr(told_signals.ToldSignalMover, "move", away)
    with pytest.raises(LakeAwayError):
        await flusher.flush()

    assert names(ctx) == ["call"]
    assert (await set_aside(ctx)).items == ()


async def test_log_records_and_points_are_told_apart_too(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(columns):
        def make(arrived):
            if any(POISON in str(record) for _, record in arrived):
                raise KeyError(POISON)
            return columns(arrived)

        return make

    for kind, known in told_signals._SIGNALS.items():
        monkeypatch.setitem(told_signals._SIGNALS, kind, known._replace(columns=failing(known.columns)))
    flusher = Flusher(ctx, understand)
    logs = [ToldLog(time_ns=NOW, body=POISON if number == 3 else "said") for number in range(8)]
    points = [ToldPoint(name=POISON if number == 5 else "n", kind="gauge", time_ns=NOW, value=1) for number in range(8)]
    await take_request(ctx, "logs", logs_request(logs).SerializeToString())
    await take_request(ctx, "metrics", points_request(points).SerializeToString())
    assert await flusher.finish()

    found = {
        table.name: len(ctx.lake.query(f"select 1 from {table.name}", tables=(table,))) for table in (LOGS, METRICS)
    }
    assert found == {"logs": 7, "metrics": 7}
    assert sorted((one.kind, one.records) for one in (await set_aside(ctx)).items) == [("logs", 1), ("metrics", 1)]


async def test_a_record_that_came_by_itself_is_set_aside_by_itself(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def store(span: Span):
        if span.name == POISON:
            raise RecursionError("too deep")
        return stored(span)

    stored = native.store_span
    monkeypatch.setattr(native, "store_span", store)
    spans = [
        Span(trace_id=new_trace_id(), span_id=new_span_id(), name=name, start_ns=5, end_ns=6, project=ctx.project)
        for name in ("a", POISON, "b")
    ]
    async with ctx.db.transaction() as connection:
        await inbox.append(connection, map(inbox.span_item, spans), now_ns=ctx.clock.now_ns())
    assert await flusher.finish()
    assert names(ctx) == ["a", "b"]

    monkeypatch.setattr(native, "store_span", stored)
    (one,) = (await set_aside(ctx)).items
    assert (await aside.retry_aside(ctx, one.id)).records == 1
    assert await flusher.finish()
    assert names(ctx) == ["a", "b", POISON]


async def test_after_an_update_what_was_set_aside_gets_into_its_table_once(ctx: Context, flusher: Flusher) -> None:
    await send(ctx, a_span(), a_span(POISON), a_span(POISON))
    assert await flusher.finish()
    assert (await aside.retry_aside(ctx, None)).records == 2
    assert await flusher.finish()
    assert [one.records for one in (await set_aside(ctx)).items] == [2]

    await aside.retry_aside(ctx, None)
    assert await Flusher(ctx).finish()

    assert names(ctx) == ["call", POISON, POISON]
    assert (await set_aside(ctx)).items == ()
    with pytest.raises(AsideNotFoundError):
        await aside.retry_aside(ctx, 1)


async def test_a_lake_that_is_away_sets_nothing_aside(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(ctx, a_span(), a_span())
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise LakeAwayError("no space left on device")

        patch.setattr(type(ctx.lake), "append", full)
        for _ in range(5):
            with pytest.raises(LakeAwayError):
                await flusher.flush()
    await flusher.flush()

    assert len(names(ctx)) == 2
    assert (await set_aside(ctx)).items == ()


async def test_a_table_that_cannot_be_read_is_not_taken_for_bad_spans(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("Parquet magic bytes not found in footer")

    await send(ctx, a_span())
    with monkeypatch.context() as patch:
        patch.setattr(type(ctx.lake), "newest", broken)
        for _ in range(5):
            with pytest.raises(LakeAwayError):
                await flusher.flush()
    await flusher.flush()

    assert names(ctx) == ["call"]


async def test_what_fails_only_when_it_is_written_is_set_aside_after_some_rounds(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = type(ctx.lake).append

    def picky(lake, table, data, **options):
        if callable(data) and any(POISON in rows["name"].to_pylist() for rows in data()):
            raise IndexError("nobody knows why")
        return append(lake, table, data, **options)

    monkeypatch.setattr(type(ctx.lake), "append", picky)
    await send(ctx, a_span(POISON))
    await send(ctx, a_span("good"))
    plain = Flusher(ctx)
    for _ in range(4):
        try:
            await plain.flush()
        except IndexError:
            continue
    assert await plain.finish()

    assert names(ctx) == ["good"]
    assert [one.error for one in (await set_aside(ctx)).items] == ["IndexError"]


async def test_rows_that_are_in_the_table_are_not_written_again_when_what_is_beside_them_fails(
    ctx: Context, flusher: Flusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = {"gen_ai.evaluation.name": "fit", "gen_ai.evaluation.score.value": 1.0}
    place = {"trace_id": "ab" * 16, "span_id": "cd" * 8, "event_name": "gen_ai.evaluation.result"}
    logs = [ToldLog(time_ns=NOW, body="said"), ToldLog(time_ns=NOW, attributes=verdict, **place)]
    await take_request(ctx, "logs", logs_request(logs).SerializeToString())

    async def failing(_: object, scores: list[object], **__: object) -> None:
        if scores:
            raise OverflowError("a score that PostgreSQL cannot hold")

    with monkeypatch.context() as patch:
        patch.setattr(told_signals.requests, "keep_scores", failing)
        assert await flusher.finish()
    (one,) = (await set_aside(ctx)).items
    assert (one.stored, one.records) == (True, 1)
    assert (await aside.retry_aside(ctx, None)).records == 0
    assert await flusher.finish()

    assert len(ctx.lake.query("select 1 from logs", tables=(LOGS,))) == 2


async def test_the_flusher_goes_on_by_itself_and_its_error_holds_nothing_of_what_was_sent(
    ctx: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(*_: object) -> None:
        raise RuntimeError("what ada said")

    flusher = Flusher(ctx, understand)
    with monkeypatch.context() as patch:
        patch.setattr(told_spans.ToldSpanMover, "oldest", failing)
        running = asyncio.create_task(flusher.run())
        while not ctx.tally.words().get("flush_error"):
            await asyncio.sleep(0.01)
    await send(ctx, a_span(POISON), a_span())
    async with asyncio.timeout(30):
        while not names(ctx):
            await asyncio.sleep(0.05)
    running.cancel()

    assert ctx.tally.words()["flush_error"] == "RuntimeError, which nobody foresaw"
    assert "ada" not in caplog.text


@pytest.mark.parametrize(("what", "named"), [("user", "ada"), ("session", "s1"), ("trace", "ab" * 16)])
async def test_what_was_set_aside_is_erased_too_and_its_neighbours_stay(ctx: Context, what: str, named: str) -> None:
    def fails(_project: str, _told: Told, _logs: object) -> Span:
        raise ZeroDivisionError("of both alike, which are one row then")

    flusher = Flusher(ctx, fails)
    hers = a_span(POISON, trace_id="ab" * 16, attributes={"langfuse.user.id": "ada", "session.id": "s1"})
    await send(ctx, hers, a_span(POISON, attributes={"user.id": "adam", "session.id": "s11"}))
    assert await flusher.finish()
    assert [one.records for one in (await set_aside(ctx)).items] == [2]

    await erasing.erase(ctx, what, named)

    (left,) = (await set_aside(ctx)).items
    (span,) = (await aside.show_aside(ctx, left.id)).holds["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert span["attributes"][0]["value"]["stringValue"] == "adam"
    await erasing.erase(ctx, "user", "adam")
    assert (await set_aside(ctx)).items == ()


async def test_the_trace_of_a_set_aside_span_of_a_user_is_erased_as_a_whole(ctx: Context, flusher: Flusher) -> None:
    await send(ctx, a_span(POISON, trace_id="ab" * 16, attributes={"user.id": "ada"}), a_span(trace_id="ab" * 16))
    assert await flusher.finish()
    assert names(ctx) == ["call"]

    await erasing.erase(ctx, "user", "ada")

    assert names(ctx) == []


async def test_what_was_set_aside_goes_with_the_days_that_are_kept_no_longer(ctx: Context, flusher: Flusher) -> None:
    await send(ctx, a_span(POISON))
    assert await flusher.finish()
    await retention.set_retention(ctx, 3)
    assert (await retention.expire(ctx)).aside == 0
    async with ctx.db.connection() as connection:
        old = ctx.clock.now_ns() - 5 * 86_400 * 10**9
        await execute(connection, "update inbox_aside set received_ns = %s where project = %s", old, ctx.project)

    assert (await retention.expire(ctx)).aside == 1
    assert (await set_aside(ctx)).items == ()


async def test_a_project_sees_and_tries_its_own_alone(ctx: Context, flusher: Flusher) -> None:
    other = ctx.within((await tenants.create_project(ctx, "other")).id, ctx.actor)
    await send(other, a_span(POISON))
    assert await flusher.finish()
    (one,) = (await set_aside(other)).items

    assert (await set_aside(ctx)).items == ()
    with pytest.raises(AsideNotFoundError):
        await aside.show_aside(ctx, one.id)
    assert (await aside.retry_aside(ctx, None)).records == 0
    await erasing.erase(ctx, "user", POISON)
    assert len((await set_aside(other)).items) == 1


async def test_it_is_shown_and_tried_again_over_the_api(ctx: Context, flusher: Flusher, admin) -> None:
    await send(ctx, a_span(POISON))
    assert await flusher.finish()
    (one,) = (await admin.get("/api/traces/aside")).json()["items"]
    shown = (await admin.get(f"/api/traces/aside/{one['id']}")).json()

    assert shown["aside"]["error"] == "ZeroDivisionError"
    assert (await admin.get(f"/api/traces/aside/{2**70}")).status == 404
    assert (await admin.post("/api/traces/retries", {"id": one["id"]})).json() == {"records": 1}
    health = (await admin.get("/api/health")).json()
    assert health["figures"]["aside"] == 0


async def test_a_flusher_that_is_killed_while_it_looks_for_bad_spans_loses_and_doubles_none(
    ctx: Context, database_url: str
) -> None:
    chance = random.Random(41)
    sent = []
    for number in range(60):
        spans = [a_span(f"{number}-{inner}") for inner in range(10)]
        if number % 4 == 0:
            spans.insert(chance.randrange(10), a_span(POISON))
        sent += [span.name for span in spans if span.name != POISON]
        await send(ctx, *spans)
    script = Path(__file__).with_name("poisoned_flusher_process.py")
    for _ in range(8):
        command = [sys.executable, str(script), str(ctx.layout.root), database_url]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        await asyncio.sleep(chance.uniform(0.02, 0.6))
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert await Flusher(ctx, understand).finish(seconds=60)

    assert names(ctx) == sorted(sent)
    assert [one.records for one in (await set_aside(ctx)).items] == [1] * 15
    async with ctx.db.connection() as connection:
        assert await fetch_all(connection, "select * from flush_batches") == []
