"""What every dialect has to do, whoever's it is. A new one enrols by its line in `llm.translation.DIALECTS`."""

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.kit.errors import InvalidInputError
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import (
    Assembly,
    Began,
    Broke,
    Choice,
    Closed,
    Completion,
    Counted,
    Grew,
    Opened,
    Stopped,
    Trouble,
    events_of,
)
from flyball.llm.dialect import Frame
from flyball.llm.errors import CannotCarryError
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Media,
    Message,
    Reasoning,
    Request,
    ResponseFormat,
    Signature,
    Stop,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from flyball.llm.sse import EventParser
from flyball.llm.translation import DIALECTS, dialect
from flyball.llm.usage import Usage

CALLED = list(DIALECTS)
SPOKEN = [name for name in DIALECTS if name != "bedrock_converse"]  # nobody calls flyball in Bedrock's
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"integer"}},"required":["z"]}')
USAGE = Usage(input_tokens=20, cache_read_tokens=80, output_tokens=9)
HOME = {
    "openai_chat": "",
    "openai_responses": "openai",
    "anthropic_messages": "anthropic",
    "gemini": "google",
    "bedrock_converse": "anthropic",
}


def request(name, **changes):
    """What every dialect can ask."""
    parts = {
        "messages": (
            Message(role="system", parts=(Text(text="Be brief."),)),
            Message(
                role="user", parts=(Text(text="What is it?"), Media(kind="image", media_type="image/png", data=PNG))
            ),
            Message(
                role="assistant",
                parts=(
                    ToolCall(id="call_1", name="look", arguments='{"z":"left","a":1}'),
                    ToolCall(id="call_2", name="look", arguments='{"z":"right"}'),
                ),
            ),
            Message(
                role="tool",
                parts=(
                    ToolResult(call_id="call_1", name="look", parts=(Text(text="a wall"),)),
                    ToolResult(call_id="call_2", name="look", parts=(Text(text="a door"),)),
                ),
            ),
            Message(role="user", parts=(Text(text="And now?"),)),
        ),
        "tools": (
            Tool(name="look", description="Looks.", parameters=SCHEMA),
            Tool(name="again", description="Looks again.", parameters=SCHEMA),
        ),
        "tool_choice": ToolChoice(mode="auto"),
        "max_tokens": 500,
        "temperature": 0.5,
    }
    return Request(dialect=name, model="m", **{**parts, **changes})


def answer(*parts, reason="stop"):
    return Completion(id="x1", model="m", choices=(Choice(parts=parts, stop=Stop(reason=reason)),), usage=USAGE)


def frame():
    return Frame(id="0af7651916cd43dd8448eb211c80319c", created=1_700_000_000, model="m")


def body_of(name, asked):
    return dialect(name).write_request(asked, model="m", quirks=Quirks(), losses=Losses(name))


def parsed(name, body, **path):
    on_path = {"model": "m", "stream": False} if name == "gemini" else {}
    spoken = dialect(name)
    return spoken.parse_request(spoken.ask(body, **{**on_path, **path}))


def told(name, events):
    """A stream as a caller gets it."""
    writer = dialect(name).writer(frame(), Losses(name))
    return b"".join(writer.write(event) for event in events) + writer.end()


def heard(name, data, pieces=None):
    """What a stream says."""
    parser, reader, said = EventParser(), dialect(name).reader(), []
    for piece in pieces or [data]:
        for event in parser.feed(piece):
            if event.data:
                said += reader.read(event)
    for event in parser.finish():
        if event.data:
            said += reader.read(event)
    return said + reader.finish(), reader


def assembled(said):
    assembly = Assembly()
    for event in said:
        assembly.add(event)
    return assembly.whole()


def essence(completion):
    """What has to survive: the parts' words, the calls, why it ended, what it used."""
    return [
        [
            (part.text,) if isinstance(part, Text | Thinking) else (part.name, part.arguments)
            for part in choice.parts
            if not (isinstance(part, Text) and not part.text)
        ]
        + [choice.stop.reason]
        for choice in completion.choices
    ], completion.usage


TEXT = answer(Text(text="It is a door. Schließ sie."))
CALLS = answer(
    Text(text="I look."),
    ToolCall(id="call_a", name="look", arguments='{"z":"up"}'),
    ToolCall(id="call_b", name="again", arguments="{}"),
    reason="tool_calls",
)


# -- requests


