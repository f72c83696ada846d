"""The verbs of traces: take spans in, judge, list, read. What the faces call; every one acts in the context's project alone.

Knows ids, times and what a caller may say. Reading is `queries`, `tree` and `scores`; moving is `flusher`.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Database
from flyball.kit.ids import new_id
from flyball.kit.lately import Lately
from flyball.kit.paging import Page

from . import export, inbox, log_lists, metric_lists, queries, scores, signal_export, span_lists, texts, tree
from .errors import SpanRefusedError, TraceNotFoundError
from .export import Exported
from .otlp.gate import gate_of
from .records import (
    APPLICATION,
    Activity,
    Score,
    ScoreFilter,
    Side,
    Span,
    SpanFilter,
    SpanRow,
    TraceCounts,
    TraceFilter,
    TraceRow,
    TraceTree,
)
from .signal_records import ExportedPage, LogFilter, LogRow, Metric, MetricSeries, PointFilter
from .texts import Texts

FEEDBACK = "feedback"

_TRACE_ID = re.compile("[0-9a-f]{32}")
_PATIENCE_SECONDS = 2.0  # how long feedback waits for a trace that is on its way from a gateway's spool
_POLL_SECONDS = 0.1
_LONGEST = {"comment": 10_000, "correction": 100_000, "identifier": 200}  # characters of a feedback
_LATELY: WeakKeyDictionary[Database, Lately[Any]] = WeakKeyDictionary()  # what pages show again and again


async def take_spans(ctx: Context, spans: Iterable[Span]) -> int:
    """Keep spans of an application; how many were new. On return they are durable; sending them again changes nothing.

    Raises:
        SpanRefusedError: a span that ends before it starts. None of the spans is kept then.
        IngestBehindError, IngestDiskFullError: not now; `retry_after` says when.
    """
    items = []
    for span in spans:
        if span.end_ns < span.start_ns:
            raise SpanRefusedError(
                f"span {span.key} ends at {span.end_ns}, before it starts at {span.start_ns}",
                next_step="send the times in nanoseconds since 1970, start first",
            )
        # Whoever sends it says what it likes; that it was sent, and by whom, is ours to say.
        own = msgspec.structs.replace(span, project=ctx.project, key_id=ctx.actor.id, scope=APPLICATION)
        items.append(inbox.span_item(own))
    if not items:
        return 0
    gate_of(ctx).let(sum(len(item.body) for item in items))
    async with ctx.db.transaction() as connection:
        new = await inbox.append(connection, items, now_ns=ctx.clock.now_ns())
    ctx.tally.count("acknowledged", new, of="span")
    return new


async def record_score(ctx: Context, score: Score) -> bool:
    """Append a score; False when its identifier says the same already."""
    async with ctx.db.transaction() as connection:
        new = await scores.append(
            connection, msgspec.structs.replace(score, project=ctx.project), now_ns=ctx.clock.now_ns()
        )
    ctx.tally.count("acknowledged", int(new), of="score")
    return new


async def record_scores(ctx: Context, given: Iterable[Score]) -> int:
    """Append scores, all or none; how many of them said something new."""
    new = 0
    async with ctx.db.transaction() as connection:
        for score in sorted(
            given, key=lambda score: (score.target_id, score.name, score.identifier)
        ):  # one order for all
            own = msgspec.structs.replace(score, project=ctx.project)
            new += await scores.append(connection, own, now_ns=ctx.clock.now_ns())
    return new


async def record_feedback(
    ctx: Context, trace_id: str, value: float, comment: str = "", identifier: str = "", *, correction: str = ""
) -> Score:
    """What a person thinks of a trace: 1 is a thumbs-up, -1 a thumbs-down, anything between is allowed.

    `correction` is what the answer should have been. Under one `identifier` (the actor's id unless given) the newest counts;
    who says the same again gets the score that was kept the first time.

    Raises:
        SpanRefusedError: a value out of range, or a text that is too long.
        TraceNotFoundError: there is no such trace, even after a moment.
    """
    if not -1 <= value <= 1:
        raise SpanRefusedError(f"feedback of {value} is out of range", next_step="give a value from -1 to 1")
    for name, text in (("comment", comment), ("correction", correction), ("identifier", identifier)):
        if len(text) > _LONGEST[name]:
            raise SpanRefusedError(
                f"the {name} of a feedback has {len(text):,} characters; the most is {_LONGEST[name]:,}",
                next_step="say it in fewer words",
            )
    await wait_for_trace(ctx, trace_id)
    now_ns = ctx.clock.now_ns()
    score = Score(
        score_id=new_id("sc", now_ns),
        target_kind="trace",
        target_id=trace_id,
        trace_id=trace_id,
        name=FEEDBACK,
        created_ns=now_ns,
        project=ctx.project,
        value=float(value),
        label="up" if value == 1 else "down" if value == -1 else "",
        explanation=comment,
        correction=correction,
        annotator_kind="HUMAN",
        annotator_id=ctx.actor.id,
        identifier=identifier or ctx.actor.id,
    )
    if await record_score(ctx, score):
        return score
    said = await scores.list_scores(ctx, name=FEEDBACK, trace_id=trace_id)
    return next((one for one in said.items if one.identifier == score.identifier), score)


async def wait_for_trace(ctx: Context, trace_id: str) -> TraceTree:
    """The trace once it is known; raises TraceNotFoundError when it is still unknown after two seconds."""
    known = bool(_TRACE_ID.fullmatch(trace_id))
    deadline = ctx.clock.monotonic_ns() + int(_PATIENCE_SECONDS * 1e9)
    while known:
        try:
            return await tree.read_tree(ctx, trace_id)
        except TraceNotFoundError:
            if ctx.clock.monotonic_ns() >= deadline:
                raise
            await asyncio.sleep(_POLL_SECONDS)
    raise TraceNotFoundError(
        f"{trace_id!r:.80} is not a trace's id", next_step="give the 32 hexadecimal digits of `x-flyball-trace-id`"
    )


async def list_traces(
    ctx: Context, wanted: TraceFilter | None = None, *, cursor: str = "", limit: int | None = None
) -> Page[TraceRow]:
    """The project's traces, newest first."""
    return await queries.list_traces(ctx, wanted, cursor=cursor, limit=limit)


async def list_spans(
    ctx: Context, wanted: SpanFilter, *, after: tuple[int, str] | None = None, most: int
) -> tuple[SpanRow, ...]:
    """Ended spans of any traces, the one that began last first."""
    return await span_lists.list_spans(ctx, wanted, after=after, most=most)


async def count_traces(ctx: Context, *, since_ns: int = 0) -> TraceCounts:
    """How much there is in the project."""
    return await queries.count(ctx, since_ns=since_ns)


async def count_lately(ctx: Context) -> TraceCounts:
    """How much there is in the project: as of now where that is cheap to count, else some seconds old. For pages."""
    counts: TraceCounts = await _lately_of(ctx).get((ctx.project, "counts"), lambda: queries.count(ctx))
    return counts


async def activity_lately(ctx: Context, *, stretch_ns: int, stretches: int) -> Activity:
    """`activity` up to now, perhaps some seconds old. For pages."""

    async def up_to_now() -> Activity:
        begin_ns = ctx.clock.now_ns() - stretch_ns * stretches + 1
        return await queries.activity(ctx, begin_ns=begin_ns, stretch_ns=stretch_ns, stretches=stretches)

    found: Activity = await _lately_of(ctx).get((ctx.project, "activity", stretch_ns, stretches), up_to_now)
    return found


async def get_trace(ctx: Context, trace_id: str) -> TraceTree:
    """One trace: its spans as a tree, and its scores. Raises TraceNotFoundError."""
    return await tree.read_tree(ctx, trace_id)


async def export_trace(ctx: Context, trace_id: str) -> Exported:
    """One trace as what could be sent to any OTLP endpoint. Raises TraceNotFoundError or PayloadNotFoundError."""
    return await export.export_trace(ctx, trace_id)


async def list_logs(ctx: Context, wanted: LogFilter, *, cursor: str = "", limit: int | None = None) -> Page[LogRow]:
    """The project's log records that fit, newest first."""
    return await log_lists.list_logs(ctx, wanted, cursor=cursor, limit=limit)


async def export_logs(ctx: Context, wanted: LogFilter, *, cursor: str = "") -> ExportedPage:
    """The next log records that fit, oldest first, as one request that could be sent to any OTLP endpoint."""
    return await signal_export.export_logs(ctx, wanted, cursor=cursor)


async def list_metrics(
    ctx: Context, wanted: PointFilter, *, text: str = "", cursor: str = "", limit: int | None = None
) -> Page[Metric]:
    """The names under which points were told in a window, by alphabet."""
    return await metric_lists.list_metrics(ctx, wanted, text=text, cursor=cursor, limit=limit)


async def read_series(ctx: Context, wanted: PointFilter, *, steps: int) -> MetricSeries:
    """The series of one metric over a window, step by step. Raises MetricNotFoundError."""
    return await metric_lists.read_series(ctx, wanted, steps=steps)


async def export_points(ctx: Context, wanted: PointFilter, *, cursor: str = "") -> ExportedPage:
    """The next points that fit, oldest first, as one request that could be sent to any OTLP endpoint."""
    return await signal_export.export_points(ctx, wanted, cursor=cursor)


async def get_texts(ctx: Context, span: SpanRow) -> Texts:
    """Both texts of a span that was read before: whole, or what is left of them."""
    return await texts.read_texts(ctx, span)


async def get_text(ctx: Context, trace_id: str, span_id: str, side: Side) -> str:
    """A span's whole input or output. Raises TraceNotFoundError or PayloadNotFoundError."""
    return await texts.read_text(ctx, trace_id, span_id, side)


async def list_scores(
    ctx: Context, *, name: str = "", trace_id: str = "", cursor: str = "", limit: int | None = None
) -> Page[Score]:
    """The project's scores, newest first."""
    return await scores.list_scores(ctx, name=name, trace_id=trace_id, cursor=cursor, limit=limit)


async def find_scores(ctx: Context, wanted: ScoreFilter, *, most: int) -> tuple[Score, ...]:
    """The project's scores that count and fit, newest first."""
    return await scores.find(ctx, wanted, most=most)


def _lately_of(ctx: Context) -> Lately[Any]:
    return _LATELY.setdefault(ctx.db.across_projects(), Lately(ctx.clock))
