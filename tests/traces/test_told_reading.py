"""What OTLP told is read as it was told: in trees and lists, whole texts, running spans, and as an export that equals the import."""

import asyncio
import json
import os

import msgspec
import pytest
from hypothesis import given, settings
from told_strategies import logs as some_log
from told_strategies import spans as some_span

from flyball.infra.context import Context
from flyball.traces import service
from flyball.traces.columns import Arrived, Origin, span_columns
from flyball.traces.errors import TraceNotFoundError
from flyball.traces.flusher import Flusher
from flyball.traces.normalising import normalise
from flyball.traces.otlp.decoding import told_logs, told_spans
from flyball.traces.otlp.encoding import logs_request, spans_request
from flyball.traces.otlp.json_reading import request_from_json
from flyball.traces.otlp.taking import take_request
from flyball.traces.records import TraceFilter
from flyball.traces.signal_tables import log_columns
from flyball.traces.told import Told, ToldEvent, ToldLink, ToldLog, ToldResource, ToldScope
from flyball.traces.told_rows import told_of_log, told_of_row

NOW = 1_763_750_000_000_000_000
QUESTION, ANSWER = "What is a governor? " * 40, "It measures and corrects. " * 40


def a_call(**fields: object) -> Told:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": ANSWER}]}]),
        "user.id": "ada",
        "odd": [1, 1.0, b"\x00", None, {"$x": float("inf")}],
    }
    basic = {
        "trace_id": os.urandom(16).hex(),
        "span_id": os.urandom(8).hex(),
        "name": "chat gpt-5",
        "start_ns": NOW,
        "end_ns": NOW + 5_000_000,
        "kind": 3,
        "attributes": attributes,
        "resource": ToldResource(attributes={"service.name": "shop"}, schema_url="https://x/1.41.0", dropped=2),
        "scope": ToldScope(name="an.instrumentor", version="1", attributes={"a": 1}, schema_url="https://y", dropped=1),
    }
    return Told(**(basic | fields))


def nothing_is_large(data: object) -> str:
    raise AssertionError(data)


async def send(ctx: Context, *spans: Told) -> None:
    assert (await take_request(ctx, "traces", spans_request(spans).SerializeToString())).accepted == len(spans)


@settings(max_examples=60, deadline=None)
@given(some_span.filter(lambda span: span.end_ns))  # one that runs is no row
def test_a_span_reads_back_from_its_columns_as_it_was_told(span: Told) -> None:
    (row,) = span_columns([Arrived(Origin("p", "k", 1), span, normalise(span))], nothing_is_large).to_pylist()

    assert repr(told_of_row(row, nothing_is_large)) == repr(span)


@settings(max_examples=60, deadline=None)
@given(some_log)
def test_a_log_record_reads_back_from_its_columns_as_it_was_told(log: ToldLog) -> None:
    (row,) = log_columns([(Origin("p", "k", 1), log)]).to_pylist()

    assert repr(told_of_log(row)) == repr(log)


async def test_an_export_is_what_was_imported(ctx: Context) -> None:
    root = a_call(
        trace_state="a=1,b=2",
        flags=0x301,
        status_code=2,
        status_message="cut",
        dropped_attributes=4,
        dropped_events=5,
        dropped_links=6,
        events=[ToldEvent(NOW + 1, "first", {"n": 1}, 7)],
        links=[ToldLink("ab" * 16, "cd" * 8, "s=1", {"k": True}, 8, 9)],
    )
    child = a_call(trace_id=root.trace_id, parent_id=root.span_id, start_ns=NOW + 1, name="x" * 3_000)
    log = ToldLog(
        time_ns=NOW, body={"a": [1]}, event_name="gen_ai.choice", trace_id=root.trace_id, span_id=root.span_id
    )
    await send(ctx, root, child)
    await take_request(ctx, "logs", logs_request([log]).SerializeToString())
    await Flusher(ctx).flush()

    exported = await service.export_trace(ctx, root.trace_id)

    back, unread = request_from_json("traces", json.dumps(exported.traces).encode())
    assert list(told_spans(back)) == [root, child]
    assert unread.rejected == 0
    assert list(told_logs(request_from_json("logs", json.dumps(exported.logs).encode())[0])) == [log]