@pytest.mark.parametrize("name", SPOKEN)
def test_a_request_that_is_written_is_read_back_the_same(name):
    asked = request(name)

    again = parsed(name, body_of(name, asked))

    assert body_of(name, again) == body_of(name, asked)
    assert [message.role for message in again.messages] == ["system", "user", "assistant", "tool", "user"]
    calls = [part for part in again.messages[2].parts if isinstance(part, ToolCall)]
    assert [(call.name, msgspec.json.decode(call.arguments)) for call in calls] == [
        ("look", {"z": "left", "a": 1}),
        ("look", {"z": "right"}),
    ]
    results = again.messages[3].parts
    assert [result.parts[0].text for result in results] == ["a wall", "a door"]
    assert [result.call_id for result in results] == [call.id for call in calls]
    assert (again.max_tokens, again.temperature) == (500, 0.5)
    image = again.messages[1].parts[1]
    assert (image.kind, image.media_type, image.data) == ("image", "image/png", PNG)


@pytest.mark.parametrize("name", CALLED)
def test_the_same_request_is_the_same_bytes_and_tools_keep_their_order_and_schemas_theirs(name):
    body = body_of(name, request(name if name in SPOKEN else "openai_chat"))

    assert body == body_of(name, request(name if name in SPOKEN else "openai_chat"))
    assert body.index(b'"look"') < body.index(b'"again"')
    assert bytes(SCHEMA) in body


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("source", SPOKEN)
def test_every_caller_can_ask_every_provider(source, name):
    losses = Losses(name)

    body = dialect(name).write_request(request(source), model="theirs", quirks=Quirks(), losses=losses)

    assert losses.dropped == ()
    for words in (b"Be brief.", b"What is it?", PNG.encode(), b"a wall", b"a door", b"And now?", b"Looks again."):
        assert words in body


# What is taken for what it is not, by the places in a body: one for a list of it, words for parts, objects for their text.
ACCEPTED = {
    "openai_chat": {
        "messages.*.content": {"str", "list"}, "messages.*.content.*.image_url": {"str"}, "stop": {"str"},
        "messages.*.tool_calls.*.function.arguments": {"dict"},
    },
    "openai_responses": {
        "input": {"str"}, "input.*.content": {"str", "list"}, "input.*.arguments": {"dict"}, "input.*.output": {"list"},
        "stop": {"str"},
    },
    "anthropic_messages": {"messages.*.content": {"str"}, "messages.*.content.*.content": {"list"}, "system": {"list"}},
    "gemini": {
        "contents": {"str", "dict"}, "contents.*.parts": {"str", "dict"}, "contents.*.parts.*": {"str"},
        "systemInstruction": {"str", "list"}, "systemInstruction.parts": {"str", "dict"}, "tools": {"dict"},
        "systemInstruction.parts.*": {"str"}, "tools.*.functionDeclarations": {"dict"},
    },
}  # fmt: skip
FREE = {"parameters", "input_schema", "parametersJsonSchema", "args", "response"}  # may hold anything


@pytest.mark.parametrize("name", SPOKEN)
def test_a_wrong_type_anywhere_names_the_field_and_never_breaks_anything_else(name):
    good = msgspec.json.decode(body_of(name, request(name, stop=("END",), top_p=0.9)))
    unnamed, accepted = [], {}

    for path in _paths(good):
        for wrong in (7, "seven", True, [], {}, [7], {"seven": 7}, None, [None], 1e400):
            bad = _with(good, path, wrong)
            try:
                asked = parsed(name, msgspec.json.encode(bad))
                place = ".".join("*" if isinstance(key, int) else key for key in path)
                if wrong is not None and _kind(wrong) != _kind(_at(good, path)) and not _is_free(path):
                    accepted.setdefault(place, set()).add(_kind(wrong))
                for target in CALLED:
                    dialect(target).write_request(asked, model="m", quirks=Quirks(), losses=Losses(target))
            except InvalidInputError as error:
                unnamed += [] if error.param else [f"{path} = {wrong!r}: {error}"]

    assert not unnamed
    assert accepted == ACCEPTED[name]


