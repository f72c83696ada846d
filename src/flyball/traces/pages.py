"""Traces and scores as pages: the list by keyset, one trace as a tree with its texts, feedback on it. Parse, one verb, render."""

import asyncio

import msgspec

from flyball.audit import service as audit
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import erasing, renormalising, retention, service
from .conversation import Line, conversation
from .errors import ErasureInvalidError, RetentionInvalidError
from .log_lines import LogLine, lines_of
from .records import Score, SpanNode, SpanRow, TraceCounts, TraceFilter, TraceRow, TraceTree
from .retention import Retention
from .signal_records import LogFilter

pages = Pages(tag="traces", section="/traces")
score_pages = Pages(tag="scores", section="/scores")

_LONGEST_TEXT = 20_000
_MOST_NODES = 2_000
_MOST_LOGS = 50


class TraceList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows. `query` is the filter as it stands in the address of the next page."""

    traces: tuple[TraceRow, ...]
    counts: TraceCounts
    next: str | None
    first: bool
    wanted: TraceFilter
    filtered: bool


class TracePage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows. `chosen` is the span whose texts are open; `hidden` counts nodes left out.

    `logs` are its newest log records in order of time, `more_logs` says that there are older ones; `names` are those of spans.
    """

    tree: TraceTree
    nodes: tuple[SpanNode, ...]
    hidden: int
    chosen: SpanRow
    input: tuple[Line, ...]
    output: tuple[Line, ...]
    cut: bool
    logs: tuple[LogLine, ...]
    more_logs: bool
    names: dict[str, str]
    begin_ns: int
    length_ns: int


class KeepingPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/keeping.html shows."""

    retention: Retention


class ScoreList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/scores.html shows."""

    scores: tuple[Score, ...]
    next: str | None
    first: bool
    name: str


@pages.get("/traces", permission="traces.read", template="traces/list.html")
async def list_traces(
    ctx: ContextDep, *, function: str = "", release: str = "", status: str = "", text: str = "", cursor: str = ""
) -> TraceList:
    """The project's traces, newest first."""
    wanted = TraceFilter(function=function.strip(), release=release.strip(), status=status, text=text.strip())
    found, counts = await asyncio.gather(
        service.list_traces(ctx, wanted, cursor=cursor, limit=50), service.count_lately(ctx)
    )
    return TraceList(
        traces=found.items,
        counts=counts,
        next=found.next,
        first=not cursor,
        wanted=wanted,
        filtered=wanted != TraceFilter(),
    )


@pages.get("/traces/kept", permission="traces.erase", template="traces/keeping.html")
async def show_kept(ctx: ContextDep) -> KeepingPage:
    """How long traces are kept, and erasing them."""
    return KeepingPage(retention=await retention.get_retention(ctx))


@pages.post("/traces/kept/retention", permission="traces.erase")
async def set_retention(ctx: ContextDep, form: FormDep) -> See:
    """Keep so many days."""
    days = form.get("days", "").strip()
    if days and not (days.isascii() and days.isdigit() and len(days) <= 6):
        raise RetentionInvalidError(f"{days!r:.20} is no number of days", next_step="give a number, or nothing")
    await retention.set_retention(ctx, int(days) if days else None)
    return See("/traces/kept", "That is how long traces are kept.")


@pages.post("/traces/kept/expirations", permission="traces.erase")
async def start_expiration(ctx: ContextDep) -> See:
    """Take out what is older than is kept."""
    run = await retention.expire_later(ctx)
    return See(f"/runs/{run.id}", "It is being taken out.")


@pages.post("/traces/kept/renormalisations", permission="traces.erase")
async def start_renormalisation(ctx: ContextDep) -> See:
    """Read all stored spans again with the newest mapping."""
    run = await renormalising.renormalise_later(ctx)
    return See(f"/runs/{run.id}", "The spans are being read again.")


@pages.post("/traces/kept/erasures", permission="traces.erase")
async def start_erasure(ctx: ContextDep, form: FormDep) -> See:
    """Erase one trace, or all of a session or a user."""
    what = form.get("what", "")
    if what not in erasing.WHATS:
        raise ErasureInvalidError(f"{what!r:.20} cannot be erased", next_step="choose a trace, a session or a user")
    run = await erasing.erase_later(ctx, what, form.get("named", "").strip())
    return See(f"/runs/{run.id}", "The erasure is queued.")


@pages.get("/traces/{trace_id}", permission="traces.read", template="traces/show.html")
async def show_trace(ctx: ContextDep, trace_id: str, span: str = "") -> TracePage:
    """One trace: its tree, and the texts of one of its spans."""
    tree = await service.get_trace(ctx, trace_id)
    chosen = next((node.span for node in tree.nodes if node.span.span_id == span), tree.nodes[0].span)
    texts = await service.get_texts(ctx, chosen)
    asked, answered = (conversation(text, longest=_LONGEST_TEXT) for text in texts)
    logs = await service.list_logs(ctx, LogFilter(trace_id=trace_id), limit=_MOST_LOGS)
    await audit.record_read(ctx, action="traces.read", object_kind="trace", object_id=trace_id)
    return TracePage(
        tree=tree,
        nodes=tree.nodes[:_MOST_NODES],
        hidden=max(0, len(tree.nodes) - _MOST_NODES),
        chosen=chosen,
        input=asked.lines,
        output=answered.lines,
        cut=asked.cut or answered.cut,
        logs=lines_of(reversed(logs.items)),
        more_logs=logs.next is not None,
        names={node.span.span_id: node.span.name for node in tree.nodes} if logs.items else {},
        begin_ns=min(node.span.start_ns for node in tree.nodes),
        length_ns=max(1, max(node.span.end_ns for node in tree.nodes) - min(node.span.start_ns for node in tree.nodes)),
    )


@pages.post("/traces/{trace_id}/feedback", permission="scores.write")
async def give_feedback(ctx: ContextDep, trace_id: str, form: FormDep) -> See:
    """Keep what a person thinks of the answer."""
    value = 1.0 if form.get("value") == "up" else -1.0
    await service.record_feedback(ctx, trace_id, value, form.get("comment", ""), correction=form.get("correction", ""))
    return See(f"/traces/{trace_id}", "The feedback is kept.")


@score_pages.get("/scores", permission="scores.read", template="traces/scores.html")
async def list_scores(ctx: ContextDep, name: str = "", cursor: str = "") -> ScoreList:
    """The project's scores, newest first."""
    found = await service.list_scores(ctx, name=name.strip(), cursor=cursor)
    await audit.record_read(ctx, action="scores.read", object_kind="project", object_id=ctx.project)
    return ScoreList(scores=found.items, next=found.next, first=not cursor, name=name.strip())
