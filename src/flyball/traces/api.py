"""The HTTP face of traces and scores: parse, one verb, answer."""

from typing import Annotated

import msgspec
from fastapi import Depends

from flyball.audit import service as audit
from flyball.kit.paging import Page
from flyball.runs.records import Run
from flyball.surface.http import Body, ContextDep, Router

from . import aside, erasing, renormalising, retention, service
from .aside import Aside, AsideShown, Retried
from .errors import SpanRefusedError
from .export import Exported
from .records import Score, Side, Span, TraceCounts, TraceFilter, TraceRow, TraceTree
from .retention import Retention

router = Router("/api", tag="traces")

MOST_SPANS = 10_000


class NewSpans(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ended spans of an application; their project is that of the key."""

    spans: Annotated[tuple[Span, ...], msgspec.Meta(max_length=MOST_SPANS)]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How many spans were taken, and how many of them were new."""

    taken: int
    new: int


class NewFeedback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person thinks of a trace: 1 is a thumbs-up, -1 a thumbs-down.

    `correction` is what the answer should have been. Under one `identifier` the newest counts.
    """

    trace_id: str
    value: float
    comment: str = ""
    correction: str = ""
    identifier: str = ""


class NewRetention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many days to keep: 0 for ever, null as the server's setting says."""

    days: int | None


class NewRenormalisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which spans to read again: those that began at this time or after."""

    since_ns: int = 0


class NewErasure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to erase: the trace, or all traces of the session or user, with this id."""

    what: erasing.What
    named: str


class NewRetry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to try again: one that was set aside, null: all."""

    id: int | None = None


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A span's whole input or output."""

    text: str


@router.post("/traces/spans", permission="traces.write", returns=Kept)
async def take_spans(ctx: ContextDep, sent: NewSpans = Body(NewSpans)) -> Kept:
    """Keep spans. When this answers, they are durable; sending the same again changes nothing."""
    return Kept(taken=len(sent.spans), new=await service.take_spans(ctx, sent.spans))


class Wanted:
    """What a list of traces is narrowed to, from the query."""

    def __init__(
        self,
        *,
        function: str = "",
        release: str = "",
        status: str = "",
        session: str = "",
        text: str = "",
        since_ns: int = 0,
    ) -> None:
        self.filter = TraceFilter(
            function=function, release=release, status=status, session_id=session, text=text, since_ns=_time(since_ns)
        )


@router.get("/traces", permission="traces.read", returns=Page[TraceRow])
async def list_traces(
    ctx: ContextDep, wanted: Annotated[Wanted, Depends()], cursor: str = "", limit: int = 50
) -> Page[TraceRow]:
    """The project's traces, newest first. A search for a text may answer a page with few items and a next one."""
    return await service.list_traces(ctx, wanted.filter, cursor=cursor, limit=limit)


@router.get("/traces/counts", permission="traces.read", returns=TraceCounts)
async def count_traces(ctx: ContextDep, since_ns: int = 0) -> TraceCounts:
    """How many traces, spans and failed traces there are, and how far the tables lag behind."""
    return await service.count_traces(ctx, since_ns=_time(since_ns))


@router.get("/traces/retention", permission="traces.read", returns=Retention)
async def get_retention(ctx: ContextDep) -> Retention:
    """For how many days the project keeps traces, logs, metrics and scores."""
    return await retention.get_retention(ctx)


@router.put("/traces/retention", permission="traces.erase", returns=Retention)
async def set_retention(ctx: ContextDep, new: NewRetention = Body(NewRetention)) -> Retention:
    """Keep so many days; what is older is taken out within the hour, and cannot be had again."""
    return await retention.set_retention(ctx, new.days)


@router.post("/traces/expirations", permission="traces.erase", returns=Run, status=202)
async def start_expiration(ctx: ContextDep) -> Run:
    """Take out what is older than is kept now, instead of within the hour; the run's result says what went."""
    return await retention.expire_later(ctx)


@router.post("/traces/renormalisations", permission="traces.erase", returns=Run, status=202)
async def start_renormalisation(ctx: ContextDep, new: NewRenormalisation = Body(NewRenormalisation)) -> Run:
    """Read stored spans again with the newest mapping of their dialect; the run's result says how many."""
    return await renormalising.renormalise_later(ctx, since_ns=new.since_ns)


@router.post("/traces/erasures", permission="traces.erase", returns=Run, status=202)
async def start_erasure(ctx: ContextDep, new: NewErasure = Body(NewErasure)) -> Run:
    """Erase one trace, or all of a session or a user, for good; the run's result says what went."""
    return await erasing.erase_later(ctx, new.what, new.named)


@router.get("/traces/aside", permission="traces.read", returns=Page[Aside])
async def list_aside(ctx: ContextDep, cursor: str = "", limit: int = 50) -> Page[Aside]:
    """Records that cannot be moved into their tables, and why, the earliest first. Looking is recorded, once an hour."""
    found = await aside.list_aside(ctx, cursor=cursor, limit=limit)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id="aside")
    return found


