"""Messages that come as log records after their span are its texts wherever it is read: in lists, in its tree, whole."""

import os
from typing import Any

import pytest

from flyball.infra.context import Context
from flyball.projects import tenants
from flyball.traces import late_content, service
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import logs_request, spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.records import SpanFilter
from flyball.traces.told import Told, ToldLog

NOW = 1_763_750_000_000_000_000
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
LONG = "What is a governor? " * 40


def a_call(**fields: Any) -> Told:
    basic = {"trace_id": os.urandom(16).hex(), "span_id": os.urandom(8).hex(), "name": "chat gpt-5", "kind": 3}
    return Told(**(basic | {"start_ns": NOW, "end_ns": NOW + 5_000_000, "attributes": CALL} | fields))


def asked(span: Told, text: str, **fields: Any) -> ToldLog:
    basic = {"time_ns": NOW + 1, "event_name": "gen_ai.user.message", "body": {"content": text}}
    return ToldLog(**(basic | {"trace_id": span.trace_id, "span_id": span.span_id} | fields))


def answered(span: Told, text: str) -> ToldLog:
    return asked(span, "", event_name="gen_ai.choice", body={"message": {"content": text}, "finish_reason": "stop"})


async def tell(ctx: Context, signal: Any, request: Any) -> None:
    await take_request(ctx, signal, request.SerializeToString())
    await Flusher(ctx).flush()  # each a process of its own, which remembers nothing


async def test_late_messages_stand_in_the_list_the_tree_and_the_list_of_spans(ctx: Context) -> None:
    root = a_call()
    child = a_call(trace_id=root.trace_id, parent_id=root.span_id, start_ns=NOW + 2)
    await tell(ctx, "traces", spans_request([root, child]))
    await tell(ctx, "logs", logs_request([asked(root, LONG), answered(root, "It corrects."), asked(child, "and?")]))

    (row,) = (await service.list_traces(ctx)).items
    tree = await service.get_trace(ctx, root.trace_id)
    spans = await service.list_spans(ctx, SpanFilter(trace_id=root.trace_id), most=5)

    assert "governor" in row.input_preview
    assert row.output_preview == "It corrects."
    assert row == tree.trace
    assert ["governor" in node.span.input_preview for node in tree.nodes] == [True, False]
    assert "and?" in tree.nodes[1].span.input_preview
    assert [span.input_preview for span in spans] == [node.span.input_preview for node in reversed(tree.nodes)]
    assert LONG in (await service.get_texts(ctx, tree.nodes[0].span)).input


async def test_late_messages_that_say_only_when_they_were_observed_are_found(ctx: Context) -> None:
    span = a_call()
    await tell(ctx, "traces", spans_request([span]))
    await tell(ctx, "logs", logs_request([asked(span, "late", time_ns=0, observed_ns=NOW + 1)]))

    (row,) = (await service.list_traces(ctx)).items

    assert "late" in row.input_preview
    assert "late" in await service.get_text(ctx, span.trace_id, span.span_id, "input")


async def test_an_event_that_is_named_by_an_attribute_is_one_as_well(ctx: Context) -> None:
    span = a_call()
    named = asked(span, "late", event_name="", attributes={"event.name": "gen_ai.user.message"})
    await tell(ctx, "traces", spans_request([span]))
    await tell(ctx, "logs", logs_request([named]))

    assert "late" in (await service.list_traces(ctx)).items[0].input_preview


async def test_what_the_span_said_itself_stays(ctx: Context) -> None:
    span = a_call(attributes=CALL | {"input.value": "its own"})
    await tell(ctx, "traces", spans_request([span]))
    await tell(ctx, "logs", logs_request([asked(span, "another"), answered(span, "an answer")]))

    (row,) = (await service.list_traces(ctx)).items

    assert (row.input_preview, row.output_preview) == ("its own", "an answer")


async def test_log_records_of_another_project_are_nobodys_texts(ctx: Context) -> None:
    span = a_call()
    other = ctx.within((await tenants.create_project(ctx, "other")).id, ctx.actor)
    await tell(ctx, "traces", spans_request([span]))
    await tell(other, "logs", logs_request([asked(span, "theirs")]))

    assert (await service.list_traces(ctx)).items[0].input_preview == ""
    assert (await service.get_trace(ctx, span.trace_id)).trace.input_preview == ""


async def test_log_records_that_are_no_messages_are_not_looked_at(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = a_call()
    await tell(ctx, "traces", spans_request([span]))
    await tell(ctx, "logs", logs_request([asked(span, "working", event_name="")]))
    monkeypatch.setattr(late_content, "told_of_log", None)  # what would read one

    assert (await service.list_traces(ctx)).items[0].input_preview == ""
