"""Answers as the tests of OpenAI's Responses make them, whole and streamed: `from in_responses import answer, frame`."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from vocabulary import WORDS, Holds

import golden
from flyball.llm.completions import Choice, Completion
from flyball.llm.dialect import Frame
from flyball.llm.messages import Citation, Part, Stop, StopReason, Thinking
from flyball.llm.usage import Usage

NAME = "openai_responses"
STREAMS = golden.ROOT / "streams" / NAME
USAGE = Usage(input_tokens=20, cache_read_tokens=80, output_tokens=5, reasoning_tokens=4)
HOLDS = Holds(
    dialect=NAME,
    origin="openai",
    redacted=True,
    citations=st.builds(
        lambda title, start: Citation(
            url="https://example.org",
            title=title,
            start=start,
            end=start + 1,
            dialect=NAME,
            extra={
                "type": "url_citation",
                "url": "https://example.org",
                "title": title,
                "start_index": start,
                "end_index": start + 1,
            },
        ),
        WORDS,
        st.integers(0, 9),
    ),
    refusals=True,
    reasons=("stop", "max_tokens", "content_filter"),
    usage=st.builds(
        Usage,
        input_tokens=st.integers(0, 99),
        cache_read_tokens=st.integers(0, 99),
        output_tokens=st.integers(0, 99),
        reasoning_tokens=st.integers(0, 99),
    ),
)


def frame(**fields: Any) -> Frame:
    return Frame(id="ID", created=1_700_000_000, model="fast", **fields)


def answer(*parts: Part, reason: StopReason = "stop", **fields: Any) -> Completion:
    return Completion(id="x", model="m", choices=(Choice(parts=parts, stop=Stop(reason=reason)),), **fields)


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(content)}


def named(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The same with one name for every thought, which are named where they have no name."""
    return tuple(
        msgspec.structs.replace(part, signature=msgspec.structs.replace(part.signature, id="rs"))
        if isinstance(part, Thinking) and part.signature
        else part
        for part in parts
    )