@pytest.mark.parametrize("name", SPOKEN)
@given(body=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["messages", "input", "contents", "role", "content", "parts", "text", "type", "tools", "name", "system",
             "tool_calls", "function", "arguments", "thinking", "source", "data", "user", "model", "tool_use", "id"]
        ), inner, max_size=4,
    ),
    max_leaves=12,
))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_no_body_breaks_a_parser(name, body):
    spoken = dialect(name)
    try:
        whole = {**(body if isinstance(body, dict) else {}), "model": "m", spoken.input_field: body}
        asked = spoken.ask(msgspec.json.encode(whole), model="m" if name == "gemini" else "", stream=None)
        spoken.last_user_text(asked)
        spoken.end_user(asked)
        spoken.parse_request(asked)
    except InvalidInputError:
        pass


@pytest.mark.parametrize("name", SPOKEN)
def test_ours_alone_is_taken_out_of_what_is_relayed_and_what_nobody_knows_stays(name):
    fields = msgspec.json.decode(body_of(name, request(name)))
    fields |= {"flyball": {"strict": True}, "brand_new": {"b": 1.50, "a": [1e3]}}
    body = msgspec.json.encode(fields).replace(b'"brand_new":{"b":1.5,', b'"brand_new": { "b" : 1.50,')
    spoken = dialect(name)

    relayed = spoken.relayed(
        spoken.ask(body, model="m" if name == "gemini" else ""), model="theirs", quirks=Quirks(), losses=Losses(name)
    )

    assert b"flyball" not in relayed
    assert b'{ "b" : 1.50,' in relayed
    assert (b'"theirs"' in relayed) == (name != "gemini")


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("source", SPOKEN)
def test_a_top_level_field_that_the_callers_dialect_does_not_define_passes_through(source, name):
    fields = msgspec.json.decode(body_of(source, request(source))) | {"brand_new": {"deep": [1, 2]}}
    losses = Losses(name)

    asked = parsed(source, msgspec.json.encode(fields))
    body = dialect(name).write_request(asked, model="m", quirks=Quirks(), losses=losses)

    assert b'"brand_new":{"deep":[1,2]}' in body.replace(b" ", b"")


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("changes", [{"candidates": 2}, {"logprobs": True}, {"modalities": ("audio",)}])
def test_what_the_caller_would_miss_is_refused_by_name_where_it_cannot_be_said(name, changes):
    (field,) = changes
    body = refused = None
    try:
        body = body_of(name, request("openai_chat", **changes))
    except CannotCarryError as error:
        refused = error.param

    said = any(word in (body or b"") for word in (b'"n":2', b'"candidateCount":2', b"ogprobs", b"audio", b"AUDIO"))
    assert said != (refused == dialect("openai_chat").names.get(field, field))


@pytest.mark.parametrize("name", CALLED)
def test_a_strict_call_is_refused_instead_of_losing_anything(name):
    asked = request("openai_chat", seed=7, top_k=3, verbosity="low", frequency_penalty=0.5)
    if name == "openai_chat":
        dialect(name).write_request(asked, model="m", quirks=Quirks(), losses=Losses(name, strict=True))
        return

    with pytest.raises(CannotCarryError) as refusal:
        dialect(name).write_request(asked, model="m", quirks=Quirks(), losses=Losses(name, strict=True))

    assert refusal.value.param in ("seed", "top_k", "verbosity", "frequency_penalty")


@pytest.mark.parametrize("name", CALLED)
def test_an_answer_by_a_schema_is_asked_for_with_the_schemas_bytes(name):
    wanted = ResponseFormat(kind="schema", schema=SCHEMA, name="place")

    body = body_of(name, request("openai_chat", response_format=wanted))

    assert bytes(SCHEMA) in body or msgspec.json.encode(bytes(SCHEMA).decode()) in body


@pytest.mark.parametrize("name", CALLED)
def test_thinking_is_asked_for_in_every_dialect(name):
    asked = request("openai_chat", reasoning=Reasoning(effort="high"), max_tokens=30_000, temperature=None)

    body = body_of(name, msgspec.structs.replace(asked, messages=asked.messages[:2]))

    assert any(word in body for word in (b"effort", b"thinking", b"Thinking"))


