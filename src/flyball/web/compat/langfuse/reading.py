"""Traces, observations and sessions as Langfuse's clients fetch them back. What they ask for that is not known here is refused, not ignored."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError, NotFoundError
from flyball.kit.paging import decode_cursor, encode_cursor
from flyball.surface.http import ContextDep, Router
from flyball.traces import service
from flyball.traces.errors import TraceNotFoundError
from flyball.traces.records import PREVIEW, SpanFilter, SpanRow, TraceFilter, TraceRow, TraceTree
from flyball.traces.texts import Texts

from .ids import span_id_of, trace_id_of
from .judging import shown
from .observing import environment_of, head_of, level_of, observation, tells_of_trace, trace, type_of
from .shapes import Asked, Refusal, asked, iso, meta_of, nanoseconds

router = Router("/api/public", tag="langfuse", failure=Refusal)

_MOST_LOOKED_AT = 5_000  # spans or traces of one list, before it says where it stopped
_AT_ONCE = 200
_PAGING = frozenset({"page", "limit", "cursor", "fields", "orderBy", "expandMetadata", "parseIoAsJson"})
_OF_TRACES = frozenset({"userId", "name", "sessionId", "fromTimestamp", "toTimestamp"})
_OF_OBSERVATIONS = frozenset(
    {
        "name", "userId", "sessionId", "type", "traceId", "level", "parentObservationId", "isRootObservation", "environment",
        "fromStartTime", "toStartTime",
    }
)  # fmt: skip


@router.get("/traces/{trace_id}", permission="traces.read", returns=dict[str, Any])
async def get_trace(ctx: ContextDep, trace_id: str) -> dict[str, Any]:
    """A trace with its observations and scores. Reading it is recorded, once an hour."""
    tree = await _tree(ctx, trace_id)
    spans = _spans(tree)
    seen = [span for span in spans if not tells_of_trace(span)]
    texts = {span.span_id: await texts_of(ctx, span) for span in spans}
    return {
        **trace(spans, texts[head_of(spans).span_id]),
        "projectId": ctx.project,
        "observations": [observation(span, texts[span.span_id]) for span in seen],
        "scores": [shown(score) for score in tree.scores],
    }


@router.get("/traces", permission="traces.read", returns=dict[str, Any])
async def list_traces(
    ctx: ContextDep, request: Request, page: int | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Traces, newest first, with the ids of their observations and scores. Reading them is recorded, once an hour."""
    wanted, said = asked(page, limit), request.query_params
    refuse_others(said, _OF_TRACES)
    rows = await _trace_rows(ctx, said, wanted)
    data = []
    for row in rows[wanted.skipped : wanted.skipped + wanted.limit]:
        tree = await service.get_trace(ctx, row.trace_id)
        spans = _spans(tree)
        ids = [span.span_id for span in spans if not tells_of_trace(span)]
        plain = trace(spans, await texts_of(ctx, head_of(spans)))
        data.append({**plain, "observations": ids, "scores": [shown(score).id for score in tree.scores]})
    await _record_reading(ctx, "list")
    return {"data": data, "meta": meta_of(wanted, total=len(rows))}


@router.get("/v2/observations", permission="traces.read", returns=dict[str, Any])
async def list_observations_on(
    ctx: ContextDep,
    request: Request,
    cursor: str = "",
    limit: int = 50,
    parseIoAsJson: bool = False,  # noqa: N803 -- their word
) -> dict[str, Any]:
    """Observations that have ended, newest first, stretch by stretch. Reading them is recorded, once an hour."""
    size = asked(1, limit).limit
    after = decode_cursor(cursor, int, str) if cursor else None
    found, complete = await _observations(ctx, request.query_params, after, size + 1)
    shown_ones = found[:size]
    data = [
        {**observation(span, await texts_of(ctx, span), parsed=parseIoAsJson), "projectId": ctx.project}
        for span in shown_ones
    ]
    await _record_reading(ctx, "list")
    more = shown_ones and (len(found) > size or not complete)
    meta = {"cursor": encode_cursor(shown_ones[-1].start_ns, shown_ones[-1].span_id)} if more else {}
    return {"data": data, "meta": meta}


