"""What it takes to read a foreign span as one of ours: microseconds of processor time for each, dialect by dialect.

python bench/dialects.py [--out bench/results/dialects.json]

The spans are those of `tests/traces/dialects/recorded/`, as the flusher gets them: decoded, with texts and all. `typical` is a
chat of some 1.3 kB with a system message, a question and an answer, by OpenTelemetry's conventions; the goal is for that one.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from flyball.traces.attributes import attributes_json
from flyball.traces.normalising import normalise
from flyball.traces.told import CLIENT, Told, ToldEvent, ToldResource, ToldScope

GOAL_US = 20.0
ROUNDS, SPANS = 15, 2_000
RECORDED = Path(__file__).parents[1] / "tests/traces/dialects/recorded"
RESOURCE = ToldResource({"service.name": "shop", "service.version": "1.2", "telemetry.sdk.language": "python"})


def typical() -> Told:
    """A chat as instrumentors of OpenTelemetry tell it."""

    def message(role: str, text: str) -> dict[str, Any]:
        return {"role": role, "parts": [{"type": "text", "content": text}]}

    asked = [
        message("system", "You are a helpful assistant of a shop that sells bicycles and parts."),
        message("user", "What tyre fits a 700c wheel of an old touring bicycle with narrow rims? " * 3),
    ]
    answered = [message("assistant", "Anything from 28 to 35 mm wide should do. " * 4) | {"finish_reason": "stop"}]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-123",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 200,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 120,
        "gen_ai.usage.output_tokens": 60,
        "gen_ai.usage.cache_read.input_tokens": 64,
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.input.messages": json.dumps(asked),
        "gen_ai.output.messages": json.dumps(answered),
    }
    return told(
        {"name": "chat gpt-4o-mini", "scope": "opentelemetry.instrumentation.openai_v2", "attributes": attributes}
    )


def told(case: dict[str, Any]) -> Told:
    """A recorded span."""
    return Told(
        "a" * 32,
        "b" * 16,
        case["name"],
        1,
        2_000_000_000,
        kind=CLIENT,
        attributes=case["attributes"],
        events=msgspec.convert(case.get("events", []), list[ToldEvent]),
        resource=RESOURCE,
        scope=ToldScope(case.get("scope", "")),
    )


def microseconds(spans: list[Told]) -> float:
    """Of processor time for a span: the fastest of several rounds, since others work on the machine too."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for number in range(SPANS):
            normalise(spans[number % len(spans)])
        rounds.append((time.process_time_ns() - began) / SPANS / 1_000)
    return min(rounds)


def main() -> None:
    """Measure, print, and keep the figures with the machine's load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "dialects.json")
    out = parser.parse_args().out
    sets = {"typical": [typical()]} | {
        file.stem: [told(case) for case in json.loads(file.read_text())] for file in sorted(RECORDED.glob("*.json"))
    }
    found = {}
    for name, spans in sets.items():
        size = round(statistics.mean(len(attributes_json(span.attributes)) for span in spans))
        found[name] = {"spans": len(spans), "bytes": size, "us": round(microseconds(spans), 1)}
        sys.stdout.write(f"{name:14} {found[name]['us']:6.1f} us   {len(spans):2} spans of {size:,} bytes\n")
    sys.stdout.write(f"goal: {GOAL_US:.0f} us for the typical one\n")
    machine = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    out.write_text(json.dumps({"machine": machine, "goal_us": GOAL_US, "dialects": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