@pytest.mark.parametrize("name", CALLED)
def test_a_thought_goes_home_byte_for_byte_and_anybody_elses_is_left_out_by_name(name):
    thoughts = {
        origin: Thinking(text="Hmm.", signature=Signature(data=f"c2ln{origin}", origin=origin, id="rs_1"))
        for origin in ("anthropic", "google", "openai")
    }
    for origin, thought in thoughts.items():
        turn = Message(role="assistant", parts=(thought, Text(text="It is a door.")))
        losses = Losses(name)
        messages = (
            request("x").messages[0],
            request("x").messages[1],
            turn,
            Message(role="user", parts=(Text(text="Why?"),)),
        )

        body = dialect(name).write_request(
            request("openai_chat", messages=messages), model="m", quirks=Quirks(), losses=losses
        )

        if name == "openai_chat":
            continue  # whoever is behind it may be anybody: its own tests say what it does
        at_home = HOME[name] == origin
        assert (thought.signature.data.encode() in body) == at_home
        assert any(lost.startswith("messages[2]") for lost in losses.dropped) == (not at_home)


# -- answers


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("given", [TEXT, CALLS], ids=["text", "calls"])
def test_an_answer_that_is_written_is_read_back_the_same(name, given):
    body = dialect(name).write_completion(given, frame(), Losses(name))

    found = dialect(name).parse_completion(body)

    assert essence(found) == essence(given)
    assert found.model == "m"


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("given", [TEXT, CALLS], ids=["text", "calls"])
def test_a_stream_says_what_the_whole_answer_says_and_ends_as_its_dialect_ends(name, given):
    data = told(name, events_of(given))

    said, reader = heard(name, data)

    assert reader.done
    assert essence(assembled(said)) == essence(given)
    assert [type(event) for event in said].count(Stopped) == 1
    opened = [event.at for event in said if isinstance(event, Opened)]
    assert opened == sorted(set(opened))
    assert sorted(event.at for event in said if isinstance(event, Closed)) == opened


@pytest.mark.parametrize("name", SPOKEN)
def test_parallel_calls_whose_pieces_alternate_stay_apart(name):
    one, two = ToolCall(id="call_a", name="look"), ToolCall(id="call_b", name="again")
    events = [
        Began("x1", "m"), Opened(0, one), Grew(0, '{"z"'), Opened(1, two), Grew(1, '{"z":'), Grew(0, ':"up"'),
        Grew(1, '"down"'), Grew(0, "}"), Grew(1, "}"), Closed(0), Closed(1), Stopped(Stop(reason="tool_calls")),
        Counted(USAGE, {}),
    ]  # fmt: skip

    said, _ = heard(name, told(name, events))

    calls = [part for part in assembled(said).choices[0].parts if isinstance(part, ToolCall)]
    assert [(call.name, call.arguments) for call in calls] == [("look", '{"z":"up"}'), ("again", '{"z":"down"}')]


@pytest.mark.parametrize("name", SPOKEN)
def test_a_call_without_arguments_is_an_empty_object_to_everybody(name):
    silent = answer(ToolCall(id="call_a", name="look", arguments=""), reason="tool_calls")

    whole = dialect(name).parse_completion(dialect(name).write_completion(silent, frame(), Losses(name)))
    said, _ = heard(name, told(name, events_of(silent)))

    for found in (whole, assembled(said)):
        (call,) = (part for part in found.choices[0].parts if isinstance(part, ToolCall))
        assert call.arguments == "{}"


@pytest.mark.parametrize("name", SPOKEN)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_a_stream_may_be_cut_anywhere_a_code_point_included(name, cuts):
    data = told(name, events_of(TEXT))
    pieces, at = [], 0
    while at < len(data):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(data[at : at + size])
        at += size

    said, reader = heard(name, data, pieces)

    assert reader.done
    assert essence(assembled(said)) == essence(TEXT)


@pytest.mark.parametrize("name", SPOKEN)
def test_a_stream_that_ends_before_its_end_is_not_done(name):
    events = list(events_of(TEXT))
    writer = dialect(name).writer(frame(), Losses(name))
    data = b"".join(writer.write(event) for event in events if not isinstance(event, Stopped | Counted))

    _, reader = heard(name, data)

    assert not reader.done


@pytest.mark.parametrize("name", SPOKEN)
def test_a_failure_in_the_middle_is_heard_as_one(name):
    writer = dialect(name).writer(frame(), Losses(name))
    begun = b"".join(writer.write(event) for event in [Began("x1", "m"), Opened(0, Text(text="")), Grew(0, "It is")])

    said, reader = heard(name, begun + writer.broke(502, "the upstream broke off", code="upstream_cut"))

    (broke,) = (event for event in said if isinstance(event, Broke))
    assert "the upstream broke off" in broke.trouble.message
    assert not reader.done