async def test_a_large_attribute_comes_out_whole(ctx: Context) -> None:
    span = a_call(attributes={"small": 1, "prompt": "é" * 700_000, "last": "x"})
    await send(ctx, span)
    await Flusher(ctx).flush()

    exported = await service.export_trace(ctx, span.trace_id)

    assert list(told_spans(request_from_json("traces", json.dumps(exported.traces).encode())[0])) == [span]


async def test_a_trace_shows_what_a_span_meant_and_its_texts_whole(ctx: Context) -> None:
    span = a_call()
    await send(ctx, span)
    await Flusher(ctx).flush()
    tree = await service.get_trace(ctx, span.trace_id)
    (node,) = tree.nodes

    assert (node.span.kind, node.span.user_id, node.span.model_requested) == ("llm", "ada", "gpt-5")
    assert (tree.trace.tokens_in, tree.trace.tokens_out) == (12, 3)
    assert node.span.attributes["odd"][0:2] == [1, 1.0]
    assert QUESTION in await service.get_text(ctx, span.trace_id, span.span_id, "input")
    assert ANSWER in (await service.get_texts(ctx, node.span)).output
    (row,) = (await service.list_traces(ctx, TraceFilter(text="governor"))).items
    assert row.trace_id == span.trace_id


async def test_messages_that_came_as_log_records_are_the_spans_texts(ctx: Context) -> None:
    span = a_call(attributes={"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"})
    log = ToldLog(
        time_ns=NOW + 1,
        event_name="gen_ai.user.message",
        body={"content": QUESTION},
        trace_id=span.trace_id,
        span_id=span.span_id,
    )
    await take_request(ctx, "logs", logs_request([log]).SerializeToString())
    await send(ctx, span)
    await Flusher(ctx).flush()
    tree = await service.get_trace(ctx, span.trace_id)

    assert "governor" in tree.nodes[0].span.input_preview
    assert QUESTION in await service.get_text(ctx, span.trace_id, span.span_id, "input")


async def test_log_records_that_arrive_after_their_span_are_found_when_it_is_read(ctx: Context) -> None:
    span = a_call(attributes={"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"})
    log = ToldLog(
        time_ns=NOW + 1,
        event_name="gen_ai.user.message",
        body={"content": "late"},
        trace_id=span.trace_id,
        span_id=span.span_id,
    )
    flusher = Flusher(ctx)
    await send(ctx, span)
    await flusher.flush()
    await take_request(ctx, "logs", logs_request([log]).SerializeToString())
    await flusher.flush()

    assert "late" in await service.get_text(ctx, span.trace_id, span.span_id, "input")


async def test_a_running_span_stands_in_its_tree_and_in_the_list_until_it_ends(ctx: Context) -> None:
    span = a_call(end_ns=0, start_ns=ctx.clock.now_ns())
    child = a_call(trace_id=span.trace_id, parent_id=span.span_id)
    flusher = Flusher(ctx)
    await send(ctx, span, child)
    await flusher.flush()
    tree = await service.get_trace(ctx, span.trace_id)
    listed = (await service.list_traces(ctx)).items

    assert [(node.span.span_id, node.span.running, node.depth) for node in tree.nodes] == [
        (span.span_id, True, 0),
        (child.span_id, False, 1),
    ]
    assert [row.trace_id for row in listed] == [span.trace_id]
    assert ANSWER in await service.get_text(ctx, span.trace_id, span.span_id, "output")

    await send(ctx, msgspec.structs.replace(span, end_ns=span.start_ns + 1))
    await flusher.flush()
    assert [node.span.running for node in (await service.get_trace(ctx, span.trace_id)).nodes] == [False, False]


async def test_whoever_asks_right_after_sending_sees_what_was_sent(ctx: Context) -> None:
    span = a_call()
    running = asyncio.create_task(Flusher(ctx).run())
    await asyncio.sleep(0.2)  # it sleeps now, for most of a second
    await send(ctx, span)
    tree = await service.get_trace(ctx, span.trace_id)
    running.cancel()

    assert len(tree.nodes) == 1


async def test_a_reader_does_not_wait_for_ever_for_a_flusher_that_is_away(ctx: Context) -> None:
    span = a_call()
    await send(ctx, span)
    async with asyncio.timeout(4):
        with pytest.raises(TraceNotFoundError):
            await service.get_trace(ctx, span.trace_id)

    assert (await service.count_traces(ctx)).waiting == 1
