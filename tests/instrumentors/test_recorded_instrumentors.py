"""What real instrumentors sent of the same four calls ends as the same normalised record, in every content mode."""

import json
from collections import defaultdict
from pathlib import Path

import environments
import pytest
from expected import differing, expected, of_one_call, record_of

from flyball.traces.counted_calls import CountedCalls, Heard
from flyball.traces.normalising import normalise
from flyball.traces.otlp.decoding import told_logs, told_spans
from flyball.traces.otlp.json_reading import request_from_json
from flyball.traces.records import Span

RECORDED = Path(__file__).parent / "recorded"
NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))


def spans_of(name: str) -> list[Span]:
    said = json.loads((RECORDED / f"{name}.json").read_text())
    logs = defaultdict(list)
    for request in said["logs"]:
        for log in told_logs(request_from_json("logs", json.dumps(request).encode())[0]):
            logs[log.span_id].append(log)
    told = [
        span
        for request in said["traces"]
        for span in told_spans(request_from_json("traces", json.dumps(request).encode())[0])
    ]
    heard = [
        Heard("default", span.scope.name, normalise(span, logs[span.span_id]))
        for span in told
        if span.scope.name != "application"
    ]
    return CountedCalls().once(heard)


def test_whoever_can_be_played_is_recorded():
    modes = {name for name in NAMES if name.startswith("opentelemetry-openai-")}

    assert {*NAMES} - modes == {*environments.NAMES} - {"opentelemetry-openai"}


# Those that tell of the tool that was called as well. MLflow does so by the name of its span alone.
WITH_TOOLS = (
    "openinference-langchain", "openllmetry-langchain", "pydantic-ai", "langsmith-langchain", "livekit",
    "vercel-4", "vercel-5", "vercel-6", "vercel-7",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_four_calls_are_told_alike(name):
    found = [record_of(span) for span in of_one_call(spans_of(name))]

    assert [differing(*pair) for pair in zip(found, expected(name), strict=True)] == [{}, {}, {}, {}]


@pytest.mark.parametrize("name", NAMES)
def test_no_token_is_counted_twice(name):
    spans = spans_of(name)

    assert sum(span.usage.total_tokens for span in spans) == 4 * 48


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_the_tool_that_was_called_in_between_is_told_as_a_tool(name):
    (called,) = [span for span in spans_of(name) if span.kind == "tool"]

    assert called.tool == "get_weather"
    assert "Kraków" in called.input.replace("\\u00f3", "ó")
    assert "11 degrees and rain" in called.output
