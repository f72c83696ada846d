"""One trace whole: its spans in a tree, wherever they are: in an inbox, in the tables, or still running.

Knows how to put spans in order, orphans included. Knows not who asks.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Row

from . import inbox, mending, open_spans
from .catching_up import catch_up, requests_wait
from .errors import TraceNotFoundError
from .late_content import filled
from .normalising import normalise
from .pruning import of_trace
from .records import Score, SpanNode, SpanRow, TraceRow, TraceTree
from .scores import that_count
from .tables import SCORES, SPANS, read_score, read_span, store_span

_MOST_NODES = 5_000

_LONGEST_ATTRIBUTES = 16_384  # characters of what OTLP told that a tree shows of each span; one alone shows all
_YOUNG_NS = 10 * 1_000_000_000  # a trace that began so lately may have more spans on the way

_SPANS = f"""
    select * exclude (events, links, large, status_message)
        replace (case when resource is not null and strlen(attributes) > {_LONGEST_ATTRIBUTES} then '' else attributes end as attributes)
    from spans where project = $project and trace_id = $trace_id
    qualify row_number() over (partition by span_id) = 1
"""
_SCORES = "select * from scores where project = $project and trace_id = $trace_id"


async def read_tree(ctx: Context, trace_id: str) -> TraceTree:
    """The trace, with what was sent before it is asked for, if that arrives in the tables within two seconds.

    Raises:
        TraceNotFoundError: no span of it is recorded in the project.
    """
    on_the_way = await requests_wait(ctx)
    spans, scores = await _gathered(ctx, trace_id)
    if on_the_way and _may_grow(spans.values(), ctx.clock.now_ns()):
        await catch_up(ctx)
        spans, scores = await _gathered(ctx, trace_id)
    if not spans:
        raise TraceNotFoundError(
            f"the project has no trace {trace_id!r:.80}",
            next_step="see `flyball traces list`; a new one takes a second",
        )
    return build(trace_id, spans.values(), scores.values())


def _may_grow(spans: Collection[SpanRow], now_ns: int) -> bool:
    return not spans or max(span.start_ns for span in spans) > now_ns - _YOUNG_NS


async def _gathered(ctx: Context, trace_id: str) -> tuple[dict[str, SpanRow], dict[str, Score]]:
    """Spans and scores by id, wherever they are. The inboxes are read before the tables, so that nothing is missed."""
    async with ctx.db.connection() as connection:
        waiting = await inbox.of_traces(connection, ctx.project, [trace_id])
        running = await open_spans.of_traces(connection, ctx.project, [trace_id])
    stored, judged = await asyncio.to_thread(_read, ctx, trace_id)
    spans = {row["span_id"]: running_row(row, ctx.clock.now_ns()) for row in running}
    spans |= {row.span_id: row for row in stored}
    scores = {row["score_id"]: read_score(row) for row in judged}
    for row in waiting:
        if row["kind"] == "span":
            span = mending.read_span(row)
            spans[span.span_id] = read_span(store_span(span).row)
        else:
            score = mending.read_score(row)
            scores[score.score_id] = score
    return spans, scores


def running_row(row: Row, now_ns: int) -> SpanRow:
    """An open span as a reader gets it."""
    span = normalise(open_spans.told_of(row))
    stored = store_span(msgspec.structs.replace(span, project=row["project"], key_id=row["key_id"], attributes={})).row
    return msgspec.structs.replace(
        read_span(stored), end_ns=max(now_ns, span.start_ns), running=True, attributes=span.attributes
    )


def build(trace_id: str, spans: Iterable[SpanRow], scores: Iterable[Score]) -> TraceTree:
    """Depth first, children in order of start.

    A span whose parent is not here stands at the top, as an orphan if it says that its parent is in its own process.
    """
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    known = {span.span_id for span in ordered}
    children: defaultdict[str, list[SpanRow]] = defaultdict(list)
    for span in ordered:
        has_parent = span.parent_id in known and span.parent_id != span.span_id
        children[span.parent_id if has_parent else ""].append(span)
    nodes: list[SpanNode] = []
    placed: set[str] = set()
    for root in [*children[""], *ordered]:  # the second time round: spans that are each other's ancestors
        waiting = [(root, 0)]
        while waiting:
            span, depth = waiting.pop()
            if span.span_id not in placed:
                placed.add(span.span_id)
                orphan = bool(span.parent_id) and span.parent_id not in known and not span.entry
                nodes.append(SpanNode(span=span, depth=depth, orphan=orphan))
                waiting += [(child, depth + 1) for child in reversed(children[span.span_id])]
    return TraceTree(trace=_sum_up(trace_id, ordered), nodes=tuple(nodes[:_MOST_NODES]), scores=that_count(scores))


def _sum_up(trace_id: str, spans: Sequence[SpanRow]) -> TraceRow:
    ranked = sorted(spans, key=lambda span: (not span.entry, span.start_ns))
    head = ranked[0]
    costs = [span.cost_nano_usd for span in spans if span.cost_nano_usd is not None]
    errors = sum(span.status == "error" for span in spans)
    return TraceRow(
        trace_id=trace_id,
        name=head.name,
        start_ns=spans[0].start_ns,
        end_ns=max(span.end_ns for span in spans),
        position_ns=spans[0].start_ns,
        status="error" if head.status == "unset" and errors else head.status,
        spans=len(spans),
        errors=errors,
        function=_first(span.function for span in ranked),
        variant=_first(span.variant for span in ranked),
        release=_first(span.release for span in ranked),
        session_id=_first(span.session_id for span in ranked),
        user_id=_first(span.user_id for span in ranked),
        tokens_in=sum(span.input_tokens + span.cache_read_tokens + span.cache_write_tokens for span in spans),
        tokens_out=sum(span.output_tokens + span.reasoning_tokens for span in spans),
        cost_nano_usd=sum(costs) if costs else None,
        input_preview=head.input_preview,
        output_preview=head.output_preview,
    )


def _first(values: Iterable[str]) -> str:
    return next((value for value in values if value), "")


def _read(ctx: Context, trace_id: str) -> tuple[list[SpanRow], list[dict[str, Any]]]:
    parameters, mine = {"project": ctx.project, "trace_id": trace_id}, of_trace(ctx.project, trace_id)
    return (
        filled(ctx, map(read_span, ctx.lake.query(_SPANS, parameters, tables=(SPANS,), where={"spans": mine}))),
        ctx.lake.query(_SCORES, parameters, tables=(SCORES,), where={"scores": mine}),
    )
