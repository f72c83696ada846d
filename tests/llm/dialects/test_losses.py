"""What one dialect says and another cannot: refused, or named, in the words of who said it. Never silent."""

import json

import pytest

from flyball.kit.errors import InvalidInputError
from flyball.llm.catalog import vendor
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import Choice, Completion, events_of
from flyball.llm.dialect import Frame
from flyball.llm.errors import CannotCarryError, InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import Citation, Media, Message, Reasoning, Request, Stop, Text, ToolCall, ToolResult
from flyball.llm.translation import DIALECTS, dialect
from flyball.llm.usage import Usage

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
USER = Message(role="user", parts=(Text(text="What is it?"),))
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def told(name, said, target, *, quirks=None):
    """A caller's body in the words of `target`, and what was named."""
    spoken, losses = dialect(name), Losses(target)
    path = {"model": "m", "stream": False} if name == "gemini" else {}
    request = spoken.parse_request(spoken.ask(json.dumps(said).encode(), **path))
    body = dialect(target).write_request(request, model="m", quirks=quirks or Quirks(), losses=losses)
    return json.loads(body), losses.dropped


def asked(target, request, *, quirks=None):
    """What is named of a request."""
    losses = Losses(target)
    dialect(target).write_request(request, model="m", quirks=quirks or Quirks(), losses=losses)
    return losses.dropped


def answered(target, choice, usage=None):
    """What is named of an answer, whole and as a stream, and the whole."""
    completion = Completion(id="x", model="m", choices=(choice,), usage=usage)
    whole, streamed = Losses(target), Losses(target)
    body = dialect(target).write_completion(completion, Frame(id="ID", created=0, model="m"), whole)
    writer = dialect(target).writer(Frame(id="ID", created=0, model="m"), streamed)
    for event in events_of(completion):
        writer.write(event)
    writer.end()
    assert set(streamed.dropped) == set(whole.dropped)
    return whole.dropped, json.loads(body)


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses", "anthropic_messages", "bedrock_converse"])
def test_a_schema_is_refused_by_name_where_the_vendor_answers_by_none(target):
    said = {
        "contents": "What is it?",
        "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
    }

    with pytest.raises(CannotCarryError) as refusal:
        told("gemini", said, target, quirks=Quirks(json_schema=False))

    assert refusal.value.param == "generationConfig.responseMimeType"


@pytest.mark.parametrize("name", ["deepseek", "ai21"])
def test_the_vendors_without_schemas_refuse_one_and_still_answer_with_json(name):
    quirks = vendor(name).quirks_for("any")
    said = {"model": "m", "input": "What is it?", "text": {"format": {"type": "json_object"}}}

    body, dropped = told("openai_responses", said, "openai_chat", quirks=quirks)
    said["text"] = {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}
    with pytest.raises(CannotCarryError) as refusal:
        told("openai_responses", said, "openai_chat", quirks=quirks)

    assert (body["response_format"], dropped) == ({"type": "json_object"}, ())
    assert refusal.value.param == "text.format"


@pytest.mark.parametrize("target", ["openai_chat", "anthropic_messages", "bedrock_converse", "gemini"])
def test_more_stop_sequences_than_a_vendor_takes_are_refused_everywhere(target):
    said = {"model": "m", "messages": [{"role": "user", "content": "Count."}], "stop": ["a", "b", "c"]}
    source = "openai_chat"
    if target == "openai_chat":
        source, said["max_tokens"] = "anthropic_messages", 9
        said["stop_sequences"] = said.pop("stop")

    with pytest.raises(CannotCarryError) as refusal:
        told(source, said, target, quirks=Quirks(most_stops=2))
    body, dropped = told(source, said, target, quirks=Quirks(most_stops=3))

    assert refusal.value.param == ("stop_sequences" if target == "openai_chat" else "stop")
    assert '["a","b","c"]' in json.dumps(body, separators=(",", ":"))
    assert dropped == ()


def test_blank_stop_sequences_are_left_out_for_claude_and_named_and_do_not_count():
    said = {"model": "m", "messages": [{"role": "user", "content": "Count."}], "stop": ["a", " ", "\n", "b"]}

    body, dropped = told("openai_chat", said, "anthropic_messages", quirks=Quirks(most_stops=2))

    assert body["stop_sequences"] == ["a", "b"]
    assert dropped == ("stop",)


def test_the_sixth_stop_sequence_is_refused_for_gemini():
    said = {"model": "m", "messages": [{"role": "user", "content": "Count."}], "stop": [*"abcdef"]}

    with pytest.raises(CannotCarryError) as refusal:
        told("openai_chat", said, "gemini")

    assert refusal.value.param == "stop"


