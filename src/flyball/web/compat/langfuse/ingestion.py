"""The batch of events by which older clients send everything, and newer ones their scores. Each event is answered for itself."""

from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

import msgspec

from flyball.infra.context import Context
from flyball.kit.errors import FlyballError, InvalidInputError
from flyball.surface.http import Body, ContextDep, Json, Router
from flyball.surface.http.identity import require
from flyball.traces import parts, service
from flyball.traces.otlp.encoding import spans_request
from flyball.traces.otlp.gate import gate_of
from flyball.traces.otlp.taking import take_request
from flyball.traces.parts import Place
from flyball.traces.records import Score
from flyball.traces.told import Told

from .ids import span_id_of, trace_id_of
from .judging import judged, read
from .shapes import Id, Refusal
from .telling import of_observation, of_trace

router = Router("/api/public", tag="langfuse", failure=Refusal)

_MOST_EVENTS = 10_000
_ANY_TIME = "2026-01-01T00:00:00Z"
_KINDS = {"span-": "span", "generation-": "generation", "event-": "event", "observation-": ""}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event: what happened to which thing, and what is said of it."""

    id: Id
    type: Annotated[str, msgspec.Meta(max_length=100)]
    timestamp: str = ""
    body: dict[str, Any] = {}


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Events in the order in which they happened."""

    batch: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(max_length=_MOST_EVENTS)]
    metadata: Any = None


class Success(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is kept."""

    id: str
    status: int = 201


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is not, and why."""

    id: str
    status: int
    message: str
    error: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each event."""

    successes: tuple[Success, ...]
    errors: tuple[Trouble, ...]


class _Sorted:
    """The events of a batch by what they are to become."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        self.observations: dict[Place, dict[str, Any]] = {}
        self.scores: list[Score] = []
        self.done: list[str] = []
        self.failed: list[Trouble] = []


class _Known(NamedTuple):
    spans: list[Told]
    ended: list[Place]


@router.post("/ingestion", permission="scores.write", returns=Outcome, status=207)
async def ingest(ctx: ContextDep, sent: Batch = Body(Batch)) -> Json:
    """Keep what a batch of events says of traces, observations and scores; when this answers, it is durable."""
    found = _Sorted()
    for one in sent.batch:
        id_ = str(one.get("id") or "")
        try:
            await _sort(ctx, msgspec.convert(one, Event), found)
            found.done.append(id_)
        except msgspec.ValidationError as error:
            found.failed.append(Trouble(id=id_, status=400, message=f"{error}".replace("`", ""), error="invalid_input"))
        except FlyballError as error:
            found.failed.append(Trouble(id=id_, status=error.status, message=error.message, error=error.code))
    if found.spans or found.observations:
        require(ctx, "traces.write")
        gate_of(ctx).check()  # what is told in parts waits on the same disk
    known = _told(await parts.add_parts(ctx, found.observations))
    spans = [*found.spans, *known.spans]
    if spans:
        await take_request(ctx, "traces", spans_request(spans).SerializeToString())
    await parts.forget_parts(ctx, known.ended)
    await service.record_scores(ctx, found.scores)
    outcome = Outcome(successes=tuple(Success(id=one) for one in found.done), errors=tuple(found.failed))
    return Json(outcome, status_code=207)


async def _sort(ctx: Context, event: Event, found: _Sorted) -> None:
    """Put an event where it belongs. Raises InvalidInputError, and what a score raises."""
    if event.type == "score-create":
        found.scores.append(await judged(ctx, read(event.body), event.timestamp or None))
    elif event.type == "trace-create":
        found.spans.append(of_trace(event.id, event.timestamp, event.body))
    elif kind := next((name for name in _KINDS if event.type.startswith(name)), ""):
        _add(found.observations, event, _KINDS[kind])
    elif event.type != "sdk-log":
        raise InvalidInputError(f"there is no event {event.type!r:.60}", next_step="see docs/langfuse.md")


def _add(observations: dict[Place, dict[str, Any]], event: Event, kind: str) -> None:
    body = {name: value for name, value in event.body.items() if value is not None}
    id_ = str(body.get("id") or event.id)
    trace = str(body.get("traceId") or id_)  # an observation of no trace is one by itself
    said = body | {"id": id_, "traceId": trace}
    if kind and "type" not in said:
        said["type"] = kind
    if event.type.endswith("-create"):
        said.setdefault("startTime", event.timestamp)
    of_observation({"startTime": _ANY_TIME} | said)  # whether it can be told is this event's to answer for
    place = Place(trace_id_of(trace), span_id_of(id_))
    observations[place] = {**observations.get(place, {}), **said}


def _told(whole: dict[Place, dict[str, Any]]) -> _Known:
    """The spans of what is known by now; those whose beginning is not known yet are waited for."""
    spans, ended = [], []
    for place, body in _begun(whole):
        told = of_observation(body)
        spans.append(told)
        if told.end_ns:
            ended.append(place)
    return _Known(spans, ended)


def _begun(whole: dict[Place, dict[str, Any]]) -> Iterable[tuple[Place, dict[str, Any]]]:
    return ((place, body) for place, body in whole.items() if body.get("startTime"))
