"""What Bedrock streams: read from events that Amazon's own service model takes for those of ConverseStream."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bedrock_oracle import judge_events
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.llm.completions import (
    Assembly,
    Began,
    Broke,
    Closed,
    Completion,
    Grew,
    Lost,
    Opened,
    Signed,
    Stopped,
    StreamEvent,
    Trouble,
)
from flyball.llm.dialects.bedrock_converse import DIALECT
from flyball.llm.messages import Signature, Stop, Text, Thinking, ToolCall
from flyball.llm.sse import Event

GOLDEN = Path(__file__).parents[2] / "golden"
STREAMS = sorted((GOLDEN / "streams" / "bedrock_converse").glob("*.json"))
TWINS = [path for path in STREAMS if (GOLDEN / "answers" / "bedrock_converse" / path.name).exists()]


def event(name: str, payload: Any) -> Event:
    data = json.dumps(payload).encode()
    return Event(data, data, name)


def read(*events: Event) -> tuple[list[StreamEvent], bool]:
    """What is said by these events and by the end, and whether the stream was sound."""
    reader = DIALECT.reader()
    said = [one for event in events for one in reader.read(event)]
    return said + reader.finish(), reader.done


def golden(name: str) -> list[Event]:
    given = json.loads((GOLDEN / "streams" / "bedrock_converse" / f"{name}.json").read_text())["given"]
    return [event(one["event"], one["payload"]) for one in given]


def assembled(said: list[StreamEvent]) -> Completion:
    assembly = Assembly()
    for one in said:
        assembly.add(one)
    return assembly.whole()


def known(path: Path) -> bool:
    """Whether Bedrock's own model has what a fixture holds."""
    return "bedrock_converse" not in json.loads(path.read_text()).get("beyond_the_client_of", ())


@pytest.mark.parametrize("path", list(filter(known, STREAMS)), ids=lambda path: path.stem)
def test_every_golden_stream_is_one_that_converse_stream_gives(path: Path) -> None:
    judge_events(json.loads(path.read_text())["given"])


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.stem)
def test_what_comes_in_pieces_is_what_comes_at_once(path: Path) -> None:
    whole = json.loads((GOLDEN / "answers" / "bedrock_converse" / path.name).read_text())["given"]
    expected = DIALECT.parse_completion(json.dumps(whole).encode())

    said, done = read(*golden(path.stem))

    if isinstance(expected, Trouble):
        assert said[-1] == Broke(expected)
        return
    assert done
    found = assembled(said)
    assert _without_place(found.choices) == _without_place(expected.choices)
    assert (found.usage, found.leftovers) == (expected.usage, expected.leftovers)


def _without_place(choices: Any) -> Any:
    """A call without input comes in no pieces at all, and a cut one in pieces that are no object."""
    return [
        (part.id, part.name) if isinstance(part, ToolCall) and part.arguments in ("", "{}", '{"text": "Once upo') else part
        for choice in choices
        for part in choice.parts
    ] + [choice.stop for choice in choices]  # fmt: skip


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_parts_open_in_order_and_are_closed_before_the_end(path: Path) -> None:
    said, _ = read(*golden(path.stem))

    opened = [one.at for one in said if isinstance(one, Opened)]
    closed = [one.at for one in said if isinstance(one, Closed)]
    assert opened == list(range(len(opened)))
    assert isinstance(said[0], Began | Broke)
    assert sum(isinstance(one, Began) for one in said) <= 1
    if not isinstance(said[-1], Broke):
        last = next(number for number, one in enumerate(said) if isinstance(one, Stopped))
        assert sorted(closed) == opened
        assert all(said.index(one) < last for one in said if isinstance(one, Closed))


def test_a_thought_is_signed_before_it_is_closed_however_its_signature_is_cut() -> None:
    pieces = ({"text": "Hm."}, {"signature": "ab"}, {"signature": "cd"})
    deltas = [event("contentBlockDelta", {"delta": {"reasoningContent": one}}) for one in pieces]

    said, _ = read(*deltas, event("contentBlockStop", {"contentBlockIndex": 0}))

    signed = Signed(0, Signature(data="abcd", origin="anthropic"))
    assert said == [Began(), Opened(0, Thinking()), Grew(0, "Hm."), signed, Closed(0)]


def test_padded_pieces_of_a_redacted_thought_are_joined_as_bytes() -> None:
    said, _ = read(*golden("redacted-thought-padded-pieces"))

    thought = Thinking(redacted=True, signature=Signature(data="QUJD", origin="anthropic"))
    assert said[1] == Opened(0, thought)


