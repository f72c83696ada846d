"""What is asked in OpenAI's Chat Completions: what is refused and how it is named, and where every part stands."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.kit.errors import InvalidInputError
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialects.openai_chat import DIALECT
from flyball.llm.errors import InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import Cache, Citation, Message, Request, Text, Tool, ToolCall, ToolResult
from flyball.llm.translation import DIALECTS, dialect

ASKING = {"role": "user", "content": "Why?"}
MARK = {"type": "ephemeral"}
NAME = "openai_chat"


def parsed(*messages: Any, **fields: Any) -> Request:
    body = {"model": "m", "messages": [*messages] or [ASKING], **fields}
    return DIALECT.parse_request(DIALECT.ask(json.dumps(body).encode()))


def call(arguments: Any = "{}", id_: str = "call_1", **fields: Any) -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": "look", "arguments": arguments}, **fields}


def saying(part: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Why?"}, part]}]}


def function(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "look", **fields}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Why?"}, "messages"),
        ({"messages": ["Why?"]}, "messages[0]"),
        ({"messages": [ASKING, {"role": "user", "content": None}]}, "messages[1].content"),
        ({"messages": [ASKING, {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "system", "content": None}, ASKING]}, "messages[0].content"),
        (saying({"type": "text", "text": "x", "prompt_cache_breakpoint": "explicit"}), "messages[0].content[1].prompt_cache_breakpoint"),
        (saying({"type": "text", "text": "x", "prompt_cache_breakpoint": 5}), "messages[0].content[1].prompt_cache_breakpoint"),
        (
            saying({"type": "text", "text": "x", "cache_control": MARK, "prompt_cache_breakpoint": 5}),
            "messages[0].content[1].prompt_cache_breakpoint",
        ),
        (saying({"type": "text", "text": "x", "cache_control": "x"}), "messages[0].content[1].cache_control"),
        ({"messages": [{**ASKING, "prompt_cache_breakpoint": "x"}]}, "messages[0].prompt_cache_breakpoint"),
        ({"messages": [ASKING, {"role": "assistant", "content": "x", "thinking_blocks": [{"type": 5}]}]}, "messages[1].thinking_blocks"),
        ({"messages": [ASKING, {"role": "assistant", "content": "x", "reasoning_details": "x"}]}, "messages[1].reasoning_details"),
        ({"tools": "x"}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{"type": ["x"]}]}, "tools[0].type"),
        ({"tools": [function(), {"type": "function", "function": "x"}]}, "tools[1].function"),
        ({"tools": [function(parameters="x")]}, "tools[0].function.parameters"),
        ({"tools": [function(parameters=[1])]}, "tools[0].function.parameters"),
        ({"tools": [function(name=5)]}, "tools[0].function.name"),
        ({"tools": [function(), function()]}, "tools[1].function.name"),
        ({"tools": [{**function(), "prompt_cache_breakpoint": 1}]}, "tools[0].prompt_cache_breakpoint"),
        ({"functions": [{"name": "look", "parameters": "x"}]}, "functions[0].parameters"),
        ({"response_format": {"type": "json_schema", "json_schema": [1]}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": "x"}}}, "response_format.json_schema.schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": [1]}}}, "response_format.json_schema.schema"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"reasoning_effort": "ultra"}, "reasoning_effort"),
        ({"reasoning": {"effort": "ultra"}}, "reasoning.effort"),
        ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_as_the_caller_calls_it(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBodyError) as refused:
        parsed(**{"messages": [ASKING], **fields})

    assert refused.value.param == param


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_every_word_for_how_much_to_think_is_taken(effort: str) -> None:
    assert parsed(reasoning_effort=effort).reasoning.effort == effort  # type: ignore[union-attr] # it is there


def test_what_is_relayed_is_nobody_elses_business() -> None:
    body = {
        "model": "m",
        "messages": [],
        "max_tokens": 0,
        "reasoning_effort": "ultra",
        "tools": [function(parameters=[1])],
    }

    asked = DIALECT.ask(json.dumps(body).encode())

    assert json.loads(DIALECT.relayed(asked, model="m", quirks=Quirks(), losses=Losses("m"))) == body


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": None, "refusal": "No."},
        {"role": "user", "content": ""},
        {"role": "user", "content": []},
    ],
)
@pytest.mark.parametrize("mark", ["cache_control", "prompt_cache_breakpoint"])
def test_a_mark_on_nothing_that_can_be_marked_is_named(message: dict[str, Any], mark: str) -> None:
    request = parsed(ASKING, {**message, mark: {}})

    assert request.leftovers == (f"messages[1].{mark}",)
    assert all(getattr(part, "cache", None) is None for part in request.messages[1].parts)


def test_a_mark_on_a_refusal_is_named_and_the_refusal_kept() -> None:
    request = parsed(
        ASKING, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No.", "cache_control": MARK}]}
    )

    assert request.leftovers == ("messages[1].content[0].cache_control",)
    assert request.messages[1].text == ""


def test_a_mark_on_a_tools_message_is_one_on_its_result() -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [call()]}

    request = parsed(ASKING, called, {"role": "tool", "tool_call_id": "call_1", "content": "x", "cache_control": MARK})

    assert request.messages[2].parts == (ToolResult(call_id="call_1", parts=(Text(text="x"),), cache=Cache()),)


def test_every_part_says_where_it_stands() -> None:
    answered = {
        "role": "assistant",
        "reasoning_content": "Hm.",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        "refusal": "No.",
        "audio": {"id": "audio_1"},
        "tool_calls": [call(), call(id_="call_2")],
    }
    results = [{"role": "tool", "tool_call_id": f"call_{number}", "content": "x"} for number in (1, 2)]

    request = parsed({"role": "system", "content": "Be brief.", "cache_control": MARK}, ASKING, answered, *results)

    assert request.places == (
        ("messages[0]",),  # it has the mark
        ("messages[1].content",),
        (
            "messages[2].reasoning_content",
            "messages[2].content[0]",
            "messages[2].content[1]",
            "messages[2].refusal",
            "messages[2].audio",
            "messages[2].tool_calls[0]",
            "messages[2].tool_calls[1]",
        ),
        ("messages[3]", "messages[4]"),
    )


def test_every_tool_says_where_it_stands() -> None:
    request = parsed(tools=[{"type": "web_search"}, function()], functions=[{"name": "again"}])

    assert request.tool_paths == ("tools[0]", "tools[1]", "functions[0]")


@pytest.mark.parametrize("target", ["anthropic_messages", "gemini", "bedrock_converse"])
@pytest.mark.parametrize("arguments", ["{bad", "[1]", "null", '"x"'])
def test_broken_arguments_are_named_where_they_stand(target: str, arguments: str) -> None:
    calls = [call(), call(arguments, "call_2")]
    results = [{"role": "tool", "tool_call_id": one["id"], "content": "x"} for one in calls]

    with pytest.raises(InvalidBodyError) as refused:
        written(target, parsed(ASKING, {"role": "assistant", "content": "Wait.", "tool_calls": calls}, *results))

    assert refused.value.param == "messages[1].tool_calls[1].function.arguments"


def test_what_chat_cannot_say_is_named_as_another_caller_calls_it() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
    body = {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
        "messages": [
            ASKING,
            {"role": "assistant", "content": [thought, {"type": "tool_use", "id": "t1", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True}]},
        ],
    }
    anthropic, losses = dialect("anthropic_messages"), Losses("chat")

    asked = anthropic.parse_request(anthropic.ask(json.dumps(body).encode()))
    DIALECT.write_request(asked, model="m", quirks=Quirks(), losses=losses)

    assert losses.dropped == (
        "system[0].cache_control",
        "messages[1].content[0].thinking",
        "messages[2].content[0].is_error",
    )


def test_what_the_models_words_rest_on_is_named_when_they_are_sent_back() -> None:
    cited = Text(text="It rains.", citations=(Citation(url="https://a.org"),))
    turn = Message(role="assistant", parts=(cited,))
    losses = Losses("chat")

    request = Request(dialect="anthropic_messages", model="m", messages=(turn,))
    DIALECT.write_request(request, model="m", quirks=Quirks(), losses=losses)

    assert losses.dropped == ("messages[0].content[0].citations",)


def test_a_mark_on_a_call_is_said_where_it_can_be_and_named_where_not() -> None:
    request = Request(
        dialect="anthropic_messages",
        model="m",
        messages=(Message(role="assistant", parts=(ToolCall(id="call_1", name="look", cache=Cache(ttl="1h")),)),),
        tools=(Tool(name="look"),),
    )
    losses = Losses("chat")

    marked = DIALECT.write_request(request, model="m", quirks=Quirks(cache_points="cache_control"), losses=losses)
    assert json.loads(marked)["messages"][0]["tool_calls"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert losses.dropped == ()

    DIALECT.write_request(request, model="m", quirks=Quirks(), losses=losses)
    assert losses.dropped == ("messages[0].content[0].cache_control",)


def test_schemas_stay_the_bytes_that_they_are() -> None:
    schema = b'{"z": 1.50,  "a":\n[1e40]}'
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"look","parameters":%b}}]}'

    tool = DIALECT.parse_request(DIALECT.ask(body % schema)).tools[0]

    assert isinstance(tool, Tool)
    assert bytes(tool.parameters or b"") == schema


PIECES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["text", "refusal", "function", "x", "{", "call_1", "tool"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["type", "text", "refusal", "content", "cache_control", "prompt_cache_breakpoint", "ttl", "id", "name",
                         "function", "arguments", "image_url", "url", "file", "input_audio", "parameters", "tool_call_id"]),
        inner, max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip
FIELDS = [
    "content",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning",
    "reasoning_details",
    "thinking_blocks",
    "audio",
]


@given(
    st.sampled_from(["user", "assistant", "tool", "system"]),
    st.dictionaries(st.sampled_from([*FIELDS, "cache_control", "prompt_cache_breakpoint", "name"]), PIECES, max_size=4),
    st.dictionaries(
        st.sampled_from(["tools", "tool_choice", "response_format", "reasoning", "stop"]), PIECES, max_size=2
    ),
    st.sampled_from(sorted(DIALECTS)),
)
@settings(max_examples=400, deadline=None)
def test_nonsense_is_the_callers_mistake_and_never_ours(
    role: str, message: dict[str, Any], fields: dict[str, Any], target: str
) -> None:
    with contextlib.suppress(InvalidInputError):
        written(target, parsed(ASKING, {"role": role, **message}, **fields))


def written(target: str, request: Request) -> dict[str, Any]:
    body = dialect(target).write_request(request, model="m", quirks=Quirks(), losses=Losses(target))
    return msgspec.json.decode(body, type=dict[str, Any])
