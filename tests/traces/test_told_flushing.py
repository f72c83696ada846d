"""What OTLP told reaches the tables exactly once, whole, whatever was sent how often and whatever happens in between."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.infra.context import Context
from flyball.infra.db.database import fetch_all
from flyball.infra.lake.errors import LakeAwayError
from flyball.projects import tenants
from flyball.traces import large, open_spans
from flyball.traces.attributes import attributes_from_json
from flyball.traces.flusher import Flusher
from flyball.traces.lately_stored import LatelyStored, hashes_of
from flyball.traces.otlp.encoding import logs_request, points_request, spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.own_blobs import own_blobs
from flyball.traces.signal_tables import LOGS, METRICS
from flyball.traces.tables import SPANS
from flyball.traces.told import Told, ToldLog, ToldPoint, ToldResource, ToldScope


@pytest.fixture
async def other_project(ctx: Context) -> Context:
    project = await tenants.create_project(ctx, "other")
    return ctx.within(project.id, ctx.actor)


RESOURCE = ToldResource(attributes={"service.name": "shop", "host.cores": 8})
SCOPE = ToldScope(name="an.instrumentor", version="1.2")
NOW = 1_763_750_000_000_000_000


def a_span(**fields: object) -> Told:
    basic = {
        "trace_id": os.urandom(16).hex(),
        "span_id": os.urandom(8).hex(),
        "name": "call",
        "start_ns": NOW,
        "end_ns": NOW + 5,
    }
    return Told(**(basic | {"resource": RESOURCE, "scope": SCOPE} | fields))


async def send(ctx: Context, *spans: Told) -> None:
    taken = await take_request(ctx, "traces", spans_request(spans).SerializeToString())
    assert taken.accepted == len(spans), taken.message


def stored(ctx: Context, columns: str = "trace_id || '/' || span_id as key") -> list[dict[str, object]]:
    return ctx.lake.query(f"select {columns} from spans", tables=(SPANS,))


def keys(ctx: Context) -> list[object]:
    return sorted(row["key"] for row in stored(ctx))


def key_of(span: Told) -> str:
    return f"{span.trace_id}/{span.span_id}"


async def test_a_request_becomes_rows_with_whose_they_are_and_leaves_the_inbox(ctx: Context) -> None:
    span = a_span(attributes={"user.id": "u1", "n": 1, "x": 1.0})
    await send(ctx, span)
    await Flusher(ctx).flush()
    (row,) = stored(ctx, "*")

    assert (row["project"], row["key_id"], row["service"], row["day"]) == (
        "default",
        ctx.actor.id,
        "shop",
        "2025-11-21",
    )
    assert row["attributes"] == '{"user.id":"u1","n":1,"x":1.0}'
    async with ctx.db.connection() as connection:
        assert await fetch_all(connection, "select id from inbox_batches") == []


async def test_a_span_that_is_sent_again_in_another_request_is_stored_once(ctx: Context) -> None:
    flusher = Flusher(ctx)
    first, second, third = a_span(), a_span(), a_span()
    await send(ctx, first, second)
    await flusher.flush()
    await send(ctx, second, third, third)
    await flusher.flush()

    assert keys(ctx) == sorted(map(key_of, (first, second, third)))


async def test_a_flusher_that_has_just_begun_knows_what_the_table_has(ctx: Context) -> None:
    span = a_span()
    await send(ctx, span)
    await Flusher(ctx).flush()
    await send(ctx, span, a_span())
    await Flusher(ctx).flush()

    assert len(keys(ctx)) == 2


async def test_what_another_flusher_stored_meanwhile_is_known(ctx: Context) -> None:
    one, other = Flusher(ctx), Flusher(ctx)
    span = a_span()
    await send(ctx, a_span())
    await one.flush()
    await send(ctx, span)
    await other.flush()
    await send(ctx, span, a_span())
    await one.flush()

    assert len(keys(ctx)) == 3


async def test_the_same_ids_in_two_projects_are_two_spans(ctx: Context, other_project: Context) -> None:
    span = a_span()
    await send(ctx, span)
    await send(other_project, span)
    flusher = Flusher(ctx)
    await flusher.flush()
    await send(other_project, span, a_span())
    await flusher.flush()

    assert len(keys(ctx)) == 3


async def test_a_span_that_is_sent_again_with_another_start_is_stored_once(ctx: Context) -> None:
    span = a_span()
    await send(ctx, span)
    await Flusher(ctx).flush()
    later = {"start_ns": NOW + 86_400_000_000_000, "end_ns": NOW + 86_400_000_000_001}
    await send(ctx, a_span(trace_id=span.trace_id, span_id=span.span_id, **later))
    await Flusher(ctx).flush()

    assert keys(ctx) == [key_of(span)]


async def test_a_batch_that_was_written_and_not_deleted_is_not_written_again(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = ctx.lake.append

    def write_and_die(*arguments: object, **options: object) -> bool:
        append(*arguments, **options)
        raise LakeAwayError("died after writing")

    running = a_span(end_ns=0)
    await send(ctx, a_span(), a_span(), running)
    with monkeypatch.context() as patch:
        patch.setattr(type(ctx.lake), "append", lambda _, *arguments, **options: write_and_die(*arguments, **options))
        with pytest.raises(LakeAwayError):
            await Flusher(ctx).flush()
    await Flusher(ctx).flush()

    assert len(keys(ctx)) == len(set(keys(ctx))) == 2
    async with ctx.db.connection() as connection:
        assert len(await open_spans.of_traces(connection, ctx.project, [running.trace_id])) == 1


async def test_a_running_span_is_kept_apart_until_it_ends(ctx: Context) -> None:
    span = a_span(end_ns=0, attributes={"step": 1})
    flusher = Flusher(ctx)
    await send(ctx, span)
    await flusher.flush()
    async with ctx.db.connection() as connection:
        (row,) = await open_spans.newest(connection, ctx.project, most=10)
    assert open_spans.told_of(row) == span
    assert keys(ctx) == []

    await send(ctx, a_span(trace_id=span.trace_id, span_id=span.span_id, attributes={"step": 2}))
    await flusher.flush()

    assert [row["attributes"] for row in stored(ctx, "attributes")] == ['{"step":2}']
    async with ctx.db.connection() as connection:
        assert await open_spans.newest(connection, ctx.project, most=10) == []


async def test_a_beginning_that_arrives_after_the_end_does_not_open_the_span_again(ctx: Context) -> None:
    span = a_span()
    flusher = Flusher(ctx)
    await send(ctx, span)
    await flusher.flush()
    await send(ctx, a_span(trace_id=span.trace_id, span_id=span.span_id, end_ns=0))
    await flusher.flush()

    async with ctx.db.connection() as connection:
        assert await open_spans.newest(connection, ctx.project, most=10) == []


async def test_a_span_that_never_ends_is_stored_a_day_later_and_says_so(ctx: Context) -> None:
    span = a_span(end_ns=0, status_code=2, attributes={"a": 1})
    await send(ctx, span)
    await Flusher(ctx).flush()
    async with ctx.db.connection() as connection:
        assert await open_spans.give_up(connection, now_ns=ctx.clock.now_ns()) == 0
        assert await open_spans.give_up(connection, now_ns=ctx.clock.now_ns() + open_spans.ENDS_WITHIN_NS + 1) == 1
    await Flusher(ctx).flush()

    (row,) = stored(ctx, "attributes, status, status_code")
    assert row == {"attributes": '{"a":1,"flyball.unended":true}', "status": "unset", "status_code": 0}
    async with ctx.db.connection() as connection:
        assert await open_spans.newest(connection, ctx.project, most=10) == []


async def test_a_payload_of_twenty_megabytes_is_kept_whole_beside_the_row(ctx: Context) -> None:
    text = "".join(random.Random(3).choices('abcdefghij \n"é', k=20_000_000))
    await send(ctx, a_span(attributes={"small": "x", "input.value": text}))
    await Flusher(ctx).flush()
    (row,) = stored(ctx, "attributes, large")

    assert len(row["attributes"]) < 1_000
    whole = large.put_back(row, own_blobs(ctx).get)
    assert attributes_from_json(whole["attributes"]) == {"small": "x", "input.value": text}


async def test_ten_thousand_attributes_are_kept(ctx: Context) -> None:
    attributes = {f"a{number}": "x" * 50 for number in range(10_000)}
    await send(ctx, a_span(attributes=attributes))
    await Flusher(ctx).flush()
    (row,) = stored(ctx, "attributes, large")

    assert attributes_from_json(large.put_back(row, own_blobs(ctx).get)["attributes"]) == attributes


async def test_log_records_and_points_become_rows(ctx: Context) -> None:
    log = ToldLog(
        time_ns=NOW,
        severity=9,
        event_name="e",
        body={"k": [1, 1.0]},
        trace_id="ab" * 16,
        span_id="cd" * 8,
        resource=RESOURCE,
    )
    whole = ToldPoint(name="calls", kind="sum", time_ns=NOW, value=7, monotonic=True, resource=RESOURCE)
    part = ToldPoint(name="load", kind="gauge", time_ns=NOW, value=0.5, resource=RESOURCE)
    await take_request(ctx, "logs", logs_request([log]).SerializeToString())
    await take_request(ctx, "metrics", points_request([whole, part]).SerializeToString())
    await Flusher(ctx).flush()

    (row,) = ctx.lake.query("select * from logs", tables=(LOGS,))
    assert (row["body"], row["service"], row["event_name"], row["trace_id"]) == (
        '{"k":[1,1.0]}',
        "shop",
        "e",
        "ab" * 16,
    )
    rows = ctx.lake.query("select name, value, value_integer from metrics order by name", tables=(METRICS,))
    assert rows == [
        {"name": "calls", "value": 7.0, "value_integer": 7},
        {"name": "load", "value": 0.5, "value_integer": None},
    ]


async def test_spans_of_many_days_and_projects_lie_apart(ctx: Context, other_project: Context) -> None:
    day = 86_400 * 10**9
    await send(ctx, a_span(start_ns=NOW, end_ns=NOW), a_span(start_ns=NOW - day, end_ns=NOW))
    await send(other_project, a_span())
    await Flusher(ctx).flush()

    assert len(ctx.lake.files(SPANS)) == 3


def test_what_was_remembered_is_found_and_the_oldest_is_given_up() -> None:
    lately = LatelyStored(most=1_000)
    batches = [hashes_of(("p", "t", f"{batch}.{number}") for number in range(100)) for batch in range(40)]
    for batch in batches:
        lately.add(batch)

    assert all(lately.maybe(batch).all() for batch in batches[-10:])
    assert not lately.maybe(batches[0]).any()
    assert not lately.maybe(hashes_of([("p", "t", "never")])).any()
    assert len(lately) <= 1_600  # up to half more than was asked for


async def test_killing_flushers_at_random_moments_loses_and_doubles_nothing(ctx: Context, database_url: str) -> None:
    chance = random.Random(12)
    sent: list[str] = []

    async def produce() -> None:
        while True:
            spans = [
                a_span(start_ns=ctx.clock.now_ns(), end_ns=2**62, attributes={"x": "y" * chance.choice((5, 5_000))})
                for _ in range(20)
            ]
            await send(ctx, *spans)
            sent.extend(map(key_of, spans))
            if chance.random() < 0.2:
                await send(ctx, *chance.sample(spans, 3), a_span())  # an exporter that believes that it failed
            await asyncio.sleep(0.01)

    producer = asyncio.create_task(produce())
    for _ in range(8):
        process = await asyncio.to_thread(start_flusher, ctx.layout.root, database_url)
        await asyncio.sleep(chance.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
    producer.cancel()
    assert await Flusher(ctx).finish()

    found = keys(ctx)
    assert len(sent) > 1_000
    assert set(sent) <= set(found)
    assert len(found) == len(set(found))


def start_flusher(folder: Path, url: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).with_name("flusher_process.py")), str(folder), url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
