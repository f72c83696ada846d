"""What a translation costs: the processor time of a translated call above a relayed one, and of one event of a translated stream.

python bench/translation.py [--out bench/results/translation.json]

In one process, no wire: from the caller's body to the provider's and from the provider's answer to the caller's. The request
has 20 turns (every other one with tools called and answered) and ten tools with schemas; the answer has text and two calls.
Every round has a few runs of everything, relayed and translated, so that a machine that is busy disturbs all alike. The goals are
0.3 ms for a call and 40 us for an event.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import (
    Began,
    Choice,
    Closed,
    Completion,
    Counted,
    Grew,
    Opened,
    Stopped,
    StreamEvent,
)
from flyball.llm.dialect import Frame
from flyball.llm.losses import Losses
from flyball.llm.messages import Message, Request, Stop, Text, Tool, ToolCall, ToolResult
from flyball.llm.sse import EventParser
from flyball.llm.translation import dialect
from flyball.llm.usage import Usage

CALLERS = ("openai_chat", "openai_responses", "anthropic_messages", "gemini")
SCHEMA = msgspec.Raw(
    b'{"type":"object","properties":{"city":{"type":"string","description":"Where"},"unit":{"type":"string",'
    b'"enum":["c","f"]},"days":{"type":"integer","minimum":1}},"required":["city"],"additionalProperties":false}'
)
USAGE = Usage(input_tokens=900, cache_read_tokens=4000, output_tokens=120)
EVENTS = 400


def request(name: str) -> Request:
    """Twenty turns with tools, in the vocabulary."""
    turns = [Message(role="system", parts=(Text(text="You are a careful assistant. " * 20),))]
    for number in range(5):
        call = ToolCall(id=f"call_{number}", name="tool_0", arguments='{"city":"Paris","unit":"c"}')
        turns += [
            Message(role="user", parts=(Text(text=f"What is the weather in town {number}? " * 4),)),
            Message(role="assistant", parts=(Text(text="I look."), call)),
            Message(role="tool", parts=(ToolResult(call_id=call.id, name=call.name, parts=(Text(text='{"t":21}'),)),)),
            Message(role="assistant", parts=(Text(text="It is 21 degrees. " * 6),)),
        ]
    turns = [*turns[:20], Message(role="user", parts=(Text(text="And tomorrow?"),))]
    tools = tuple(Tool(name=f"tool_{n}", description="Tells the weather. " * 5, parameters=SCHEMA) for n in range(10))
    return Request(dialect=name, model="m", messages=tuple(turns), tools=tools, max_tokens=1000, temperature=0.5)


def answer() -> Completion:
    """Text and two calls."""
    parts = (
        Text(text="I look twice. " * 10),
        ToolCall(id="call_a", name="tool_1", arguments='{"city":"Rome"}'),
        ToolCall(id="call_b", name="tool_2", arguments='{"city":"Oslo"}'),
    )
    return Completion(id="x", model="m", choices=(Choice(parts=parts, stop=Stop(reason="tool_calls")),), usage=USAGE)


def events() -> list[StreamEvent]:
    """A text in 400 pieces."""
    middle: list[StreamEvent] = [Grew(0, "word ") for _ in range(EVENTS)]
    end: list[StreamEvent] = [Closed(0), Stopped(Stop(reason="stop")), Counted(USAGE, {})]
    return [Began("x", "m"), Opened(0, Text(text="")), *middle, *end]


def frame() -> Frame:
    """An answer's envelope."""
    return Frame(id="0" * 32, created=1, model="m")


def main() -> None:
    """Measure every directed pair, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "translation.json")
    options = parser.parse_args()
    pairs = [(source, target) for source in CALLERS for target in CALLERS if target != source]
    seconds = iter(_seconds([work for pair in pairs for work in (*_calls(*pair), _stream(*pair))]))
    rows: dict[str, dict[str, float]] = {}
    for source, target in pairs:
        relayed, translated, streamed = next(seconds), next(seconds), next(seconds)
        rows[f"{source} -> {target}"] = {
            "call_ms": translated * 1e3,
            "relayed_ms": relayed * 1e3,
            "added_ms": (translated - relayed) * 1e3,
            "event_us": streamed / EVENTS * 1e6,
        }
    print(f"{'caller -> provider':42}{'call ms':>10}{'relayed':>10}{'added':>10}{'us/event':>10}")
    for pair, row in rows.items():
        print(f"{pair:42}{row['call_ms']:10.3f}{row['relayed_ms']:10.3f}{row['added_ms']:10.3f}{row['event_us']:10.1f}")
    worst = {
        "added_ms": max(row["added_ms"] for row in rows.values()),
        "event_us": max(row["event_us"] for row in rows.values()),
    }
    print(f"worst: {worst['added_ms']:.3f} ms a call (goal 0.3), {worst['event_us']:.1f} us an event (goal 40)")
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"machine": _machine(), "worst": worst, "rows": rows}, indent=1) + "\n")


def _calls(source: str, target: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """A relayed and a translated call."""
    ours, theirs = dialect(source), dialect(target)
    body = ours.write_request(request(source), model="m", quirks=Quirks(), losses=Losses("bench"))
    model = "" if source != "gemini" else "m"
    own_answer = ours.write_completion(answer(), frame(), Losses("bench"))
    their_answer = theirs.write_completion(answer(), frame(), Losses("bench"))

    def relayed() -> None:
        asked = ours.ask(body, model=model, stream=False)
        ours.relayed(asked, model="n", quirks=Quirks(), losses=Losses("bench"))
        ours.parse_completion(own_answer)

    def translated() -> None:
        losses = Losses("bench")
        asked = ours.ask(body, model=model, stream=False)
        theirs.write_request(ours.parse_request(asked), model="n", quirks=Quirks(), losses=losses)
        found = theirs.parse_completion(their_answer)
        assert isinstance(found, Completion)  # noqa: S101 -- narrows the type
        ours.write_completion(found, frame(), losses)

    return relayed, translated


def _stream(source: str, target: str) -> Callable[[], None]:
    ours, theirs = dialect(source), dialect(target)
    losses = Losses("bench")
    teller = theirs.writer(frame(), losses)
    data = b"".join(teller.write(one) for one in events()) + teller.end()

    def translated() -> None:
        parser, reader, writer = EventParser(), theirs.reader(), ours.writer(frame(), losses)
        for event in parser.feed(data):
            for one in reader.read(event):
                writer.write(one)
        writer.end()

    return translated


def _seconds(works: list[Callable[[], None]]) -> list[float]:
    """Processor time of one run of each: the median of 21 rounds, in which all take turns."""
    rounds: list[list[float]] = [[] for _ in works]
    for _ in range(21):
        for work, seconds in zip(works, rounds, strict=True):
            work()
            start = time.process_time()
            for _ in range(20):
                work()
            seconds.append((time.process_time() - start) / 20)
    return [statistics.median(seconds) for seconds in rounds]


def _machine() -> dict[str, Any]:
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }


if __name__ == "__main__":
    main()