def test_the_stream_is_whole_with_the_end_of_the_message_and_the_counts_or_the_bytes() -> None:
    begun, stopped = golden("text")[:-2], golden("text")[:-1]
    reader = DIALECT.reader()
    for one in stopped:
        reader.read(one)

    assert not reader.done
    assert read(*begun)[1] is False
    assert read(*stopped)[1] is True
    reader.read(golden("text")[-1])
    assert reader.done


@pytest.mark.parametrize(
    ("kind", "payload", "trouble"),
    [
        ("throttlingException", {"message": "wait"}, Trouble(message="wait", code="throttlingException", status=429)),
        (
            "modelStreamErrorException",
            {"originalMessage": "boom"},
            Trouble(message="boom", code="modelStreamErrorException", status=424),
        ),
        ("serviceUnavailableException", {}, Trouble(message="serviceUnavailableException", code="serviceUnavailableException", status=503)),
        ("validationException", [], Trouble(message="validationException", code="validationException")),
        ("somethingNew", {"message": 7}, Trouble(message="somethingNew", code="somethingNew")),
    ],
)  # fmt: skip
def test_exceptions_break_the_stream_with_the_status_that_they_mean(kind: str, payload: Any, trouble: Trouble) -> None:
    said, done = read(*golden("text")[:2], event(f"exception:{kind}", payload))

    assert said[-1] == Broke(trouble)
    assert not done


def test_empty_beginnings_and_nulls_say_nothing_and_what_nobody_knows_is_named() -> None:
    said, _ = read(
        event("messageStart", {"role": "assistant", "p": "abc"}),
        event("contentBlockStart", {"start": {}, "contentBlockIndex": 0}),
        event("contentBlockStart", {"start": None, "contentBlockIndex": 0}),
        event("contentBlockDelta", {"delta": {"text": None}, "contentBlockIndex": 0}),
        event("contentBlockDelta", {"delta": {"somethingNew": {}}, "contentBlockIndex": 0}),
        event("contentBlockStop", {"contentBlockIndex": 0}),
        event("somethingNew", {"x": 1}),
        event("metadata", {"usage": None}),
    )

    assert said == [Began(), Lost("content[0].somethingNew"), Lost("somethingNew")]


def test_what_bedrock_ran_itself_is_named_and_not_called() -> None:
    said, _ = read(*golden("tools-that-bedrock-ran"))

    assert [one.name for one in said if isinstance(one, Lost)] == ["content[0].toolUse", "content[1].toolResult"]
    assert [one.part for one in said if isinstance(one, Opened)] == [Text(text="")]


def test_nothing_is_said_behind_the_end() -> None:
    late = event("contentBlockDelta", {"delta": {"text": "more"}, "contentBlockIndex": 4})

    said, done = read(*golden("text"), late)

    assert done
    assert [one for one in said if isinstance(one, Stopped)] == [Stopped(Stop(reason="stop", native="end_turn"))]
    assert not any(isinstance(one, Grew) and one.text == "more" for one in said)


@pytest.mark.parametrize(
    "payload",
    [
        {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 5},
        {"delta": {"text": 7}},
        {"delta": {"toolUse": {"input": {}}}, "contentBlockIndex": 0},
        {"delta": []},
        {"delta": {"text": "x"}, "contentBlockIndex": "0"},
        {"delta": {"reasoningContent": {"text": "x"}}, "contentBlockIndex": 0},
    ],
)
def test_nonsense_is_a_value_error(payload: Any) -> None:
    reader = DIALECT.reader()
    reader.read(event("contentBlockStart", {"start": {"toolUse": {"toolUseId": "t", "name": "f"}}}))

    with pytest.raises(ValueError):  # noqa: PT011 -- any of its family
        reader.read(event("contentBlockDelta", payload))


_NAMES = st.sampled_from(
    ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x"]
)
_KEYS = st.sampled_from(
    [
        *(
            "start",
            "delta",
            "contentBlockIndex",
            "toolUse",
            "toolUseId",
            "name",
            "input",
            "text",
            "reasoningContent",
            "type",
        ),
        *("redactedContent", "signature", "image", "format", "source", "bytes", "citation", "location", "web", "usage"),
        *("stopReason", "additionalModelResponseFields", "trace"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)
_EVENTS = st.builds(lambda name, value: Event(b"", msgspec.json.encode(value), name), _NAMES, _JSON) | st.builds(
    lambda name, data: Event(b"", data, name), _NAMES, st.binary(max_size=20)
)


@given(st.lists(_EVENTS, max_size=12))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_read_or_a_value_error(events: list[Event]) -> None:
    reader = DIALECT.reader()
    assembly = Assembly()
    try:
        for one in events:
            for said in reader.read(one):
                assembly.add(said)
    except ValueError:
        return
    reader.finish()
    assembly.whole()
