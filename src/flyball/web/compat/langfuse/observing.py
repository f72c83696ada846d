"""A span of ours as an observation of theirs, and the spans of a trace as a trace. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from flyball.traces.records import SpanRow
from flyball.traces.texts import Texts

from .shapes import iso
from .telling import OF_TRACE

_OBSERVATION, _TRACE = "langfuse.observation.", "langfuse.trace."
_TYPES = {
    "llm": "GENERATION", "embedding": "EMBEDDING", "agent": "AGENT", "tool": "TOOL", "chain": "CHAIN",
    "retrieval": "RETRIEVER", "evaluator": "EVALUATOR", "guardrail": "GUARDRAIL", "event": "EVENT",
}  # fmt: skip
_NANO = 1_000_000_000
_MOST_USD = 1e300  # JSON knows whole numbers that no float holds
_UNKNOWN = object()


def tells_of_trace(span: SpanRow) -> bool:
    """Whether the span is no observation, but what an older client said of a whole trace."""
    return bool(span.attributes.get(OF_TRACE))


def type_of(span: SpanRow) -> str:
    """Which kind of observation it is."""
    said = span.attributes.get(f"{_OBSERVATION}type")
    return said.upper() if isinstance(said, str) and said else _TYPES.get(span.kind, "SPAN")


def level_of(span: SpanRow) -> str:
    """How grave it is."""
    said = span.attributes.get(f"{_OBSERVATION}level")
    return (
        said if said in {"DEBUG", "DEFAULT", "WARNING", "ERROR"} else "ERROR" if span.status == "error" else "DEFAULT"
    )


def environment_of(span: SpanRow) -> str:
    """The environment that it says it is of."""
    return str(span.attributes.get("langfuse.environment") or "default")


def observation(span: SpanRow, texts: Texts, *, parsed: bool = True) -> dict[str, Any]:
    """The span as any of their versions reads it; `parsed`: what went in and came out as values, not as texts."""
    said = span.attributes
    usage, cost = _usage(span), _cost(span)
    model = span.model_response or span.model_requested or None
    started, ended = iso(span.start_ns), None if span.running else iso(span.end_ns)
    first = loaded(said.get(f"{_OBSERVATION}completion_start_time"))
    latency = None if span.running else (span.end_ns - span.start_ns) / _NANO
    total = cost.get("total")
    prompt = said.get(f"{_OBSERVATION}prompt.version")
    return {
        "id": span.span_id,
        "traceId": span.trace_id,
        "type": type_of(span),
        "name": span.name,
        "startTime": started,
        "endTime": ended,
        "completionStartTime": first if isinstance(first, str) else None,
        "createdAt": started,
        "updatedAt": ended or started,
        "model": model,
        "providedModelName": model,
        "modelParameters": loaded(said.get(f"{_OBSERVATION}model.parameters"), {}),
        "input": loaded(texts.input) if parsed else texts.input or None,
        "output": loaded(texts.output) if parsed else texts.output or None,
        "metadata": metadata_of(said, _OBSERVATION),
        "version": said.get("langfuse.version"),
        "release": said.get("langfuse.release"),
        "level": level_of(span),
        "statusMessage": said.get(f"{_OBSERVATION}status_message") or span.error or None,
        "parentObservationId": span.parent_id or None,
        "isRootObservation": not span.parent_id,
        "environment": environment_of(span),
        "userId": span.user_id or None,
        "sessionId": span.session_id or None,
        "traceName": span.trace_name or None,
        "tags": list(span.tags),
        "promptId": None,
        "promptName": said.get(f"{_OBSERVATION}prompt.name"),
        "promptVersion": prompt if isinstance(prompt, int) else None,
        "usage": {
            "input": usage["input"], "output": usage["output"], "total": usage["total"], "unit": "TOKENS",
            "inputCost": cost.get("input"), "outputCost": cost.get("output"), "totalCost": total,
        },
        "usageDetails": {name: count for name, count in usage.items() if count},
        "costDetails": cost,
        "totalCost": total,
        "calculatedInputCost": cost.get("input"),
        "calculatedOutputCost": cost.get("output"),
        "calculatedTotalCost": total,
        "latency": latency,
        "timeToFirstToken": None,
    }  # fmt: skip


def trace(spans: Sequence[SpanRow], texts: Texts) -> dict[str, Any]:
    """The trace that these spans are, in order of their start; `texts` are those of its head."""
    head = head_of(spans)
    said = {
        name: value for span in reversed(spans) for name, value in span.attributes.items() if name.startswith(_TRACE)
    }
    costs = [span.cost_nano_usd for span in spans if span.cost_nano_usd is not None]
    own = {side: loaded(said.get(f"{_TRACE}{side}"), _UNKNOWN) for side in ("input", "output")}
    return {
        "id": head.trace_id,
        "timestamp": iso(spans[0].start_ns),
        "name": _first(span.trace_name for span in spans) or head.name,
        "input": loaded(texts.input) if own["input"] is _UNKNOWN else own["input"],
        "output": loaded(texts.output) if own["output"] is _UNKNOWN else own["output"],
        "sessionId": _first(span.session_id for span in spans) or None,
        "userId": _first(span.user_id for span in spans) or None,
        "release": _first(str(span.attributes.get("langfuse.release") or "") for span in spans) or None,
        "version": _first(str(span.attributes.get("langfuse.version") or "") for span in spans) or None,
        "metadata": metadata_of(said, _TRACE),
        "tags": sorted({tag for span in spans for tag in span.tags}),
        "public": bool(said.get(f"{_TRACE}public")),
        "environment": environment_of(head),
        "createdAt": iso(spans[0].start_ns),
        "updatedAt": iso(max(span.end_ns for span in spans)),
        "htmlPath": f"/traces/{head.trace_id}",
        "latency": (max(span.end_ns for span in spans) - spans[0].start_ns) / _NANO,
        "totalCost": sum(costs) / _NANO if costs else None,
    }


def head_of(spans: Sequence[SpanRow]) -> SpanRow:
    """The span by which a trace is called: the first that enters it, and is an observation."""
    return min(spans, key=lambda span: (tells_of_trace(span), not span.entry, span.start_ns))


def metadata_of(said: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What was added under keys of the application's own."""
    whole = loaded(said.get(f"{prefix}metadata"), {})
    found = dict(whole) if isinstance(whole, dict) else {"metadata": whole}
    inner = f"{prefix}metadata."
    return found | {name.removeprefix(inner): loaded(value) for name, value in said.items() if name.startswith(inner)}


def _usage(span: SpanRow) -> dict[str, int]:
    """Token counts that exclude each other, and their sum; `input` and `output` hold what has no name of its own."""
    counts = {
        "input": span.input_tokens,
        "output": span.output_tokens,
        "input_cached_tokens": span.cache_read_tokens,
        "input_cache_creation": span.cache_write_tokens,
        "output_reasoning_tokens": span.reasoning_tokens,
    }
    return counts | {"total": sum(counts.values())}


def _cost(span: SpanRow) -> dict[str, float]:
    """US dollars by what they were for, as told; the sum as flyball has it. Empty while the price is unknown."""
    if span.cost_nano_usd is None:
        return {}
    told = loaded(span.attributes.get(f"{_OBSERVATION}cost_details"), {})
    parts = (
        {
            name: float(value)
            for name, value in told.items()
            if isinstance(value, int | float) and abs(value) < _MOST_USD
        }
        if isinstance(told, dict)
        else {}
    )
    return parts | {"total": span.cost_nano_usd / _NANO}


def loaded(value: Any, otherwise: Any = None) -> Any:
    """A text that is JSON as its value; any other as it is, and nothing as `otherwise`."""
    if value is None or value == "":
        return otherwise
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return value


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")
