"""Requests in Anthropic's words: what is wrong in them is named, what they cannot say is told by its caller's own name."""

import json
from typing import Any

import pytest

from flyball.kit.errors import FlyballError
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.errors import CannotCarryError, InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import Message, Reasoning, Request, Text, ToolCall, ToolResult
from flyball.llm.translation import DIALECTS, dialect

ASKING = Request(dialect="openai_chat", model="m", messages=(Message(role="user", parts=(Text(text="Why?"),)),))
BROKEN = b"\xff"
USUAL = Quirks()


def asked(**fields: Any) -> Request:
    """A request that says these, parsed."""
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **fields}
    return parsed(json.dumps(body).encode())


def parsed(body: bytes) -> Request:
    spoken = dialect("anthropic_messages")
    return spoken.parse_request(spoken.ask(body))


def written(request: Request, to: str = "anthropic_messages", quirks: Quirks = USUAL) -> tuple[Any, tuple[str, ...]]:
    losses = Losses(to)
    return json.loads(dialect(to).write_request(request, model="m", quirks=quirks, losses=losses)), losses.dropped


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'"tools": [{"name": "f", "description": "%b", "input_schema": {}}]', "tools[0].description"),
        (b'"tools": [{"name": "f", "input_schema": {"d": "%b"}}]', "tools[0].input_schema"),
        (b'"tools": [{"name": "f", "input_schema": "%b"}]', "tools[0].input_schema"),
        (b'"tools": [{"type": "web_search_20250305", "name": "%b"}]', "tools[0].name"),
        (
            b'"output_config": {"format": {"type": "json_schema", "schema": {"d": "%b"}}}',
            "output_config.format.schema",
        ),
        (b'"output_config": {"effort": 5, "x": "%b"}', "output_config.effort"),
        (b'"messages": [{"role": "user", "content": "%b"}]', "messages"),
        (b'"system": "%b"', "system"),
    ],
)
def test_bytes_that_are_no_utf_8_are_refused_by_the_name_of_their_field(body: bytes, param: str) -> None:
    head = b'{"model": "m", "max_tokens": 9, '
    messages = b"" if b'"messages"' in body else b', "messages": [{"role": "user", "content": "x"}]'

    with pytest.raises(InvalidBodyError) as refused:
        parsed(head + body.replace(b"%b", BROKEN) + messages + b"}")

    assert refused.value.param == param


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 5000])
def test_a_number_that_nobody_can_hold_is_refused_by_name(number: str) -> None:
    body = '{"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "tools": [{"name": "f", "input_schema": {}, "description": %s}]}'

    with pytest.raises(InvalidBodyError) as refused:
        parsed((body % number).encode())

    assert refused.value.param == "tools[0].description"


def test_citations_that_are_no_objects_are_refused_by_their_place() -> None:
    turn = {"role": "assistant", "content": [{"type": "text", "text": "x", "citations": ["x"]}]}

    with pytest.raises(InvalidBodyError) as refused:
        asked(messages=[{"role": "user", "content": "x"}, turn])

    assert refused.value.param == "messages[1].content[0].citations[0]"


@pytest.mark.parametrize("to", DIALECTS)
@pytest.mark.parametrize("caller", ["openai_chat", "openai_responses", "anthropic_messages", "gemini"])
@pytest.mark.parametrize(
    "messages",
    [
        (),
        (Message(role="user"),),
        (Message(role="system", parts=(Text(text="Be brief."),)),),
        (Message(role="assistant"),),
        (Message(role="tool"),),
        (Message(role="user", parts=(Text(text=" "),)), Message(role="assistant", parts=(Text(text=""),))),
    ],
)
def test_a_conversation_that_says_nothing_breaks_no_writer(to: str, caller: str, messages: tuple[Message, ...]) -> None:
    request = Request(dialect=caller, model="m", messages=messages)
    param = "none, it was written"
    try:
        dialect(to).write_request(request, model="m", quirks=Quirks(prefill=False), losses=Losses(to))
    except FlyballError as refused:
        param = getattr(refused, "param", "")

    assert param


@pytest.mark.parametrize("to", ["anthropic_messages", "bedrock_converse", "gemini"])
@pytest.mark.parametrize(
    ("caller", "name"),
    [
        ("openai_chat", "messages"),
        ("openai_responses", "input"),
        ("anthropic_messages", "messages"),
        ("gemini", "contents"),
    ],
)
def test_an_empty_conversation_is_named_as_its_caller_calls_it(to: str, caller: str, name: str) -> None:
    with pytest.raises(InvalidBodyError) as refused:
        written(Request(dialect=caller, model="m"), to)

    assert refused.value.param == name


