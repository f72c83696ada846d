"""What is streamed in OpenAI's Chat Completions: read from providers, watched while it is relayed, said to callers."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.llm.completions import (
    Assembly,
    Broke,
    Closed,
    Completion,
    Counted,
    Grew,
    Lost,
    Opened,
    Stopped,
    StreamEvent,
)
from flyball.llm.dialect import Frame, Note
from flyball.llm.dialects.openai_chat import DIALECT
from flyball.llm.losses import Losses
from flyball.llm.messages import Signature, Stop, Text, Thinking, ToolCall
from flyball.llm.sse import Event
from flyball.llm.usage import Usage

DONE = b"[DONE]"


def chunk(delta: Any = None, reason: Any = None, *, choice: Any = None, **fields: Any) -> bytes:
    return json.dumps(
        {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": reason, **(choice or {})}], **fields}
    ).encode()


def read(*datas: bytes) -> tuple[list[StreamEvent], bool]:
    """What a stream says, and whether it ended soundly."""
    reader, said = DIALECT.reader(), []
    for data in datas:
        said += reader.read(Event(data, data, ""))
    return said + reader.finish(), reader.done


def assembled(*datas: bytes) -> Completion:
    said, done = read(*datas)
    assembly = Assembly()
    for event in said:
        assembly.add(event)
    assert done
    return assembly.whole()


def watched(*datas: bytes) -> list[Note]:
    watch = DIALECT.watch()
    return [watch.note(Event(data, data, "")) for data in datas]


# -- where it ends


HI, WHY, WHO = chunk({"content": "Hi"}), chunk({}, "stop"), chunk({"role": "assistant", "content": ""})
COUNTS = b'{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}'


@pytest.mark.parametrize(
    ("datas", "verdict"),
    [
        ((HI, WHY, DONE), "sound"),
        ((HI, WHY, b"[DONE] "), "sound"),
        ((HI, WHY, b" [DONE]\t"), "sound"),
        ((HI, DONE), "sound"),  # some never say why: that it is over was said
        ((WHY, DONE), "sound"),
        ((HI, WHY), "unfinished"),
        ((HI, WHY, COUNTS), "unfinished"),
        ((HI,), "unfinished"),
        ((), "unfinished"),
        ((DONE,), "failed"),
        ((WHO, DONE), "failed"),
        ((COUNTS, DONE), "failed"),
        ((HI, b'{"error":{"message":"boom"}}', DONE), "failed"),
    ],
)
def test_a_stream_ends_alike_whether_it_is_relayed_or_translated(datas: tuple[bytes, ...], verdict: str) -> None:
    said, done = read(*datas)
    notes = watched(*datas)

    translated = "failed" if any(isinstance(one, Broke) for one in said) else "sound" if done else "unfinished"
    relayed = (
        "failed"
        if any(note.trouble for note in notes)
        else "sound"
        if any(note.done for note in notes)
        else "unfinished"
    )
    assert translated == relayed == verdict


def test_an_event_that_is_not_understood_says_something_all_the_same() -> None:
    watch, odd = DIALECT.watch(), b'{"choices":{"new":1}}'

    with pytest.raises(ValueError, match="Expected"):
        watch.note(Event(odd, odd, ""))

    assert watch.note(Event(DONE, DONE, "")).done


# -- halves of characters


@pytest.mark.parametrize("text", ["\U0001f600", "a\U0001f600b", "\U0001f600\U0001f601", "é\U0001f600"])
def test_a_character_that_was_cut_in_two_is_put_together(text: str) -> None:
    units = json.dumps(text)[1:-1].replace("\\u", "\0\\u").split("\0")
    pieces = [b'{"choices":[{"index":0,"delta":{"content":"%b"}}]}' % unit.encode() for unit in units if unit]

    assert assembled(*pieces, WHY, DONE).text == text
    assert "".join(note.text for note in watched(*pieces, WHY, DONE)) == text


def test_halves_of_several_answers_are_told_apart() -> None:
    def both(first: str, second: str) -> bytes:
        said = '{"choices":[{"index":%d,"delta":{"content":"%s"}},{"index":%d,"delta":{"content":"%s"}}]}'
        return (said % (1, first, 0, second)).encode()

    found = assembled(
        both(r"\ud83d", r"\ud83c"),
        b'{"choices":[{"index":0,"delta":{"content":"\\udf0d"}},{"index":1,"delta":{"content":"\\ude00"}}]}',
        DONE,
    )

    assert [[part.text for part in one.parts if isinstance(part, Text)] for one in found.choices] == [
        ["\U0001f30d"],
        ["\U0001f600"],
    ]


def test_half_a_character_whose_other_half_never_comes_is_a_replacement() -> None:
    half = b'{"choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}'

    assert assembled(half, COUNTS, HI, WHY, DONE).text == "a\ufffdHi"


# -- calls


@pytest.mark.parametrize(
    "pieces", [("{bad",), ("[1]",), ('{"a":1}', '{"a":1}'), ("",), (" ",), ('{"a":"\\ud800"}',), ({"a": 1},), (5,)]
)
def test_arguments_come_as_they_are_however_broken(pieces: tuple[Any, ...]) -> None:
    first = {"index": 0, "id": "a", "type": "function", "function": {"name": "look", "arguments": pieces[0]}}
    chunks = [chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in pieces[1:]]

    (part,) = assembled(chunk({"tool_calls": [first]}), *chunks, chunk({}, "tool_calls"), DONE).choices[0].parts

    written = [piece if isinstance(piece, str) else json.dumps(piece, separators=(",", ":")) for piece in pieces]
    assert part == ToolCall(id="a", name="look", arguments="".join(written))


# -- thoughts


def test_thinking_blocks_of_litellm_come_in_pieces_and_are_signed_at_their_end() -> None:
    def thinking(words: str, **fields: Any) -> bytes:
        return chunk(
            {"reasoning_content": words, "thinking_blocks": [{"type": "thinking", "thinking": words, **fields}]}
        )

    sealed = chunk({"thinking_blocks": [{"type": "redacted_thinking", "data": "cmVk"}]})
    found = assembled(thinking("It "), thinking("greets."), thinking("", signature="c2ln"), sealed, HI, WHY, DONE)

    assert found.choices[0].parts == (
        Thinking(text="It greets.", signature=Signature(data="c2ln", origin="anthropic")),
        Thinking(signature=Signature(data="cmVk", origin="anthropic"), redacted=True),
        Text(text="Hi"),
    )
    assert watched(thinking("It "))[0].has_content


def test_words_of_a_thought_that_come_before_what_nobody_can_read_are_read() -> None:
    sealed = {"type": "reasoning.encrypted", "data": "QUJD", "format": "openai-responses-v1", "id": "rs_1"}

    found = assembled(
        chunk({"reasoning": "It "}), chunk({"reasoning": "greets.", "reasoning_details": [sealed]}), HI, WHY, DONE
    )

    assert [getattr(part, "text", "") for part in found.choices[0].parts] == ["It greets.", "", "Hi"]


# -- what nobody reads


def test_what_nobody_reads_is_named_once() -> None:
    said, _ = read(
        chunk({"content": "H", "weird": 1}, citations=["https://a.org"], obfuscation="x"),
        chunk({"content": "i", "weird": 2}, citations=["https://a.org"], provider="Acme"),
        chunk({}, "stop", citations=["https://a.org"], search_results=[1]),
        DONE,
    )

    assert [one.name for one in said if isinstance(one, Lost)] == [
        "choices[0].delta.weird",
        "citations",
        "search_results",
    ]


def test_which_service_answered_comes_with_the_counts_or_is_named() -> None:
    counted, _ = read(chunk({"content": "Hi"}, "stop", service_tier="priority"), COUNTS, DONE)
    uncounted, _ = read(chunk({"content": "Hi"}, "stop", service_tier="priority"), DONE)
    usual, _ = read(chunk({"content": "Hi"}, "stop", service_tier="default"), DONE)

    assert [one.service_tier for one in counted if isinstance(one, Counted)] == ["priority"]
    assert not [one for one in (*counted, *usual) if isinstance(one, Lost)]
    assert [one.name for one in uncounted if isinstance(one, Lost)] == ["service_tier"]


def test_which_service_answered_is_said_at_the_end_of_a_stream() -> None:
    losses = Losses("the caller")
    writer = DIALECT.writer(Frame(id="ID", created=0, model="m"), losses)
    events = (
        Opened(0, Text(text="Hi")),
        Closed(0),
        Stopped(Stop(reason="stop")),
        Counted(Usage(output_tokens=1), {}, "standard"),
    )

    stream = b"".join([writer.write(event) for event in events]) + writer.end()

    assert b'"finish_reason":"stop"}],"service_tier":"default"}' in stream
    assert losses.dropped == ()


# -- odd, and harmless


@pytest.mark.parametrize(
    "odd",
    [
        chunk({"content": "Hi"}, error=False),
        chunk({"content": "Hi"}, error={}),
        chunk({"content": "Hi"}, error=""),
        chunk({"content": "Hi"}, choice={"error": {}}),
        chunk({"content": "Hi"}, choice={"index": None}),
        chunk({"content": "Hi"}, choice={"index": 0.0}),
        chunk({"content": "Hi"}, id=5, model=5, usage=[]),
    ],
)
def test_odd_shapes_that_do_no_harm_cost_nothing(odd: bytes) -> None:
    assert assembled(odd, WHY, DONE).text == "Hi"
    assert [note.text for note in watched(odd, WHY, DONE)] == ["Hi", "", ""]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["", "x", "\ud83d", "\ude00", "error"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["content", "text", "thinking", "index", "id", "function", "name", "arguments", "type", "data", "signature",
                         "url_citation", "url", "start_index", "end_index", "image_url", "summary", "format", "weird", "\ud83d"]),
        inner, max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
DELTAS = st.dictionaries(
    st.sampled_from(["content", "refusal", "reasoning", "reasoning_details", "thinking_blocks", "tool_calls", "function_call",
                     "annotations", "audio", "images", "weird"]),
    VALUES, max_size=3,
)  # fmt: skip
CHOICES = st.dictionaries(
    st.sampled_from(["index", "finish_reason", "logprobs", "error", "stop_reason"]), VALUES, max_size=2
)


@given(st.lists(st.tuples(DELTAS, CHOICES, VALUES), max_size=4))
@settings(max_examples=300, deadline=None)
def test_nonsense_is_a_value_error_and_what_is_read_can_be_said(stream: list[tuple[Any, Any, Any]]) -> None:
    datas = [chunk(delta, choice=choice, usage=usage, service_tier=usage) for delta, choice, usage in stream]
    writer = DIALECT.writer(Frame(id="ID", created=0, model="m"), Losses("the caller"))
    try:
        watched(*datas)
        said, _ = read(*datas, DONE)
    except ValueError:
        return

    for event in said:
        if not isinstance(event, Broke):
            writer.write(event)
    writer.end()
    assert all(event.text.encode() for event in said if isinstance(event, Grew) and event.text)
