"""What the four calls of the scenes are, whoever tells of them, and what each instrumentor leaves out or counts otherwise.

The record of a call: kind, provider, models, tokens in their buckets, why it ended, what went in and came out.
"""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.llm.usage import Usage
from flyball.traces.records import Span

SYSTEM, QUESTION, ANSWER = (
    "Answer in one sentence.", "What does a governor do?", "The governor measures the output and corrects the input.",
)  # fmt: skip
WEATHER_QUESTION, WEATHER, WEATHER_ANSWER = (
    "How is the weather in Kraków?",
    "11 degrees and rain",
    "It rains at 11 degrees.",
)
ARGUMENTS = {"city": "Kraków"}
USED = Usage(input_tokens=19, cache_read_tokens=12, output_tokens=12, reasoning_tokens=5)
WITHOUT_REASONING = Usage(input_tokens=19, cache_read_tokens=12, output_tokens=17)
WITHOUT_PARTS = Usage(input_tokens=31, output_tokens=17)
MODELS = {"openai": "gpt-4o-mini", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash"}

_opening = [("system", SYSTEM), ("user", QUESTION)]
_asked = [("user", WEATHER_QUESTION)]
_called = ("assistant", [("get_weather", ARGUMENTS)])
CALLS = (
    (_opening, ANSWER, "stop"),
    (_opening, ANSWER, "stop"),
    (_asked, [("get_weather", ARGUMENTS)], "tool_calls"),
    ([*_asked, _called, ("tool", WEATHER)], WEATHER_ANSWER, "stop"),
)

PROVIDERS = {
    "openinference-anthropic": "anthropic", "openllmetry-anthropic": "anthropic", "openinference-google": "gemini",
    "openllmetry-google": "gemini", "logfire-anthropic": "anthropic", "mlflow-anthropic": "anthropic",
}  # fmt: skip

# (instrumentor, number of the call) -> what of its record is otherwise, and why
OTHERWISE: dict[tuple[str, int], dict[str, Any]] = {}


def _otherwise(instrumentor: str, calls: Iterable[int], **fields: Any) -> None:
    for call in calls:
        OTHERWISE.setdefault((instrumentor, call), {}).update(fields)


# These do not tell how many tokens were reasoning.
_otherwise("openllmetry-langchain", range(4), usage=WITHOUT_REASONING)
_otherwise("openllmetry-openai", [1], usage=WITHOUT_REASONING)
_otherwise("openllmetry-llama-index", [1], usage=WITHOUT_REASONING)
# Google ends with STOP when it calls a tool.
_otherwise("openinference-google", [2], reason="stop")
_otherwise("openllmetry-google", [2], reason="stop")
# It tells a total that is more than what it counts: the rest is taken for reasoning, and marked as estimated.
_otherwise("openllmetry-google", range(4), usage=msgspec.structs.replace(USED, estimated=True))
# It tells Python's words for the last piece of the stream in place of the text.
_otherwise("openllmetry-google", [1], output=None)
# MLflow does not see the streams of Anthropic's client, which tells of them itself, without what was said.
_otherwise("mlflow-anthropic", [1], input=[], output="")
# Nor does it tell how much of the output was reasoning; by OpenTelemetry's names, nor what a cache had.
_otherwise("mlflow-openai", range(4), usage=WITHOUT_REASONING, provider="")
_otherwise("mlflow-langchain", range(4), usage=WITHOUT_REASONING, reason="")
_otherwise("mlflow-openai-genai", range(4), usage=WITHOUT_PARTS, provider="")
# The answers that LangChain passes on name no model there.
_otherwise("langsmith-langchain", range(4), model_response="")
# It never names a provider, and tells why an answer ended of streams alone.
_otherwise("langfuse-openai", range(4), provider="")
_otherwise("langfuse-openai", [0, 2, 3], reason="")
# It names who was called by the address, unless it knows that, and instructs every agent, if in no words.
_otherwise("livekit", range(4), provider=None)
_otherwise("livekit", [2], input=[("system", ""), *CALLS[2][0]])
_otherwise("livekit", [3], input=[("system", ""), *CALLS[3][0]])
# What is not streamed has no parts of its counts in version 5, and in version 7 reasoning is not told.
_otherwise("vercel-5", [0, 2, 3], usage=WITHOUT_PARTS)
_otherwise("vercel-7", range(4), usage=WITHOUT_REASONING)


def record_of(span: Span) -> dict[str, Any]:
    """What is compared of a span."""
    return {
        "kind": span.kind,
        "provider": span.provider,
        "model_requested": span.model_requested,
        "model_response": span.model_response,
        "status": span.status,
        "usage": span.usage,
        "reason": span.finish_reason,
        "input": _messages(span.input),
        "output": _said(span.output),
    }


def expected(instrumentor: str) -> list[dict[str, Any]]:
    """The records of the four calls."""
    name = instrumentor.removeprefix("opentelemetry-openai") or instrumentor
    provider = PROVIDERS.get(instrumentor, "openai")
    of_all = {
        "kind": "llm", "provider": provider, "model_requested": MODELS[provider], "model_response": MODELS[provider],
        "usage": USED,
    }  # fmt: skip
    return [
        of_all | {"input": input_, "output": output, "reason": reason} | OTHERWISE.get((instrumentor, number), {})
        for number, (input_, output, reason) in enumerate(CALLS)
        if name
    ]


def differing(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The fields in which a record is not what it should be; what is None there is not compared."""
    return {name: (found[name], value) for name, value in wanted.items() if value is not None and found[name] != value}


def of_one_call(spans: Iterable[Span]) -> list[Span]:
    """The spans that tell of calls, in order: of two that tell of the same one, the outer, which knows most, with the inner's counts.

    A moment that counts nothing tells of the call before it: Logfire says so what was streamed.
    """
    calls = sorted((span for span in spans if span.kind == "llm" and _tells(span)), key=lambda span: span.start_ns)
    outer: list[Span] = []
    for span in calls:
        if outer and span.start_ns == span.end_ns and not span.usage.total_tokens:
            outer[-1] = msgspec.structs.replace(span, usage=outer[-1].usage)
        elif outer and span.end_ns <= outer[-1].end_ns:
            outer[-1] = msgspec.structs.replace(outer[-1], usage=span.usage)
        else:
            outer.append(span)
    return outer


def _tells(span: Span) -> bool:
    """LlamaIndex has spans of the kind LLM that only prepare a call."""
    return bool(span.usage.total_tokens or span.usage_raw)


def _messages(text: str) -> list[Any]:
    try:
        said = json.loads(text) if text else []
    except ValueError:
        return [("user", text)]
    return [(message["role"], _content(message)) for message in said] if isinstance(said, list) else [said]


def _content(message: dict[str, Any]) -> Any:
    if calls := message.get("tool_calls"):
        return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
    content = message.get("content")
    if message["role"] == "tool" and isinstance(content, str) and content.startswith('{"result"'):
        return json.loads(content)["result"]  # Google's answers of tools are objects
    return content


def _said(text: str) -> Any:
    if text.startswith("["):
        (message,) = json.loads(text)
        return _content(message)
    return text