@pytest.mark.parametrize(
    ("media", "unnamed_by"),
    [
        (Media(kind="document", media_type="text/plain", text="Facts.", name="Title"), ("openai_chat", "openai_responses", "gemini")),
        (Media(kind="image", media_type="image/png", data=PNG, name="Title"), [*DIALECTS]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("in_result", [False, True])
def test_the_name_of_a_document_of_words_and_of_an_image_is_said_or_named(media, unnamed_by, target, in_result):
    source = "anthropic_messages" if target == "gemini" else "gemini"
    call = Message(role="assistant", parts=(ToolCall(id="c1", name="look", arguments="{}"),))
    result = Message(role="tool", parts=(ToolResult(call_id="c1", name="look", parts=(media,)),))
    messages = (USER, call, result) if in_result else (Message(role="user", parts=(media, *USER.parts)),)

    dropped = asked(target, Request(dialect=source, model="m", messages=messages))

    word = dialect(source).names["name"]
    assert [name for name in dropped if name.endswith(f".{word}")] == [name for name in dropped if target in unnamed_by]
    assert len(dropped) == (target in unnamed_by)


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses"])
def test_a_file_by_its_id_loses_its_name_by_name_between_the_two_of_openai(target):
    source = "openai_responses" if target == "openai_chat" else "openai_chat"
    file = Media(kind="document", file_id="file_1", name="facts.pdf")

    dropped = asked(target, Request(dialect=source, model="m", messages=(Message(role="user", parts=(file,)),)))

    assert dropped == (f"messages[0].content[0].{dialect(source).names['name']}",)


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses"])
@pytest.mark.parametrize("show", ["", "auto"])
def test_thinking_as_it_sees_fit_is_named_where_only_a_word_could_ask_for_it(target, show):
    request = Request(
        dialect="anthropic_messages", model="m", messages=(USER,), reasoning=Reasoning(adaptive=True, show=show)
    )

    assert "thinking" in asked(target, request)


@pytest.mark.parametrize("target", [name for name in DIALECTS if name != "anthropic_messages"])
def test_of_an_effort_and_a_budget_one_is_said_and_the_other_named(target):
    request = Request(
        dialect="anthropic_messages", model="m", messages=(USER,), reasoning=Reasoning(effort="high", budget=2000)
    )

    assert asked(target, request) == (("thinking",) if target.startswith("openai") else ("output_config.effort",))


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses", "gemini"])
def test_thinking_that_is_turned_off_stays_off_whatever_the_effort(target):
    said = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "high"},
    }

    body, dropped = told("anthropic_messages", said, target, quirks=Quirks(thinking_by="level"))

    assert "high" not in json.dumps(body).lower()
    assert dropped == ("output_config.effort",)


# -- answers


@pytest.mark.parametrize(
    "citation",
    [
        Citation(url="https://a.org", title="A", quote="grass is green", start=0, end=5),
        Citation(kind="file", file_id="file_1", title="a.txt", start=0, end=5),
        Citation(url="https://a.org", title="A"),
        Citation(kind="document", title="Facts", quote="grass is green"),
    ],
)
def test_what_google_cannot_say_of_a_citation_is_named(citation):
    choice = Choice(parts=(Text(text="Grass is green.", citations=(citation,)),), stop=Stop(reason="stop"))

    dropped, body = answered("gemini", choice)

    assert dropped == ("citations",)
    assert body["candidates"][0]["groundingMetadata"]["groundingChunks"]


def test_a_citation_of_some_words_is_whole_for_google_and_one_of_a_whole_text_for_claude():
    some = Citation(url="https://a.org", title="A", start=0, end=5)
    whole = Citation(url="https://a.org", title="A", quote="green")

    def cited(target, citation):
        parts = (Text(text="Grass is green.", citations=(citation,)),)
        return answered(target, Choice(parts=parts, stop=Stop(reason="stop")))[0]

    assert (cited("gemini", some), cited("anthropic_messages", some)) == ((), ("citations",))
    assert (cited("gemini", whole), cited("anthropic_messages", whole)) == (("citations",), ())


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses", "gemini"])
def test_a_window_that_is_full_ends_like_a_limit_and_is_named(target):
    choice = Choice(parts=(Text(text="And then"),), stop=Stop(reason="context", native="model_context_window_exceeded"))

    dropped, body = answered(target, choice)

    assert dropped == ("stop_reason",)
    assert any(word in json.dumps(body) for word in ('"length"', '"MAX_TOKENS"', '"max_output_tokens"'))


@pytest.mark.parametrize("target", [name for name in DIALECTS if name != "bedrock_converse"])
def test_the_number_of_web_searches_is_told_or_named(target):
    choice = Choice(parts=(Text(text="Green."),), stop=Stop(reason="stop"))

    dropped, body = answered(target, choice, Usage(input_tokens=9, output_tokens=2, web_searches=3))

    assert dropped == (("usage.server_tool_use",) if target in ("openai_chat", "gemini") else ())
    if not dropped:
        assert "3" in json.dumps(body.get("tool_usage") or body["usage"]["server_tool_use"])


# -- what makes no sense


@pytest.mark.parametrize("wrong", [7, True, [], ["a"]])
@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"type": "function_call", "call_id": "c1", "name": "look"}, "arguments"),
        ({"type": "custom_tool_call", "call_id": "c1", "name": "look"}, "input"),
    ],
)
def test_arguments_that_are_no_text_are_a_mistake_of_the_callers(item, field, wrong):
    said = {"model": "m", "input": [{"role": "user", "content": "Look."}, {**item, field: wrong}]}

    with pytest.raises(InvalidBodyError) as mistake:
        told("openai_responses", said, "openai_chat")

    assert isinstance(mistake.value, InvalidInputError)
    assert mistake.value.param == f"input[1].{field}"