@pytest.mark.parametrize(
    ("to", "quirks", "place"),
    [
        ("anthropic_messages", Quirks(), ("max_tokens",)),
        ("bedrock_converse", Quirks(), ("inferenceConfig", "maxTokens")),
        ("gemini", Quirks(), ("generationConfig", "maxOutputTokens")),
    ],
)
def test_no_tokens_at_all_is_a_limit_and_not_the_usual_one(to: str, quirks: Quirks, place: tuple[str, ...]) -> None:
    body, _ = written(Request(dialect="openai_chat", model="m", messages=ASKING.messages, max_tokens=0), to, quirks)
    for name in place:
        body = body[name]

    assert body == 0


@pytest.mark.parametrize(
    ("to", "quirks"),
    [
        ("anthropic_messages", Quirks()),
        ("anthropic_messages", Quirks(thinking="adaptive")),
        ("bedrock_converse", Quirks()),
        ("gemini", Quirks(thinking_by="budget")),
    ],
)
def test_a_word_for_thinking_that_nobody_knows_is_refused_by_name(to: str, quirks: Quirks) -> None:
    request = Request(dialect="openai_chat", model="m", messages=ASKING.messages, reasoning=Reasoning(effort="zzz"))

    with pytest.raises(CannotCarryError) as refused:
        written(request, to, quirks)

    assert refused.value.param == "reasoning_effort"


@pytest.mark.parametrize("to", ["anthropic_messages", "bedrock_converse", "gemini"])
def test_arguments_of_a_later_call_are_named_where_their_caller_wrote_them(to: str) -> None:
    calls = (ToolCall(id="a", name="f", arguments="{}"), ToolCall(id="b", name="f", arguments="{bad"))
    turn = Message(role="assistant", parts=(Text(text="Hi."), *calls))
    places = ((), ("messages[1].content", "messages[1].tool_calls[0]", "messages[1].tool_calls[1]"))
    request = Request(dialect="openai_chat", model="m", messages=(*ASKING.messages, turn), places=places)

    with pytest.raises(InvalidBodyError) as refused:
        written(request, to)

    assert refused.value.param == "messages[1].tool_calls[1].function.arguments"


def test_what_is_in_a_result_is_named_inside_it() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}, image]}
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": [call]}]

    with pytest.raises(CannotCarryError) as refused:
        written(asked(messages=[*turns, {"role": "user", "content": [result]}]), "bedrock_converse")

    assert refused.value.param == "messages[2].content[0].content[1]"


@pytest.mark.parametrize("to", ["anthropic_messages", "bedrock_converse", "gemini"])
def test_what_are_no_words_among_the_instructions_is_named_by_its_place(to: str) -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}

    with pytest.raises(CannotCarryError) as refused:
        written(asked(system=[{"type": "text", "text": "x"}, image]), to)

    assert refused.value.param == "system[1]"


@pytest.mark.parametrize(
    ("source", "body", "param"),
    [
        ("anthropic_messages", b'{"model": "m", "messages": []}', "messages"),
        ("gemini", b'{"contents": []}', "contents"),
        ("gemini", b'{"contents": [{"parts": [{"text": "\xff"}]}]}', "contents"),
        (
            "gemini",
            b'{"contents": [{"parts": [{"executableCode": {"x": 1e999}}]}]}',
            "contents[0].parts[0].executableCode",
        ),
        (
            "gemini",
            b'{"contents": "x", "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"maximum": 1e999}}]}]}',
            "tools[0].functionDeclarations[0].parameters",
        ),
    ],
)
def test_a_parser_names_what_it_cannot_take(source: str, body: bytes, param: str) -> None:
    spoken = dialect(source)

    with pytest.raises(InvalidBodyError) as refused:
        spoken.parse_request(spoken.ask(body, model="m"))

    assert refused.value.param == param


def test_results_and_words_of_one_turn_keep_their_places() -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": [call]}]
    mixed = [{"type": "text", "text": "a"}, {"type": "tool_result", "tool_use_id": "t"}, {"type": "text", "text": "b"}]

    request = asked(messages=[*turns, {"role": "user", "content": mixed}])

    assert isinstance(request.messages[2].parts[0], ToolResult)
    assert [request.place_of(2, 0), request.place_of(3, 0), request.place_of(3, 1)] == [
        "messages[2].content[1]",
        "messages[2].content[0]",
        "messages[2].content[2]",
    ]


def test_a_schema_that_is_no_utf_8_is_refused_where_it_has_to_be_text() -> None:
    body = b'{"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"d": "\xff"}}}}'
    spoken = dialect("openai_chat")

    with pytest.raises(InvalidBodyError) as refused:
        written(spoken.parse_request(spoken.ask(body)), "bedrock_converse")

    assert refused.value.param == "response_format"


def test_what_only_anthropic_says_of_its_fields_comes_back_to_anthropic() -> None:
    fields: dict[str, Any] = {
        "thinking": {"type": "enabled", "budget_tokens": 2000, "pace": "slow"},
        "output_config": {
            "effort": "high",
            "task_budget": {"total": 9},
            "format": {"type": "json_schema", "schema": {"type": "object"}, "label": "x"},
        },
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto", "because": "y"},
    }

    body, dropped = written(asked(**fields))

    assert {name: body[name] for name in fields} == fields
    assert not dropped
