"""What older clients send of traces and observations, as spans that OTLP could have told in Langfuse's own words. Pure.

A trace of theirs is a thing of its own; here it is what its spans say. So what is said of a trace becomes an event in it, marked,
that holds the name, the user, the session and the rest.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.kit.errors import InvalidInputError
from flyball.traces.told import ERROR, OK, Told, ToldScope

from .ids import span_id_of, trace_id_of
from .shapes import nanoseconds

OF_TRACE = "langfuse.internal.trace"  # marks the event that says what is known of a whole trace
_SCOPE = ToldScope(name="langfuse-sdk", version="ingestion")
_TYPES = frozenset(
    {"span", "event", "generation", "agent", "tool", "chain", "retriever", "evaluator", "embedding", "guardrail"}
)
_PLAIN = {
    "name": "langfuse.trace.name",
    "userId": "user.id",
    "sessionId": "session.id",
    "tags": "langfuse.trace.tags",
    "release": "langfuse.release",
    "version": "langfuse.version",
    "environment": "langfuse.environment",
    "public": "langfuse.trace.public",
}
_OF_OBSERVATION = {
    "level": "langfuse.observation.level",
    "statusMessage": "langfuse.observation.status_message",
    "version": "langfuse.version",
    "environment": "langfuse.environment",
    "model": "langfuse.observation.model.name",
    "promptName": "langfuse.observation.prompt.name",
    "promptVersion": "langfuse.observation.prompt.version",
}
_JSON = {
    "input": "langfuse.observation.input",
    "output": "langfuse.observation.output",
    "metadata": "langfuse.observation.metadata",
    "modelParameters": "langfuse.observation.model.parameters",
    "costDetails": "langfuse.observation.cost_details",
}
_LARGEST = 2**63
_COUNTS = {
    "input": "input", "output": "output", "total": "total",
    "promptTokens": "input", "completionTokens": "output", "totalTokens": "total",
}  # fmt: skip


def of_trace(event_id: str, timestamp: str, body: Mapping[str, Any]) -> Told:
    """The event that says what is known of a whole trace."""
    at_ns = _time(body.get("timestamp") or timestamp, "timestamp")
    given = str(body.get("id") or event_id)
    attributes: dict[str, Any] = {OF_TRACE: True, "langfuse.observation.type": "event", "langfuse.trace.id": given}
    attributes |= {ours: _plain(body[theirs]) for theirs, ours in _PLAIN.items() if body.get(theirs) is not None}
    for side in ("input", "output", "metadata"):
        if body.get(side) is not None:
            attributes[f"langfuse.trace.{side}"] = _text(body[side])
    return Told(
        trace_id=trace_id_of(given),
        span_id=span_id_of(f"trace {event_id}"),
        name=str(body.get("name") or "trace"),
        start_ns=at_ns,
        end_ns=at_ns,
        attributes=attributes,
        scope=_SCOPE,
    )


def of_observation(body: Mapping[str, Any]) -> Told:
    """What is known of an observation: a span, which is open while no end is told."""
    trace, observation, parent = (str(body.get(name) or "") for name in ("traceId", "id", "parentObservationId"))
    start_ns = _time(body["startTime"], "startTime")
    kind = str(body.get("type") or "span").lower()
    attributes: dict[str, Any] = {
        "langfuse.observation.type": kind if kind in _TYPES else "span",
        "langfuse.trace.id": trace,
        "langfuse.observation.id": observation,
    }
    attributes |= {
        ours: _plain(body[theirs]) for theirs, ours in _OF_OBSERVATION.items() if body.get(theirs) is not None
    }
    attributes |= {ours: _text(body[theirs]) for theirs, ours in _JSON.items() if body.get(theirs) is not None}
    if usage := _usage(body):
        attributes["langfuse.observation.usage_details"] = _text(usage)
    if body.get("completionStartTime"):
        attributes["langfuse.observation.completion_start_time"] = _text(str(body["completionStartTime"]))
    failed = body.get("level") == "ERROR"
    end_ns = start_ns if kind == "event" else _time(body["endTime"], "endTime") if body.get("endTime") else 0
    return Told(
        trace_id=trace_id_of(trace),
        span_id=span_id_of(observation),
        parent_id=span_id_of(parent),
        name=str(body.get("name") or kind),
        start_ns=start_ns,
        end_ns=max(start_ns, end_ns) if end_ns else 0,
        attributes=attributes,
        status_code=ERROR if failed else OK if end_ns else 0,
        status_message=str(body.get("statusMessage") or "") if failed else "",
        scope=_SCOPE,
    )


def _usage(body: Mapping[str, Any]) -> dict[str, Any]:
    """Counts by their newer names, whichever the client speaks."""
    details, older = body.get("usageDetails"), body.get("usage")
    if isinstance(details, Mapping):
        return dict(details)
    if not isinstance(older, Mapping):
        return {}
    return {_COUNTS[name]: count for name, count in older.items() if name in _COUNTS and isinstance(count, int)}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _plain(value: Any) -> Any:
    """A value that an attribute can have: texts, numbers of 64 bits, lists of texts; all else as JSON."""
    if isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return _text(value)


def _time(value: Any, what: str) -> int:
    told = nanoseconds(str(value), what)
    if not 0 < told < _LARGEST:  # what OTLP's spans may be of, so that none is lost after it was acknowledged
        raise InvalidInputError(
            f"{what}: {value!r:.60} is not between 1970 and 2262", next_step="correct the sender's clock"
        )
    return told
