"""What a Responses caller may send wrongly, and what nobody else can say: refused, or named, each by its own place."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabulary import PNG

import golden
from flyball.kit.errors import FlyballError
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialects.openai_responses import DIALECT
from flyball.llm.errors import CannotCarryError, InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.translation import DIALECTS

NAME = "openai_responses"
OTHERS = tuple(name for name in DIALECTS if name != NAME)
USER = {"role": "user", "content": "Why?"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "a wall"}
IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object"}}


def translated(body: dict[str, Any] | bytes, to: str, *, caller: str = NAME) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What a provider of another dialect is asked, and what is named as lost."""
    losses = Losses(to)
    data = body if isinstance(body, bytes) else json.dumps({"model": "m", **body}).encode()
    spoken = golden.dialect(caller)
    request = spoken.parse_request(spoken.ask(data))
    written = golden.dialect(to).write_request(request, model="m", quirks=Quirks(), losses=losses)
    return json.loads(written), losses.dropped


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{**LOOK, "parameters": [1]}]}, "tools[0].parameters"),
        ({"tools": [LOOK, {**LOOK, "name": "go", "parameters": "x"}]}, "tools[1].parameters"),
        ({"tools": [{"name": "look"}]}, "tools[0].type"),
        ({"tools": [{"type": ["function"]}]}, "tools[0].type"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": [1]}}}, "text.format.schema"),
        ({"reasoning": {"effort": "zeal"}}, "reasoning.effort"),
        ({"tools": [LOOK], "tool_choice": {"type": "allowed_tools", "mode": "perhaps", "tools": [LOOK]}}, "tool_choice"),
        ({"tools": [LOOK], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}}, "tool_choice"),
        ({"input": [{}]}, "input[0]"),
        ({"input": [USER, {"type": "reasoning", "summary": [1]}]}, "input[1].summary[0]"),
        ({"input": [USER, CALL, {**RESULT, "output": [{"type": "refusal", "refusal": "no"}]}]}, "input[2].output[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text", "text": "x", "prompt_cache_breakpoint": "explicit"}]}]},
            "input[0].content[0].prompt_cache_breakpoint",
        ),
        (
            {"input": [USER, {"role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": [1]}]}]},
            "input[1].content[0].annotations[0]",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_where_it_stands(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBodyError) as mistake:
        DIALECT.parse_request(DIALECT.ask(json.dumps({"model": "m", "input": "x", **body}).encode()))

    assert mistake.value.param == param


@pytest.mark.parametrize("to", OTHERS)
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x", "store": True}, "store"),
        ({"input": [USER, {"type": "compaction", "encrypted_content": "gAAA"}]}, "input[1]"),
        ({"input": [USER, {"type": "additional_tools", "role": "developer", "tools": []}]}, "input[1]"),
        ({"input": [USER, {"type": "shell_call", "call_id": "c"}, {"type": "shell_call_output", "call_id": "c"}]}, "input[2]"),
        ({"input": [USER, {"type": "mcp_approval_response", "approve": True}]}, "input[1]"),
        ({"input": [USER, CALL, {**RESULT, "output": [IMAGE, {"type": "input_image", "file_id": "f"}]}]}, "input[2].output[1]"),
        ({"input": [USER, {"role": "user", "content": [IMAGE, {"type": "input_image", "file_id": "f"}]}]}, "input[1].content[1]"),
        ({"input": [USER, {"role": "user", "content": [{"type": "brand_new"}]}]}, "input[1].content[0]"),
    ],
)  # fmt: skip
def test_what_would_be_missed_is_refused_where_it_stands(body: dict[str, Any], param: str, to: str) -> None:
    with pytest.raises(CannotCarryError) as refusal:
        translated(body, to)

    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("body", "lost"),
    [
        ({"input": "x", "reasoning": {"context": "all_turns"}}, ("reasoning.context",)),
        ({"input": "x", "text": {"newer": 1, "format": {"type": "text", "newest": 2}}}, ("text.newer", "text.format")),
        ({"input": "x", "tools": [LOOK], "tool_choice": {"type": "function", "name": "look", "newer": 1}}, ("tool_choice.newer",)),
        ({"input": [USER, {"type": "web_search_call", "id": "ws_1"}, USER]}, ("input[1]",)),
        ({"input": [USER, {"role": "assistant", "phase": "commentary", "content": "x"}, USER]}, ("input[1].phase",)),
        ({"input": [USER, {"role": "assistant", "phase": "final_answer", "content": "x"}, USER]}, ()),
        ({"input": [USER, {**CALL, "namespace": "n", "caller": {"type": "direct"}}, RESULT]}, ("input[1].namespace",)),
        ({"input": [USER, {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}, CALL, RESULT]}, ("input[1]",)),
        (
            {"input": [USER, {"role": "assistant", "content": [{"type": "output_text", "text": "x", "logprobs": [{"token": "x"}]}]}, USER]},
            ("input[1].content[0].logprobs",),
        ),
    ],
)  # fmt: skip
def test_what_only_tunes_or_belongs_to_openai_is_named_where_it_stands(
    body: dict[str, Any], lost: tuple[str, ...]
) -> None:
    _, dropped = translated(body, "anthropic_messages")

    assert dropped == lost