@router.get("/traces/aside/{number}", permission="traces.read", returns=AsideShown)
async def show_aside(ctx: ContextDep, number: int) -> AsideShown:
    """One of them with what it holds. Looking is recorded, once an hour."""
    found = await aside.show_aside(ctx, number)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id="aside")
    return found


@router.post("/traces/retries", permission="traces.erase", returns=Retried)
async def retry_aside(ctx: ContextDep, new: NewRetry = Body(NewRetry)) -> Retried:
    """Try what was set aside again: it is moved into its table within seconds, or set aside again."""
    return await aside.retry_aside(ctx, new.id)


@router.get("/traces/{trace_id}", permission="traces.read", returns=TraceTree)
async def get_trace(ctx: ContextDep, trace_id: str) -> TraceTree:
    """One trace: its spans as a tree, and the scores that count. Reading it is recorded, once an hour."""
    tree = await service.get_trace(ctx, trace_id)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=trace_id)
    return tree


@router.get("/traces/{trace_id}/otlp", permission="traces.read", returns=Exported)
async def export_trace(ctx: ContextDep, trace_id: str) -> Exported:
    """One trace in OTLP's JSON: what was taken in by OTLP comes out the same. Reading it is recorded, once an hour."""
    found = await service.export_trace(ctx, trace_id)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=trace_id)
    return found


@router.get("/traces/{trace_id}/spans/{span_id}/{side}", permission="traces.read", returns=Text)
async def get_text(ctx: ContextDep, trace_id: str, span_id: str, side: Side) -> Text:
    """A span's whole `input` or `output`. Reading it is recorded, once an hour for each trace."""
    text = await service.get_text(ctx, trace_id, span_id, side)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=trace_id)
    return Text(text=text)


@router.post("/feedback", permission="scores.write", returns=Score, status=201)
async def record_feedback(ctx: ContextDep, said: NewFeedback = Body(NewFeedback)) -> Score:
    """Keep what a person thinks of a trace."""
    return await service.record_feedback(
        ctx, said.trace_id, said.value, said.comment, said.identifier, correction=said.correction
    )


@router.get("/scores", permission="scores.read", returns=Page[Score])
async def list_scores(
    ctx: ContextDep, name: str = "", trace: str = "", cursor: str = "", limit: int = 50
) -> Page[Score]:
    """The project's scores, newest first, superseded ones included. Reading them is recorded, once an hour."""
    found = await service.list_scores(ctx, name=name, trace_id=trace, cursor=cursor, limit=limit)
    await audit.record_read(ctx, action="scores.read", object_kind="project", object_id=ctx.project)
    return found


def _time(ns: int) -> int:
    if not 0 <= ns <= 2**62:
        raise SpanRefusedError(f"{ns} is no time", next_step="give nanoseconds since 1970")
    return ns
