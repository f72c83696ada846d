"""What every dialect has to hear of what its vendor says, Bedrock included, which nobody calls us in.

The vendors' words are those of the scripted upstream, which shares nothing with the dialects that are tested.
"""

import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import Assembly, Broke, Closed, Counted, Opened, Stopped, Trouble, events_of
from flyball.llm.dialect import Frame
from flyball.llm.eventstream import EventstreamParser
from flyball.llm.losses import Losses
from flyball.llm.messages import Message, Request, Text, Thinking, ToolCall
from flyball.llm.sse import EventParser
from flyball.llm.translation import DIALECTS, dialect
from flyball.testing import Call, Turn, anthropic, bedrock, gemini, openai_chat, openai_responses
from flyball.testing.dialect import Ask, Failure

UPSTREAMS = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic_messages": anthropic,
    "gemini": gemini,
    "bedrock_converse": bedrock,
}
SPOKEN = [name for name in DIALECTS if name != "bedrock_converse"]
CALLS = (Call(name="look", arguments='{"z":"up","a":1}', id="call_a"), Call(name="again", arguments="{}", id="call_b"))
TURNS = {
    "words": Turn(text="It is a door. Schließ sie."),
    "calls": Turn(text="I look.", tool_calls=CALLS),
    "thought": Turn(text="A door.", thinking="Walls have doors.", tool_calls=CALLS),
    "cut": Turn(text="It is", stop="max_tokens", prompt_tokens=100, cached_tokens=80),
}
ENDS = {"words": "stop", "calls": "tool_calls", "thought": "tool_calls", "cut": "max_tokens"}


def asking(name, *, stream):
    """A request of whoever reads the answer."""
    framing = "eventstream" if name == "bedrock_converse" else "sse"
    return Ask(model="m", stream=stream, framing=framing, encrypted=True)


def whole(name, turn):
    return UPSTREAMS[name].whole(turn, asking(name, stream=False))


def streamed(name, turn):
    return b"".join(UPSTREAMS[name].events(turn, asking(name, stream=True)).events)


def heard(name, data, pieces=None):
    """What a stream says, and its reader."""
    parser = EventstreamParser() if name == "bedrock_converse" else EventParser()
    reader, said = dialect(name).reader(), []
    for event in (*(one for piece in pieces or [data] for one in parser.feed(piece)), *parser.finish()):
        if event.data and not any(isinstance(one, Broke) for one in said):
            said += reader.read(event)
    return said + reader.finish(), reader


def assembled(said):
    assembly = Assembly()
    for event in said:
        assembly.add(event)
    return assembly.whole()


def words(completion):
    """What has to be heard: words, thoughts, calls, why it ended, what it used."""
    choice = completion.choices[0]
    found = {"text": completion.text, "thought": "", "calls": []}
    for part in choice.parts:
        if isinstance(part, Thinking):
            found["thought"] += part.text
        elif isinstance(part, ToolCall):
            found["calls"].append((part.name, msgspec.json.decode(part.arguments)))
    return found, choice.stop.reason, completion.usage


@pytest.mark.parametrize("kind", TURNS)
@pytest.mark.parametrize("name", DIALECTS)
def test_a_whole_answer_says_what_its_vendor_meant(name, kind):
    turn = TURNS[kind]

    found, reason, usage = words(dialect(name).parse_completion(whole(name, turn)))

    called = [(call.name, msgspec.json.decode(call.arguments)) for call in turn.tool_calls]
    assert found == {"text": turn.text, "thought": turn.thinking, "calls": called}
    assert reason == ENDS[kind]
    assert usage.prompt_tokens == turn.prompt_tokens
    assert usage.cache_read_tokens == turn.cached_tokens
    assert usage.completion_tokens == turn.completion_tokens


@pytest.mark.parametrize("kind", TURNS)
@pytest.mark.parametrize("name", DIALECTS)
def test_a_stream_says_what_the_whole_answer_says_every_part_once(name, kind):
    said, reader = heard(name, streamed(name, TURNS[kind]))

    assert reader.done
    assert words(assembled(said)) == words(dialect(name).parse_completion(whole(name, TURNS[kind])))
    assert [type(event) for event in said].count(Stopped) == 1
    opened = [event.at for event in said if isinstance(event, Opened)]
    assert opened == sorted(set(opened))
    assert sorted(event.at for event in said if isinstance(event, Closed)) == opened