@pytest.mark.parametrize("name", SPOKEN)
def test_a_relayed_stream_that_breaks_ends_with_an_error_that_is_heard(name):
    watch, parser = dialect(name).watch(), EventParser()
    writer = dialect(name).writer(frame(), Losses(name))
    begun = b"".join(writer.write(event) for event in [Began("x1", "m"), Opened(0, Text(text="")), Grew(0, "It is")])
    notes = [watch.note(event) for event in parser.feed(begun) if event.data]

    said, _ = heard(name, begun + watch.broke(502, "the upstream broke off", code="upstream_cut"))

    assert "".join(note.text for note in notes) == "It is"
    assert any(note.has_content for note in notes)
    assert any(isinstance(event, Broke) for event in said)


@pytest.mark.parametrize("name", SPOKEN)
def test_a_watch_notes_what_a_reader_reads(name):
    watch, parser = dialect(name).watch(), EventParser()

    notes = [watch.note(event) for event in parser.feed(told(name, events_of(TEXT))) if event.data]

    assert "".join(note.text for note in notes) == "It is a door. Schließ sie."
    assert [note.usage for note in notes if note.usage is not None][-1] == USAGE
    assert any(note.finish_reason for note in notes)
    assert notes[-1].done or dialect(name).ends_without_terminal
    assert any(note.model for note in notes)


@pytest.mark.parametrize("name", SPOKEN)
def test_what_keeps_a_stream_alive_says_nothing(name):
    begun = told(name, events_of(TEXT))

    said, reader = heard(name, dialect(name).keep_alive + begun)

    assert reader.done
    assert essence(assembled(said)) == essence(TEXT)


@pytest.mark.parametrize("name", SPOKEN)
def test_an_event_of_an_unknown_kind_is_passed_over(name):
    unknown = b'event: brand_new\ndata: {"type":"brand_new","payload":{"x":[1]}}\n\n'

    said, reader = heard(name, unknown + told(name, events_of(TEXT)))

    assert reader.done
    assert essence(assembled(said)) == essence(TEXT)


@pytest.mark.parametrize("name", CALLED)
@given(data=st.binary(max_size=60) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["type", "delta", "content_block", "index", "choices", "message", "candidates", "content", "parts", "usage",
             "output", "item", "response", "error", "text", "tool_calls", "usageMetadata", "contentBlockIndex", "start"]
        ), inner, max_size=4,
    ),
    max_leaves=10,
).map(msgspec.json.encode))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_nothing_that_a_provider_sends_breaks_more_than_its_own_call(name, data):
    spoken = dialect(name)
    for read in (spoken.parse_completion, spoken.parse_error, spoken.parse_count):
        with contextlib.suppress(ValueError, RecursionError):
            read(data)
    event = EventParser().feed(
        b"event: content_block_delta\ndata: " + data.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n\n"
    )
    for listen in [spoken.reader().read, *([spoken.watch().note] if name in SPOKEN else [])]:
        try:
            for one in event:
                listen(one)
        except (ValueError, RecursionError):
            pass


# -- errors and counts


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504, 529])
def test_an_error_is_worded_in_the_dialects_envelope_and_read_back(name, status):
    body = dialect(name).error(status, "the model is away", code="upstream_unreachable", param="model")

    trouble = dialect(name).parse_error(body)

    assert isinstance(trouble, Trouble)
    assert "the model is away" in trouble.message


@pytest.mark.parametrize("name", CALLED)
@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b'{"message_is":"not here"}', b'{"error'])
def test_somebody_elses_page_is_no_error_of_the_dialect(name, body):
    assert dialect(name).parse_error(body) is None


@pytest.mark.parametrize("name", SPOKEN)
def test_a_count_that_is_told_is_understood(name):
    body = dialect(name).write_count(42)

    assert body is None or dialect(name).parse_count(body) == 42


def _paths(value, path=()):
    """Every place in a JSON value but the whole of it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _at(value, path):
    for key in path:
        value = value[key]
    return value


def _kind(value):
    return "float" if type(value) is int else type(value).__name__


def _is_free(path):
    """Whether a place is inside of what may be anything: a schema, arguments, an answer."""
    return any(key in FREE for key in path[:-1]) or ("input" in path[1:-1])


def _with(value, path, new):
    copied = msgspec.json.decode(msgspec.json.encode(value))
    _at(copied, path[:-1])[path[-1]] = 1e308 if new == float("inf") else new
    return copied
