"""The flusher: what the inbox acknowledged reaches the tables exactly once, whatever happens in between."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all
from flyball.infra.lake.errors import LakeAwayError
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.traces import inbox, service
from flyball.traces.batches import LOCK
from flyball.traces.flusher import Flusher
from flyball.traces.mending import REFUSED
from flyball.traces.own_blobs import read_blob
from flyball.traces.records import Score, Span
from flyball.traces.tables import PAYLOADS, SCORES, SPANS


def a_span(**fields: object) -> Span:
    basic = {"trace_id": new_trace_id(), "span_id": new_span_id(), "name": "call", "start_ns": 1_000, "end_ns": 2_000}
    return Span(**(basic | {"project": "default"} | fields))


async def keep(ctx: Context, *spans: Span) -> None:
    async with ctx.db.transaction() as connection:
        items = [inbox.span_item(span) for span in spans]
        await inbox.append(connection, items, now_ns=ctx.clock.now_ns())


def stored_keys(ctx: Context) -> list[str]:
    rows = ctx.lake.query("select trace_id || '/' || span_id as key from spans", tables=(SPANS,))
    return [row["key"] for row in rows]


async def waiting(ctx: Context) -> int:
    async with ctx.db.connection() as connection:
        return (await inbox.waiting(connection)).rows


async def test_spans_and_scores_move_into_their_tables_and_leave_the_inbox(ctx: Context) -> None:
    span = a_span(input="a question", output="an answer")
    await keep(ctx, span)
    await service.record_feedback(ctx, span.trace_id, 1, "good")
    await Flusher(ctx).flush()

    assert stored_keys(ctx) == [span.key]
    assert [row["explanation"] for row in ctx.lake.query("select * from scores", tables=(SCORES,))] == ["good"]
    assert await waiting(ctx) == 0


async def test_a_long_text_is_a_preview_in_the_row_and_whole_where_its_hash_leads(ctx: Context) -> None:
    span = a_span(input="é" * 300, output="y" * 100_000)
    await keep(ctx, span)
    before = [await service.get_text(ctx, span.trace_id, span.span_id, side) for side in ("input", "output")]
    await Flusher(ctx).flush()
    (row,) = ctx.lake.query("select * from spans", tables=(SPANS,))

    assert row["input_preview"] == "é" * 199 + "…"
    assert read_blob(ctx, row["output_ref"]) == b"y" * 100_000
    assert [row["hash"] for row in ctx.lake.query("select * from payloads", tables=(PAYLOADS,))] == [row["input_ref"]]
    assert [span.input, span.output] == before
    assert before == [await service.get_text(ctx, span.trace_id, span.span_id, side) for side in ("input", "output")]


async def test_a_failing_lake_leaves_the_inbox_intact_and_the_same_batch_is_written_later(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = [a_span() for _ in range(10)]
    await keep(ctx, *spans)

    def full(*_: object, **__: object) -> None:
        raise LakeAwayError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(ctx.lake), "append", full)
        for _ in range(3):
            with pytest.raises(LakeAwayError):
                await Flusher(ctx).flush()

        assert await waiting(ctx) == 10

    await Flusher(ctx).flush()

    assert sorted(stored_keys(ctx)) == sorted(span.key for span in spans)


async def test_a_batch_that_was_written_and_not_deleted_is_not_written_again(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = ctx.lake.append

    def write_and_die(*arguments: object, **options: object) -> None:
        append(*arguments, **options)
        raise LakeAwayError("died after writing")

    await keep(ctx, a_span(), a_span())
    with monkeypatch.context() as patch:
        patch.setattr(type(ctx.lake), "append", lambda _, *arguments, **options: write_and_die(*arguments, **options))
        with pytest.raises(LakeAwayError):
            await Flusher(ctx).flush()
    await keep(ctx, a_span())
    await Flusher(ctx).flush()

    assert len(stored_keys(ctx)) == len(set(stored_keys(ctx))) == 3


async def test_two_flushers_at_once_write_each_row_once(ctx: Context) -> None:
    spans = [a_span() for _ in range(200)]
    flushers = [Flusher(ctx), Flusher(ctx)]
    for start in range(0, 200, 10):
        await keep(ctx, *spans[start : start + 10])
        await asyncio.gather(*(flusher.flush() for flusher in flushers))
    assert await flushers[0].finish()

    assert sorted(stored_keys(ctx)) == sorted(span.key for span in spans)


async def test_a_row_that_commits_late_under_a_smaller_id_is_not_missed(ctx: Context) -> None:
    early, late = a_span(), a_span()
    async with ctx.db.transaction() as slow:
        await inbox.append(slow, [inbox.span_item(late)], now_ns=1)
        await keep(ctx, early)
        await Flusher(ctx).flush()
    await Flusher(ctx).flush()

    assert stored_keys(ctx) == [early.key, late.key] or stored_keys(ctx) == [late.key, early.key]


async def test_a_restored_database_that_counts_from_an_old_number_loses_nothing(ctx: Context) -> None:
    for _ in range(3):
        await keep(ctx, a_span())
        await Flusher(ctx).flush()
    async with ctx.db.connection() as connection:
        await execute(connection, "update flush_heads set number = 1")
    await keep(ctx, a_span())
    await Flusher(ctx).flush()

    assert len(stored_keys(ctx)) == 4


async def test_a_record_that_breaks_its_rules_is_kept_with_what_was_refused(ctx: Context) -> None:
    await keep(ctx, a_span(name="x" * 5_000, start_ns=-5, attributes={"mine": 1}))
    async with ctx.db.connection() as connection:
        await execute(connection, "update inbox set key = key, body = body")
    await Flusher(ctx).flush()
    (row,) = ctx.lake.query("select name, attributes from spans", tables=(SPANS,))

    assert row["name"] == "unreadable"
    assert REFUSED in row["attributes"]
    assert "x" * 5_000 in row["attributes"]
    assert '"mine":1' in row["attributes"]


async def test_numbers_beyond_64_bits_and_odd_characters_do_not_stop_the_flusher(ctx: Context) -> None:
    from flyball.llm.usage import Usage

    await keep(ctx, a_span(usage=Usage(input_tokens=10**30), output="\ud800 \x00 ok", name="\x00"))
    await Flusher(ctx).flush()

    (row,) = ctx.lake.query("select input_tokens, output_preview from spans", tables=(SPANS,))
    assert row == {"input_tokens": 2**63 - 1, "output_preview": "? \x00 ok"}


async def test_files_stay_few_because_the_flusher_joins_them(ctx: Context) -> None:
    flusher = Flusher(ctx)
    for number in range(12):
        await keep(ctx, a_span(start_ns=number, end_ns=number))
        await flusher.flush()
        await flusher.tidy(files=5)

    assert len(ctx.lake.files(SPANS)) <= 5
    assert len(stored_keys(ctx)) == 12


async def test_a_producer_that_repeats_itself_is_acknowledged_and_nothing_is_doubled(ctx: Context) -> None:
    span = a_span()

    assert await service.take_spans(ctx, [span, span]) == 1
    await Flusher(ctx).flush()

    assert await service.take_spans(ctx, [span]) == 0
    await Flusher(ctx).flush()
    assert stored_keys(ctx) == [span.key]


async def test_keys_are_forgotten_when_nobody_repeats_them_any_more(ctx: Context) -> None:
    async with ctx.db.transaction() as connection:
        await inbox.append(connection, [inbox.span_item(a_span())], now_ns=1)
    await keep(ctx, a_span())
    await Flusher(ctx).tidy()

    async with ctx.db.connection() as connection:
        assert len(await fetch_all(connection, "select * from inbox_keys")) == 1


async def test_at_a_graceful_stop_the_last_rows_are_flushed(ctx: Context) -> None:
    flusher = Flusher(ctx)
    task = asyncio.create_task(flusher.run())
    await asyncio.sleep(0.05)
    await keep(ctx, *[a_span() for _ in range(20)])
    while not task.done():  # Python before 3.12 forgets a cancellation that comes while a connection is handed over
        task.cancel()
        await asyncio.wait([task], timeout=1)

    assert task.cancelled()
    assert await flusher.finish()
    assert len(stored_keys(ctx)) == 20


async def test_a_stop_waits_for_the_lock_of_a_flusher_that_was_killed_in_the_middle_of_a_statement(
    ctx: Context,
) -> None:
    await keep(ctx, a_span())
    async with ctx.db.connection() as dying:
        await execute(dying, "select pg_advisory_lock(%s)", LOCK)
        finishing = asyncio.create_task(Flusher(ctx).finish())
        await asyncio.sleep(0.2)
        assert not finishing.done()
        await execute(dying, "select pg_advisory_unlock(%s)", LOCK)

    assert await finishing
    assert len(stored_keys(ctx)) == 1


async def test_a_stop_does_not_wait_for_a_lock_for_ever(ctx: Context) -> None:
    await keep(ctx, a_span())
    async with ctx.db.connection() as other:
        await execute(other, "select pg_advisory_lock(%s)", LOCK)

        assert not await Flusher(ctx).finish(seconds=0.2)

        await execute(other, "select pg_advisory_unlock(%s)", LOCK)
    assert await waiting(ctx) == 1


async def test_the_flusher_goes_on_after_the_lake_came_back(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise LakeAwayError("no space left on device")

    await keep(ctx, a_span())
    with monkeypatch.context() as patch:
        patch.setattr(type(ctx.lake), "append", full)
        task = asyncio.create_task(Flusher(ctx).run())
        await asyncio.sleep(0.3)
        assert not task.done()
    async with asyncio.timeout(20):
        while await waiting(ctx):
            await asyncio.sleep(0.05)
    task.cancel()

    assert len(stored_keys(ctx)) == 1


async def test_killing_flushers_at_random_moments_loses_and_doubles_nothing(ctx: Context, database_url: str) -> None:
    chance = random.Random(11)
    sent: list[str] = []

    async def produce() -> None:
        while True:
            spans = [a_span(input="x" * chance.choice((10, 500)), start_ns=ctx.clock.now_ns()) for _ in range(5)]
            await keep(ctx, *spans)
            sent.extend(span.key for span in spans)
            await asyncio.sleep(0.01)

    producer = asyncio.create_task(produce())
    for _ in range(8):
        process = await asyncio.to_thread(start_flusher, ctx.layout.root, database_url)
        await asyncio.sleep(chance.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
    producer.cancel()
    assert await Flusher(ctx).finish()

    found = stored_keys(ctx)
    assert len(sent) > 300
    assert set(sent) <= set(found)
    assert len(found) == len(set(found)) <= len(sent) + 5  # the last five may have been kept and not yet counted
    texts = ctx.lake.query("select count(*) as n, count(distinct span_id) as d from payloads", tables=(PAYLOADS,))
    assert texts[0]["n"] == texts[0]["d"]


def start_flusher(folder: Path, url: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).with_name("flusher_process.py")), str(folder), url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_score_reads_back_as_it_was_written() -> None:
    from flyball.traces.tables import read_score, store_score

    score = Score(score_id="s", target_kind="run", target_id="r", name="n", created_ns=1, value=0.5, propensity=0.1)

    assert read_score(store_score(score)) == score