@pytest.mark.parametrize("name", DIALECTS)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_a_stream_may_be_cut_anywhere(name, cuts):
    data, pieces, at = streamed(name, TURNS["calls"]), [], 0
    while at < len(data):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(data[at : at + size])
        at += size

    said, reader = heard(name, data, pieces)

    assert reader.done
    assert words(assembled(said)) == words(assembled(heard(name, data)[0]))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_stream_that_ends_before_its_end_is_not_done(name):
    events = UPSTREAMS[name].events(TURNS["words"], asking(name, stream=True)).events

    _, reader = heard(name, b"".join(events[:3]))

    assert not reader.done


@pytest.mark.parametrize("name", DIALECTS)
def test_a_failure_in_the_middle_is_heard_as_one(name):
    turn = Turn(fault="error_midway", status=503)

    said, reader = heard(name, streamed(name, turn))

    assert [type(event) for event in said].count(Broke) == 1
    assert not reader.done


@pytest.mark.parametrize("fault", ["pings", "unknown_events", "no_usage"])
@pytest.mark.parametrize("name", DIALECTS)
def test_what_means_nothing_is_passed_over(name, fault):
    said, reader = heard(name, streamed(name, Turn(text="A door.", fault=fault)))

    assert reader.done
    assert assembled(said).text == "A door."
    if fault == "no_usage":
        assert all(event.usage is None for event in said if isinstance(event, Counted))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("name", DIALECTS)
def test_an_error_of_the_vendors_is_heard_in_its_words(name, status):
    body = UPSTREAMS[name].error(Failure(status, "the model is away"), asking(name, stream=False)).body

    trouble = dialect(name).parse_error(body)

    assert isinstance(trouble, Trouble)
    assert "the model is away" in trouble.message


@pytest.mark.parametrize("name", [name for name in DIALECTS if name != "openai_chat"])
def test_the_number_of_tokens_is_understood(name):
    assert dialect(name).parse_count(UPSTREAMS[name].counted(Turn(prompt_tokens=42))) == 42


@pytest.mark.parametrize("target", SPOKEN)
@pytest.mark.parametrize("kind", TURNS)
@pytest.mark.parametrize("name", DIALECTS)
def test_every_callers_client_hears_what_every_provider_says_whole_and_streamed(name, kind, target):
    completion = dialect(name).parse_completion(whole(name, TURNS[kind]))
    frame = Frame(id="0af7651916cd43dd8448eb211c80319c", created=1_700_000_000, model="m")

    told = dialect(target).write_completion(completion, frame, Losses(target))
    writer = dialect(target).writer(frame, Losses(target))
    streaming = b"".join(map(writer.write, heard(name, streamed(name, TURNS[kind]))[0])) + writer.end()

    meant = words(completion)[:2]
    assert words(dialect(target).parse_completion(told))[:2] == meant
    assert words(assembled(heard(target, streaming)[0]))[:2] == meant


@pytest.mark.parametrize("name", DIALECTS)
def test_what_a_provider_said_goes_back_to_it(name):
    said = dialect(name).parse_completion(whole(name, TURNS["words"]))
    turns = (
        Message(role="user", parts=(Text(text="What is it?"),)),
        Message(role="assistant", parts=said.choices[0].parts),
        Message(role="user", parts=(Text(text="Why?"),)),
    )
    losses = Losses(name, strict=True)

    asked = Request(dialect="openai_chat", model="m", messages=turns)
    body = dialect(name).write_request(asked, model="m", quirks=Quirks(), losses=losses)

    assert "Schließ sie.".encode() in body
    assert [event for event in events_of(said) if isinstance(event, Stopped)]


def test_a_frame_of_bedrocks_that_is_not_whole_says_nothing_and_one_that_was_changed_is_no_event():
    data = streamed("bedrock_converse", TURNS["words"])
    (length,) = struct.unpack(">I", data[:4])
    changed = data[: length - 6] + bytes([data[length - 6] ^ 1]) + data[length - 5 :]

    assert EventstreamParser().feed(data[: length - 1]) == []
    with pytest.raises(ValueError, match="checksum"):
        EventstreamParser().feed(changed)