def test_arguments_that_are_no_object_are_named_by_their_item() -> None:
    with pytest.raises(InvalidBodyError) as mistake:
        translated({"input": [USER, {**CALL, "arguments": "{bad"}, RESULT]}, "anthropic_messages")

    assert mistake.value.param == "input[1].arguments"


def test_a_thoughts_words_are_all_carried_to_who_takes_them() -> None:
    pieces = {
        "summary": [{"type": "summary_text", "text": "One."}],
        "content": [{"type": "reasoning_text", "text": "Raw."}],
    }
    body = {"input": [USER, {"type": "reasoning", "id": "rs_1", **pieces}, {"role": "assistant", "content": "x"}, USER]}

    asked, _ = translated(body, "openai_chat")
    own, _ = translated(body, NAME)

    assert asked["messages"][1]["reasoning_content"] == "One.\n\nRaw."
    assert own["input"][1] == {"type": "reasoning", "id": "rs_1", **pieces}


def test_a_schema_of_any_depth_is_no_failure() -> None:
    schema = b'{"items":' * 900 + b"1" + b"}" * 900
    body = b'{"model":"m","input":"x","tools":[{"type":"function","name":"look","parameters":%b}]}' % schema

    (tool,) = DIALECT.parse_request(DIALECT.ask(body)).tools

    assert getattr(tool, "strict", True) is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'"tools":[{"type":"function","name":"f","parameters":{"x":"\xff"}}]', "tools"),
        (b'"text":{"format":{"type":"json_schema","name":"x","schema":{"x":"\xff"}}}', "text"),
        (b'"user":"\xff"', "user"),
        (b'"prompt_cache_key":"\xff"', "prompt_cache_key"),
        (b'"newer":{"x":"\xff"}', "newer"),
    ],
)
def test_what_is_no_text_is_a_mistake(body: bytes, param: str) -> None:
    with pytest.raises(InvalidBodyError) as mistake:
        DIALECT.parse_request(DIALECT.ask(b'{"model":"m","input":"x",%b}' % body))

    assert mistake.value.param == param


@pytest.mark.parametrize("schema", [{}, {"description": "anything"}, {"anyOf": []}])
def test_a_schema_that_is_of_no_object_is_not_strict_unsaid(schema: dict[str, Any]) -> None:
    asked, _ = translated({"input": "x", "tools": [{**LOOK, "parameters": schema}]}, "anthropic_messages")

    assert "strict" not in asked["tools"][0]


# -- as it is asked by others


def test_a_field_of_openais_own_that_is_said_in_the_callers_words_too_is_named() -> None:
    body = {"messages": [USER], "max_tokens": 9, "max_output_tokens": 5, "input": "x", "newer": 1}

    asked, dropped = translated(body, NAME, caller="openai_chat")

    assert (asked["max_output_tokens"], asked["newer"]) == (9, 1)
    assert dropped == ("max_output_tokens", "input")


def test_a_call_of_a_tool_where_there_is_none_is_named() -> None:
    _, dropped = translated({"messages": [USER], "tool_choice": "required"}, NAME, caller="openai_chat")

    assert dropped == ("tool_choice",)


def test_an_id_that_is_too_long_is_another_and_the_same_in_the_result() -> None:
    call = {"id": "x" * 70, "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turns = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "x" * 70, "content": "r"},
    ]

    _, called, answered = translated({"messages": turns}, NAME, caller="openai_chat")[0]["input"]

    assert called["call_id"] == answered["call_id"]
    assert len(called["call_id"]) <= 64


def test_what_a_document_of_words_is_called_is_named() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "D"}
    document = {"type": "document", "title": "T", "context": "C", "citations": {"enabled": True}, "source": source}

    _, dropped = translated(
        {"max_tokens": 9, "messages": [{"role": "user", "content": [document]}]}, NAME, caller="anthropic_messages"
    )

    place = "messages[0].content[0]"
    assert dropped == (f"{place}.title", f"{place}.context", f"{place}.citations")


_WORDS = st.sampled_from(
    ["x", "", "type", "function", "message", "reasoning", "input_text", "user", "assistant", "auto"]
)
_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "name", "call_id", "arguments", "output", "summary", "tools", "mode"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)  # fmt: skip
_FIELDS = ("input", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "stop", "instructions", "store")


@given(st.dictionaries(st.sampled_from(_FIELDS), _ODD, max_size=4), st.sampled_from(tuple(DIALECTS)))
@settings(max_examples=300, deadline=None)
def test_nonsense_is_a_mistake_and_never_a_failure(body: dict[str, Any], to: str) -> None:
    with suppress(FlyballError):  # anything else is a failure
        translated({"input": "x", **body}, to)


@pytest.mark.parametrize(
    ("to", "field", "named"),
    [
        ("openai_chat", {"max_tokens": 70}, "max_tokens"),
        ("anthropic_messages", {"max_tokens": 70}, "max_tokens"),
        ("gemini", {"generationConfig": {"maxOutputTokens": 70}}, "generationConfig.maxOutputTokens"),
    ],
)
def test_a_field_of_another_dialect_does_not_win_over_the_callers_own_and_is_named(
    to: str, field: dict[str, Any], named: str
) -> None:
    body, dropped = translated({"input": "Why?", "max_output_tokens": 50, **field}, to)

    assert (dropped, "70" in json.dumps(body)) == ((named,), False)