@router.get("/observations", permission="traces.read", returns=dict[str, Any])
async def list_observations(
    ctx: ContextDep, request: Request, page: int | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Observations that have ended, newest first, of the newest 5,000. Reading them is recorded, once an hour."""
    wanted = asked(page, limit)
    found, _ = await _observations(ctx, request.query_params, None, _MOST_LOOKED_AT)
    on_page = found[wanted.skipped : wanted.skipped + wanted.limit]
    data = [observation(span, await texts_of(ctx, span)) for span in on_page]
    await _record_reading(ctx, "list")
    return {"data": data, "meta": meta_of(wanted, total=len(found))}


@router.get("/observations/{observation_id}", permission="traces.read", returns=dict[str, Any])
async def get_observation(ctx: ContextDep, observation_id: str) -> dict[str, Any]:
    """One observation. Reading it is recorded, once an hour."""
    [*found] = await service.list_spans(ctx, SpanFilter(span_id=span_id_of(observation_id)), most=1)
    if not found:
        raise NotFoundError(
            f"there is no observation {observation_id!r:.100}", next_step="list the observations of its trace"
        )
    await _record_reading(ctx, found[0].trace_id)
    return observation(found[0], await texts_of(ctx, found[0]))


@router.get("/sessions/{session_id:path}", permission="traces.read", returns=dict[str, Any])
async def get_session(ctx: ContextDep, session_id: str) -> dict[str, Any]:
    """A session with its traces, the newest 1,000. Reading it is recorded, once an hour."""
    rows = await _trace_rows(ctx, {"sessionId": session_id}, Asked(page=1, limit=1_000))
    if not rows:
        raise NotFoundError(
            f"there is no session {session_id!r:.100}", next_step="list the traces to see their sessions"
        )
    traces = []
    for row in rows:
        spans = _spans(await service.get_trace(ctx, row.trace_id))
        traces.append(trace(spans, await texts_of(ctx, head_of(spans))))
    await _record_reading(ctx, "list")
    return {
        "id": session_id,
        "createdAt": iso(min(row.start_ns for row in rows)),
        "projectId": ctx.project,
        "environment": traces[0]["environment"],
        "traces": traces,
    }


async def _tree(ctx: Context, given: str) -> TraceTree:
    trace_id = trace_id_of(given)
    try:
        tree = await service.wait_for_trace(ctx, trace_id)
    except TraceNotFoundError:
        raise TraceNotFoundError(
            f"there is no trace {given!r:.100}", next_step="list the traces to see which there are"
        ) from None
    await _record_reading(ctx, trace_id)
    return tree


def _spans(tree: TraceTree) -> list[SpanRow]:
    return sorted((node.span for node in tree.nodes), key=lambda span: (span.start_ns, span.span_id))


async def texts_of(ctx: Context, span: SpanRow) -> Texts:
    """Both texts, whole; where the previews are that already, nothing is read for them."""
    previews = Texts(span.input_preview, span.output_preview)
    return previews if max(map(len, previews)) < PREVIEW else await service.get_texts(ctx, span)


async def _trace_rows(ctx: Context, said: Mapping[str, str], wanted: Asked) -> list[TraceRow]:
    """The traces that fit, as far as the wanted page and one more reach."""
    since = nanoseconds(said["fromTimestamp"], "fromTimestamp") if said.get("fromTimestamp") else 0
    until = nanoseconds(said["toTimestamp"], "toTimestamp") if said.get("toTimestamp") else 2**62
    narrowed = TraceFilter(session_id=said.get("sessionId", ""), since_ns=since)
    found: list[TraceRow] = []
    cursor, looked_at = "", 0
    while len(found) <= wanted.skipped + wanted.limit and looked_at < _MOST_LOOKED_AT:
        listed = await service.list_traces(ctx, narrowed, cursor=cursor, limit=_AT_ONCE)
        looked_at += _AT_ONCE
        found += [
            row
            for row in listed.items
            if row.start_ns <= until
            and said.get("userId", row.user_id) in {"", row.user_id}
            and said.get("name", row.name) == row.name
        ]
        if listed.next is None:
            break
        cursor = listed.next
    return found


async def _observations(
    ctx: Context, said: Mapping[str, str], after: tuple[Any, ...] | None, most: int
) -> tuple[list[SpanRow], bool]:
    """Up to so many observations that fit, and whether there are no more."""
    refuse_others(said, _OF_OBSERVATIONS)
    wanted = SpanFilter(
        trace_id=trace_id_of(said.get("traceId", "")),
        parent_id=span_id_of(said.get("parentObservationId", "")),
        name=said.get("name", ""),
        user_id=said.get("userId", ""),
        session_id=said.get("sessionId", ""),
        since_ns=nanoseconds(said["fromStartTime"], "fromStartTime") if said.get("fromStartTime") else 0,
        until_ns=nanoseconds(said["toStartTime"], "toStartTime") if said.get("toStartTime") else 2**62,
    )
    fits = _fitting(said)
    found: list[SpanRow] = []
    for _ in range(0, _MOST_LOOKED_AT, _AT_ONCE):
        spans = await service.list_spans(ctx, wanted, after=(after[0], after[1]) if after else None, most=_AT_ONCE)
        found += [span for span in spans if fits(span)]
        if len(spans) < _AT_ONCE:
            return found[:most], len(found) <= most
        if len(found) >= most:
            break
        after = (spans[-1].start_ns, spans[-1].span_id)
    return found[:most], False


def _fitting(said: Mapping[str, str]) -> Callable[[SpanRow], bool]:
    root = {"true": True, "false": False}.get(said.get("isRootObservation", "").lower())

    def fits(span: SpanRow) -> bool:
        return (
            not tells_of_trace(span)
            and said.get("type", "") in {"", type_of(span)}
            and said.get("level", "") in {"", level_of(span)}
            and said.get("environment", "") in {"", environment_of(span)}
            and (root is None or root is (not span.parent_id))
        )

    return fits


def refuse_others(said: Mapping[str, str], known: Sequence[str] | frozenset[str]) -> None:
    """Raise InvalidInputError for a narrowing that would be ignored."""
    others = sorted(name for name, value in said.items() if name not in known and name not in _PAGING and value)
    if others:
        raise InvalidInputError(
            f"this list cannot be narrowed by {', '.join(others):.200} yet",
            next_step=f"leave it out, or narrow by {', '.join(sorted(known))}",
        )


async def _record_reading(ctx: Context, what: str) -> None:
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=what)