TOOLS = {
    "openai_chat": (
        lambda tool: {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": tool}]},
        "tools[0].function.name", "tools[0].function.parameters.type",
    ),
    "openai_responses": (
        lambda tool: {"input": "Hi", "tools": [{"type": "function", **tool}]}, "tools[0].name", "tools[0].parameters.type",
    ),
    "anthropic_messages": (
        lambda tool: {
            "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
            "tools": [{"name": tool["name"], "input_schema": tool["parameters"]}],
        },
        "tools[0].name", "tools[0].input_schema.type",
    ),
    "gemini": (
        lambda tool: {"contents": "Hi", "tools": [{"functionDeclarations": [tool]}]},
        "tools[0].functionDeclarations[0].name", "tools[0].functionDeclarations[0].parameters.type",
    ),
}  # fmt: skip
ACROSS = [(source, target) for source in TOOLS for target in DIALECTS if source != target]


def tooled(source, target, name="look", parameters=SCHEMA):
    """What is written of a tool."""
    said = {"model": "m", **TOOLS[source][0]({"name": name, "parameters": parameters})}
    return told(source, said, target)[0]


@pytest.mark.parametrize(("source", "target"), ACROSS)
@pytest.mark.parametrize("name", ["a b", "", "ä", "a/b", "a" * 129])
def test_a_name_that_a_vendor_refuses_is_refused_before_it_is_sent(source, target, name):
    with pytest.raises(InvalidInputError) as refusal:
        tooled(source, target, name)

    assert refusal.value.param == TOOLS[source][1]


@pytest.mark.parametrize(("source", "target"), ACROSS)
def test_names_that_a_vendor_takes_are_said(source, target):
    taken = ["get_weather-2", "a" * 64, *(["mcp.look:up"] if target == "gemini" else [])]
    taken += [] if target == "bedrock_converse" else ["a" * 128]

    assert all(name in json.dumps(tooled(source, target, name)) for name in taken)


@pytest.mark.parametrize(("source", "target"), ACROSS)
@pytest.mark.parametrize("type_", ["nonsense", 7, ["object", "nonsense"], {"a": 1}])
def test_a_schema_of_a_type_that_there_is_not_is_a_mistake_of_the_callers(source, target, type_):
    with pytest.raises(InvalidBodyError) as mistake:
        tooled(source, target, parameters={**SCHEMA, "type": type_})

    assert mistake.value.param == TOOLS[source][2]


@pytest.mark.parametrize(("source", "target"), ACROSS)
@pytest.mark.parametrize("type_", [{}, {"type": "object"}, {"type": ["object", "null"]}])
def test_a_schema_of_a_known_type_or_of_none_is_carried(source, target, type_):
    assert "look" in json.dumps(tooled(source, target, parameters={**type_, "properties": {}}))


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"functions": [{"name": "a b"}]}, "functions[0].name"),
        ({"tools": [{"type": "custom", "custom": {"name": "a b"}}]}, "tools[0].custom.name"),
    ],
)
def test_a_name_is_called_as_its_caller_calls_it_also_for_functions_of_old_and_custom_tools(tool, param):
    with pytest.raises(CannotCarryError) as refusal:
        told("openai_chat", {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **tool}, "openai_responses")

    assert refusal.value.param == param


@pytest.mark.parametrize("wrong", [7, True, [], ["a"]])
@pytest.mark.parametrize(("kind", "field"), [("function", "arguments"), ("custom", "input")])
def test_arguments_of_a_chat_callers_that_are_no_text_are_a_mistake(kind, field, wrong):
    call = {"id": "c1", "type": kind, kind: {"name": "look", field: wrong}}
    said = {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}

    with pytest.raises(InvalidBodyError) as mistake:
        told("openai_chat", said, "openai_responses")

    assert mistake.value.param == f"messages[0].tool_calls[0].{kind}.{field}"


@pytest.mark.parametrize("wrong", [[], {}, 7])
def test_a_tool_of_a_kind_that_is_no_word_is_a_mistake(wrong):
    said = {"model": "m", "messages": [], "tools": [{"type": wrong, "function": {"name": "look"}}]}
    said["messages"] = [{"role": "user", "content": "Hi"}]

    with pytest.raises(InvalidBodyError) as mistake:
        told("openai_chat", said, "openai_responses")

    assert mistake.value.param == "tools[0].type"
