"""One trace whole: its spans in a tree, and the texts behind their previews.

Knows how to put spans in order, orphans included. Knows not who asks.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from flyball.infra.blobs.errors import BlobDamagedError, BlobMissingError
from flyball.infra.context import Context

from . import inbox, mending
from .errors import PayloadNotFoundError, TraceNotFoundError
from .queries import of_project
from .records import Score, Side, SpanNode, SpanRow, TraceRow, TraceTree
from .scores import that_count
from .tables import PAYLOADS, SCORES, SPANS, read_score, read_span, store_span

_MOST_NODES = 5_000

_SPANS = """
    select * from spans where project = $project and trace_id = $trace_id
    qualify row_number() over (partition by span_id) = 1
"""
_TEXTS = """
    select side, text from payloads
    where project = $project and start_ns = $start_ns and trace_id = $trace_id and span_id = $span_id
"""
_SCORES = "select * from scores where project = $project and trace_id = $trace_id"
_TEXT = """
    select text from payloads
    where project = $project and start_ns = $start_ns and trace_id = $trace_id and span_id = $span_id and side = $side
"""


class Texts(NamedTuple):
    """What went into a span and what came out."""

    input: str
    output: str


async def read_tree(ctx: Context, trace_id: str) -> TraceTree:
    """The trace.

    Raises:
        TraceNotFoundError: no span of it is recorded in the project.
    """
    async with ctx.db.connection() as connection:
        waiting = await inbox.of_traces(connection, ctx.project, [trace_id])
    stored, judged = await asyncio.to_thread(_read, ctx, trace_id)
    spans = {row["span_id"]: read_span(row) for row in stored}
    scores = {row["score_id"]: read_score(row) for row in judged}
    for row in waiting:
        if row["kind"] == "span":
            span = mending.read_span(row)
            spans[span.span_id] = read_span(store_span(span).row)
        else:
            score = mending.read_score(row)
            scores[score.score_id] = score
    if not spans:
        raise TraceNotFoundError(
            f"the project has no trace {trace_id!r:.80}",
            next_step="see `flyball traces list`; a new one takes a second",
        )
    return build(trace_id, spans.values(), scores.values())


async def read_text(ctx: Context, trace_id: str, span_id: str, side: Side) -> str:
    """A span's whole input or output.

    Raises:
        TraceNotFoundError: there is no such span.
        PayloadNotFoundError: its text is gone.
    """
    async with ctx.db.connection() as connection:
        for row in await inbox.of_traces(connection, ctx.project, [trace_id]):
            if row["key"] == f"{trace_id}/{span_id}":
                span = mending.read_span(row)
                return span.input if side == "input" else span.output
    return await asyncio.to_thread(_read_text, ctx, trace_id, span_id, side)


async def read_texts(ctx: Context, span: SpanRow) -> Texts:
    """Both texts of a span, whole; its previews where they are not kept any more."""
    if not span.input_ref and not span.output_ref:
        return Texts(span.input_preview, span.output_preview)
    async with ctx.db.connection() as connection:
        for row in await inbox.of_traces(connection, ctx.project, [span.trace_id]):
            if row["key"] == f"{span.trace_id}/{span.span_id}":
                waiting = mending.read_span(row)
                return Texts(waiting.input, waiting.output)
    return await asyncio.to_thread(_read_texts, ctx, span)


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


def _read(ctx: Context, trace_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    parameters, mine = {"project": ctx.project, "trace_id": trace_id}, of_project(ctx.project)
    return (
        ctx.lake.query(_SPANS, parameters, tables=(SPANS,), where={"spans": mine}),
        ctx.lake.query(_SCORES, parameters, tables=(SCORES,), where={"scores": mine}),
    )


def _read_text(ctx: Context, trace_id: str, span_id: str, side: Side) -> str:
    place = {"project": ctx.project, "trace_id": trace_id, "span_id": span_id}
    mine = of_project(ctx.project)
    found = ctx.lake.query(
        f"select start_ns, {side}_preview as preview, {side}_ref as reference from spans "
        "where project = $project and trace_id = $trace_id and span_id = $span_id limit 1",
        place,
        tables=(SPANS,),
        where={"spans": mine},
    )
    if not found:
        raise TraceNotFoundError(f"the project has no span {trace_id}/{span_id}", next_step="see `flyball traces show`")
    (span,) = found
    if not span["reference"]:
        return str(span["preview"])
    texts = ctx.lake.query(
        _TEXT,
        place | {"side": side, "start_ns": span["start_ns"]},
        tables=(PAYLOADS,),
        where={"payloads": f"{mine} and start_ns = {span['start_ns']}"},
    )
    if texts:
        return str(texts[0]["text"])
    try:
        return ctx.blobs.get(span["reference"]).decode()
    except BlobMissingError as error:
        raise PayloadNotFoundError(
            f"the {side} of span {trace_id}/{span_id} ({span['reference']}) is not kept any more",
            next_step="restore it from a backup; its preview remains",
        ) from error


def _read_texts(ctx: Context, span: SpanRow) -> Texts:
    mine = of_project(ctx.project)
    place = {"project": ctx.project, "start_ns": span.start_ns, "trace_id": span.trace_id, "span_id": span.span_id}
    where = {"payloads": f"{mine} and start_ns = {span.start_ns}"}
    kept = {row["side"]: str(row["text"]) for row in ctx.lake.query(_TEXTS, place, tables=(PAYLOADS,), where=where)}
    sides = (("input", span.input_ref, span.input_preview), ("output", span.output_ref, span.output_preview))
    return Texts(*(kept.get(side) or _blob(ctx, reference, otherwise) for side, reference, otherwise in sides))


def _blob(ctx: Context, reference: str, otherwise: str) -> str:
    """A text of its own, or its preview where there is none."""
    if not reference:
        return otherwise
    try:
        return ctx.blobs.get(reference).decode()
    except (BlobMissingError, BlobDamagedError):
        return otherwise
