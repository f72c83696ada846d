"""Streams in Anthropic's words for its callers: no client of theirs raises at a call's arguments, whatever a model wrote."""

import json
from typing import Any

import jiter
import official
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.llm.arguments import to_object
from flyball.llm.completions import Closed, Grew, Opened, Stopped
from flyball.llm.dialect import Frame
from flyball.llm.dialects.anthropic_messages.growing import Growing
from flyball.llm.errors import UpstreamCutError
from flyball.llm.losses import Losses
from flyball.llm.messages import Stop, ToolCall
from flyball.llm.translation import dialect

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=4).flatmap(
    lambda value: st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)])
)
NEARLY = OBJECTS.flatmap(
    lambda text: st.tuples(st.integers(0, len(text)), st.sampled_from('{}[]",:\\u0d8x1.e- t\n')).map(
        lambda at: text[: at[0]] + at[1] + text[at[0] :]
    )
)


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces, at = [], 0
    for size in [*sizes, len(text) + 1]:
        pieces.append(text[at : at + size])
        at += size
    return [piece for piece in pieces if piece]


def streamed(pieces: list[str], reason: Any = "tool_calls") -> bytes:
    """The whole stream of one call. Raises UpstreamCutError where it breaks."""
    writer = dialect("anthropic_messages").writer(Frame(id="ID", created=0, model="m"), Losses("x"))
    said = writer.write(Opened(0, ToolCall(id="call_1", name="look")))
    said += b"".join(writer.write(Grew(0, piece)) for piece in pieces)
    return said + writer.write(Closed(0)) + writer.write(Stopped(Stop(reason=reason))) + writer.end()


@given(OBJECTS, st.lists(st.integers(1, 4), max_size=20))
def test_every_object_is_sound_at_every_piece(text: str, sizes: list[int]) -> None:
    growing = Growing()

    assert all(growing.feed(piece) for piece in cut(text, sizes))
    assert growing.whole


@given(NEARLY, st.lists(st.integers(1, 4), max_size=20))
def test_what_is_sound_so_far_is_so_to_anthropics_client_too(text: str, sizes: list[int]) -> None:
    growing, so_far = Growing(), ""
    for piece in cut(text, sizes):
        so_far += piece
        if not growing.feed(piece):
            break
        if growing.begun:
            jiter.from_json(so_far.encode(), partial_mode=True)

    if not growing.broken and growing.whole:
        assert isinstance(json.loads(text), dict)


@given(NEARLY, st.lists(st.integers(1, 4), max_size=20))
def test_an_object_is_never_taken_for_broken(text: str, sizes: list[int]) -> None:
    growing = Growing()
    for piece in cut(text, sizes):
        growing.feed(piece)

    if growing.broken or not growing.whole:
        assert isinstance(to_object(text), dict)


@pytest.mark.parametrize("text", ["{bad", "hello", "[1]", "{'a': 1}", '"text"', "null", '{"a":"\\ud800"}', "  x"])
def test_broken_arguments_are_heard_streamed_as_they_are_whole(text: str) -> None:
    heard = official.hear("anthropic_messages", streamed([text]))

    assert heard.calls == (("look", to_object(text)),)


@pytest.mark.parametrize("pieces", [[], [" "], ["", " ", "\n"]])
def test_arguments_of_mere_space_are_an_empty_object(pieces: list[str]) -> None:
    assert official.hear("anthropic_messages", streamed(pieces)).calls == (("look", {}),)


def test_a_sound_call_is_streamed_piece_by_piece() -> None:
    said = streamed([" ", '{"a"', ": [1", ", 2]}", " "])

    assert said.count(b"input_json_delta") == 4
    assert official.hear("anthropic_messages", said).calls == (("look", {"a": [1, 2]}),)


@pytest.mark.parametrize("pieces", [['{"a": 1', "}}"], ['{"a": 1}', '{"a": 1}'], ['{"a": ', "NaN}"], ['{"a"', "1"]])
def test_arguments_that_break_too_late_end_the_stream(pieces: list[str]) -> None:
    with pytest.raises(UpstreamCutError, match="'look'"):
        streamed(pieces)


@pytest.mark.parametrize(("reason", "sound"), [("tool_calls", False), ("stop", False), ("max_tokens", True)])
def test_half_a_call_is_a_failure_unless_the_answer_was_cut(reason: str, sound: bool) -> None:  # noqa: FBT001
    if sound:
        assert official.hear("anthropic_messages", streamed(['{"a": 1, "b'], reason)).calls == (("look", {"a": 1}),)
        return
    with pytest.raises(UpstreamCutError):
        streamed(['{"a": 1, "b'], reason)
