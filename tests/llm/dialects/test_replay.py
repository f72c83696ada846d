"""Every turn that we emit can be replayed: said in a caller's dialect, sent back in that dialect, it is the same turn again.

Signatures included: what one provider signed comes home from every dialect, whole or streamed.
"""

import json
from typing import Any

import msgspec
import official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabulary import ARGUMENTS, NAMES, WORDS

import golden
from flyball.llm.completions import Choice, Completion, events_of
from flyball.llm.dialect import Frame
from flyball.llm.losses import Losses
from flyball.llm.messages import Message, Part, Signature, Stop, Text, Thinking, ToolCall
from flyball.llm.signatures import attached
from flyball.llm.translation import dialect

SECRETS = st.text("abcdefghABCDEFGH0123456789", min_size=8, max_size=16).map(lambda data: data[: len(data) // 4 * 4])
IDS = st.from_regex(r"\Acall_[a-zA-Z0-9]{6,10}\Z")


def signed(origin: str, id_: str = "") -> st.SearchStrategy[Signature]:
    return st.builds(Signature, data=SECRETS, origin=st.just(origin), id=st.just(id_))


THOUGHTS = {
    "anthropic": st.builds(Thinking, text=WORDS, signature=signed("anthropic"))
    | st.builds(Thinking, redacted=st.just(True), signature=signed("anthropic")),
    "google": st.builds(Thinking, text=WORDS),
    "openai": st.builds(Thinking, text=WORDS, signature=signed("openai", "rs_0123")),
    "": st.builds(Thinking, text=WORDS),
}


@st.composite
def turns(draw: st.DrawFn, origin: str) -> tuple[Part, ...]:
    """What a model of this family may answer: a thought, words, calls; Google signs what is behind its thought."""
    parts: list[Part] = [draw(THOUGHTS[origin])] if draw(st.booleans()) else []
    call = st.builds(ToolCall, id=IDS, name=NAMES, arguments=ARGUMENTS)
    calls = draw(st.lists(call, max_size=3, unique_by=lambda one: one.id))
    said: list[Part] = [Text(text=draw(WORDS))] if not calls or draw(st.booleans()) else []
    said += calls
    if origin == "google":
        said[-1] = msgspec.structs.replace(said[-1], signature=draw(signed("google")))
    return (*parts, *said)


FAMILIES = st.sampled_from(sorted(THOUGHTS))


@pytest.mark.parametrize("caller", golden.CALLERS)
@given(FAMILIES.flatmap(turns))
@settings(max_examples=60, deadline=None)
def test_a_whole_turn_comes_back_the_same(caller: str, parts: tuple[Part, ...]) -> None:
    frame = Frame(id="ID", created=0, model="m")

    body = json.loads(dialect(caller).write_completion(_completion(parts), frame, Losses(caller)))

    assert _shown(_sent_back(caller, _turn_of(caller, body))) == _shown(parts)


@pytest.mark.parametrize("caller", golden.CALLERS)
@given(FAMILIES.flatmap(turns))
@settings(max_examples=40, deadline=None)
def test_a_streamed_turn_comes_back_the_same(caller: str, parts: tuple[Part, ...]) -> None:
    losses = Losses(caller)
    writer = dialect(caller).writer(Frame(id="ID", created=0, model="m"), losses)
    stream = b"".join(writer.write(event) for event in events_of(_completion(parts))) + writer.end()

    turn = official.turn_heard(caller, stream)

    assert _shown(_sent_back(caller, turn)) == _shown(parts)


def _completion(parts: tuple[Part, ...]) -> Completion:
    reason = "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop"
    return Completion(choices=(Choice(parts=parts, stop=Stop(reason=reason)),))


def _turn_of(caller: str, body: dict[str, Any]) -> Any:
    """The assistant's turn, as an application keeps it in its history."""
    if caller == "openai_chat":
        return body["choices"][0]["message"]
    if caller == "openai_responses":
        return body["output"]
    return body["content"] if caller == "anthropic_messages" else body["candidates"][0]["content"]


def _sent_back(caller: str, turn: Any) -> list[Message]:
    """The assistant's turns of the next request."""
    asking: dict[str, dict[str, Any]] = {
        "openai_chat": {"model": "m", "messages": [{"role": "user", "content": "x"}, turn]},
        "openai_responses": {"model": "m", "input": [{"role": "user", "content": "x"}, *(turn if caller == "openai_responses" else ())]},
        "anthropic_messages": {
            "model": "m",
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": turn}],
        },
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "x"}]}, turn]},
    }  # fmt: skip
    return [message for message in golden.parsed(asking[caller], caller).messages if message.role == "assistant"]


def _shown(turns: Any) -> list[Any]:
    """The parts as Gemini is told them, who signs more than thoughts; arguments as what they mean."""
    parts = attached([part for turn in turns for part in turn.parts] if isinstance(turns, list) else turns)
    shown: list[Any] = []
    for part in parts:
        if isinstance(part, ToolCall):
            shown.append(("call", part.id, part.name, json.loads(part.arguments or "{}"), part.signature))
        elif isinstance(part, Thinking):
            shown.append(("thought", part.text, part.signature, part.redacted))
        elif isinstance(part, Text):
            shown.append(("text", part.text, part.signature))
        else:
            shown.append(part)
    return shown
