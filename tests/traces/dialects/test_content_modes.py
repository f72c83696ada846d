"""One call of a model, told in all the ways that OpenTelemetry has for its content: always the same record."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.traces.dialects.judgements import scores_of
from flyball.traces.normalising import UNREAD, normalise
from flyball.traces.references import referred, resolved
from flyball.traces.told import CLIENT, Told, ToldEvent, ToldLog, ToldScope

TRACE, SPAN = "a" * 32, "b" * 16
SYSTEM = [{"type": "text", "content": "Be brief."}]
INPUT = [
    {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "sunny"}]},
]
OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "Sunny."}], "finish_reason": "stop"}]
CONTENT = {
    "gen_ai.system_instructions": SYSTEM,
    "gen_ai.input.messages": INPUT,
    "gen_ai.output.messages": OUTPUT,
}
REST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 20,
    "gen_ai.usage.output_tokens": 2,
}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
BODIES = [
    ("gen_ai.system.message", {"content": "Be brief."}),
    ("gen_ai.user.message", {"content": "Weather in Paris?"}),
    ("gen_ai.assistant.message", {"tool_calls": [CALL]}),
    ("gen_ai.tool.message", {"id": "call_1", "content": "sunny"}),
    ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Sunny."}}),
]


def told(attributes, **fields):
    return Told(TRACE, SPAN, "chat gpt-4o", 1, 2, kind=CLIENT, attributes=attributes, scope=ToldScope("x"), **fields)


def log(name, **fields):
    return ToldLog(1, event_name=name, trace_id=TRACE, span_id=SPAN, **fields)


def as_text():
    return told(REST | {name: json.dumps(value) for name, value in CONTENT.items()}), []


def as_values():
    return told(REST | CONTENT), []


def as_an_operation_s_details():
    return told(REST), [
        log("gen_ai.client.inference.operation.details", attributes=CONTENT | {"gen_ai.request.model": "gpt-4o"})
    ]


def as_an_operation_s_details_on_the_span():
    details = ToldEvent(1, "gen_ai.client.inference.operation.details", CONTENT)
    return told(REST, events=[details]), []


def as_records_of_each_message():
    return told(REST), [log(name, body=body) for name, body in BODIES]


def as_records_that_name_their_event_among_attributes():
    return told(REST), [log("", body=body, attributes={"event.name": name}) for name, body in BODIES]


def as_events_of_the_span():
    return told(REST, events=[ToldEvent(1, name, body) for name, body in BODIES]), []


def as_numbered_attributes():
    numbered = {
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be brief.",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Weather in Paris?",
        "gen_ai.prompt.2.role": "assistant",
        "gen_ai.prompt.2.tool_calls.0.id": "call_1",
        "gen_ai.prompt.2.tool_calls.0.name": "weather",
        "gen_ai.prompt.2.tool_calls.0.arguments": '{"city": "Paris"}',
        "gen_ai.prompt.3.role": "tool",
        "gen_ai.prompt.3.tool_call_id": "call_1",
        "gen_ai.prompt.3.content": "sunny",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": "Sunny.",
        "gen_ai.completion.0.finish_reason": "stop",
    }
    return told(REST | numbered), []


def by_reference(suffix="_ref"):
    stored = {f"s3://prompts/{name}.json": json.dumps(value).encode() for name, value in CONTENT.items()}
    span = told(REST | {name + suffix: f"s3://prompts/{name}.json" for name in CONTENT})
    return resolved(span, {uri: stored[uri] for uri in referred(span.attributes).values()}), []


def by_the_documentation_s_reference():
    return by_reference(".ref")


def by_reference_line_by_line():
    lines = {f"s3://p/{name}": "\n".join(map(json.dumps, value)).encode() for name, value in CONTENT.items()}
    return resolved(told(REST | {name + "_ref": f"s3://p/{name}" for name in CONTENT}), lines), []


MODES = [
    as_values,
    as_an_operation_s_details,
    as_an_operation_s_details_on_the_span,
    as_records_of_each_message,
    as_records_that_name_their_event_among_attributes,
    as_events_of_the_span,
    as_numbered_attributes,
    by_reference,
    by_the_documentation_s_reference,
    by_reference_line_by_line,
]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.__name__)
def test_all_modes_become_the_same_record(mode):
    expected = msgspec.structs.replace(normalise(*as_text()), attributes={})
    span = normalise(*mode())

    assert msgspec.structs.replace(span, attributes={}) == expected
    assert json.loads(expected.input) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Paris?"},
        {
            "role": "assistant",
            "tool_calls": [CALL | {"function": {"name": "weather", "arguments": '{"city":"Paris"}'}}],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "call_1"},
    ]
    assert expected.output == "Sunny."


def test_what_was_not_fetched_is_not_there():
    span = told(REST | {"gen_ai.input.messages_ref": "s3://p/a", "gen_ai.output.messages_ref": "s3://p/b"})

    assert normalise(resolved(span, {"s3://p/b": b'[{"role":"assistant","parts":[]}]'})).input == ""
    assert referred(span.attributes) == {"gen_ai.input.messages": "s3://p/a", "gen_ai.output.messages": "s3://p/b"}


# -- whatever is sent, a record comes out that keeps its rules

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=10)
_keys = st.sampled_from(
    [
        "role",
        "content",
        "parts",
        "type",
        "text",
        "tool_calls",
        "id",
        "name",
        "arguments",
        "message",
        "messages",
        "lc",
        "kwargs",
        "data",
        "choices",
        "function",
        "source",
        "prompt",
        "system",
        "items",
    ]
)
_values = st.recursive(
    _scalars
    | st.sampled_from(["user", "assistant", "text", "tool_call", "tool_call_response", "image", "reasoning", "human"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_anything = _values | _values.map(lambda value: json.dumps(value, default=str))
_NAMES = sorted(
    {
        "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.operation.name", "gen_ai.prompt",
        "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.total_tokens", "gen_ai.usage.cost", "gen_ai.prompt.0.content",
        "gen_ai.prompt.0.tool_calls.0.name", "gen_ai.prompt.x.y", "gen_ai.response.finish_reasons", "gen_ai.response.time_to_first_chunk",
        "openinference.span.kind", "llm.input_messages.0.message.role", "llm.input_messages.0", "llm.token_count.prompt", "llm.cost.total",
        "langfuse.observation.usage_details", "langfuse.observation.cost_details", "langfuse.observation.completion_start_time",
        "langfuse.observation.level", "langfuse.trace.tags", "langfuse.observation.metadata", "langfuse.observation.input", "mlflow.spanType",
        "mlflow.spanInputs", "mlflow.chat.tokenUsage", "mlflow.llm.cost", "ai.operationId", "ai.prompt", "ai.response.toolCalls", "ai.response.text",
        "ai.response.providerMetadata", "ai.response.msToFirstChunk", "retrieval.documents.0.document.id", "session.id", "tags", "events",
        "gen_ai.usage.input_token_details", "error.type", "http.request.method", "db.system", "metadata",
    }
)  # fmt: skip
_spans = st.builds(
    Told,
    st.just(TRACE),
    st.just(SPAN),
    st.text(max_size=1_200),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    kind=st.integers(-1, 9),
    status_code=st.integers(-1, 4),
    flags=st.integers(0, 2**32 - 1),
    attributes=st.dictionaries(st.sampled_from(_NAMES), _anything, max_size=8),
    events=st.lists(
        st.builds(
            ToldEvent,
            st.integers(0, 2**64 - 1),
            st.sampled_from(["exception", "gen_ai.choice", "gen_ai.user.message", "First Token Stream Event"]),
            st.dictionaries(
                st.sampled_from(["content", "message", "role", "finish_reason", "exception.type"]), _values, max_size=3
            ),
        ),
        max_size=2,
    ),
    scope=st.builds(ToldScope, st.sampled_from(["", "ai", "pydantic-ai", "logfire", "litellm"])),
)
_logs = st.builds(
    ToldLog,
    st.just(1),
    event_name=st.sampled_from(
        ["gen_ai.choice", "gen_ai.user.message", "gen_ai.client.inference.operation.details", ""]
    ),
    body=_values,
    attributes=st.dictionaries(st.sampled_from([*_NAMES, "event.name"]), _anything, max_size=3),
)


@given(_spans, st.lists(_logs, max_size=2))
def test_whatever_is_told_a_record_comes_out_that_keeps_its_rules(span, logs):
    record = normalise(span, logs)

    read = msgspec.convert(msgspec.to_builtins(msgspec.structs.replace(record, attributes={})), type(record))
    assert (read.trace_id, read.span_id) == (TRACE, SPAN)
    assert record.dialect != UNREAD


HOSTILE = {
    "a name of five thousand steps": {"gen_ai.prompt." + "0." * 5_000 + "role": "user", "annotations." + "0." * 5_000 + "x": 1},
    "ten thousand numbered messages": {f"llm.input_messages.{n}.message.content": "x" for n in range(10_000)},
    "a number of a thousand digits": {"gen_ai.prompt." + "9" * 1_000 + ".content": "x"},
    "a conversation without end": {"gen_ai.input.messages": "[" * 5_000 + "]" * 5_000},
    "content nine hundred lists deep": {"gen_ai.input.messages": '[{"role":"user","content":' + "[" * 900 + "]" * 900 + "}]"},
    "digits that are none": {"gen_ai.prompt.\u00b2.content": "x", "gen_ai.prompt.\u0663.content": "x"},
    "a huge number": {"gen_ai.usage.input_tokens": 10**30, "gen_ai.usage.cost": 1e300, "gen_ai.response.time_to_first_chunk": 1e300},
    "half a character": {"gen_ai.input.messages": "\ud800", "session.id": "\ud800"},
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_meant_to_hurt_does_not(case, costs_at_most):
    span = told(REST | HOSTILE[case])

    with costs_at_most(10):
        record = normalise(span)
        scores = scores_of(span)

    assert record.dialect != UNREAD
    assert record.kind == "llm"
    assert scores == []
