"""The texts behind the previews of a span: what went in and what came out, whole.

Knows the four places where they lie: the inbox, the table `payloads`, blobs, and what OTLP told, from which they are derived
again. Knows not who asks.
"""

import asyncio
from contextlib import suppress
from typing import Any, NamedTuple

from flyball.infra.blobs.errors import BlobDamagedError, BlobMissingError
from flyball.infra.context import Context

from . import inbox, mending, open_spans
from .errors import PayloadNotFoundError, ReferenceAwayError, ReferenceRefusedError, TraceNotFoundError
from .fetching import read_referred
from .normalising import normalise
from .own_blobs import read_blob
from .pruning import of_project, of_trace
from .records import Side, Span, SpanRow
from .tables import PAYLOADS, SPANS
from .told_texts import read_understood

_TEXTS = """
    select side, text from payloads
    where project = $project and start_ns = $start_ns and trace_id = $trace_id and span_id = $span_id
"""
_PLACE = """
    select start_ns, input_preview, input_ref, output_preview, output_ref, resource is not null as told
    from spans where project = $project and trace_id = $trace_id and span_id = $span_id limit 1
"""


class Texts(NamedTuple):
    """What went into a span and what came out."""

    input: str
    output: str


async def read_text(ctx: Context, trace_id: str, span_id: str, side: Side) -> str:
    """A span's whole input or output.

    Raises:
        TraceNotFoundError: there is no such span.
        PayloadNotFoundError: its text is gone.
        ReferenceRefusedError, ReferenceAwayError: it refers to a text elsewhere, which is not to be had.
    """
    waiting = await _waiting(ctx, trace_id, span_id)
    if waiting is not None:
        return waiting.input if side == "input" else waiting.output
    text = await asyncio.to_thread(_read_text, ctx, trace_id, span_id, side)
    if text:
        return text
    found = await read_referred(ctx, trace_id, span_id)
    return text if found is None else str(getattr(found, side))


async def read_texts(ctx: Context, span: SpanRow) -> Texts:
    """Both texts of a span, whole; its previews where they are not kept any more."""
    previews = Texts(span.input_preview, span.output_preview)
    if not (span.input_ref or span.output_ref or span.dialect):
        return previews
    waiting = await _waiting(ctx, span.trace_id, span.span_id)
    if waiting is not None:
        return Texts(waiting.input, waiting.output)
    if span.dialect:
        texts = await asyncio.to_thread(_read_told, ctx, span, previews)
        if all(texts):
            return texts
        with suppress(ReferenceRefusedError, ReferenceAwayError):  # the span's attributes tell where it lies
            found = await read_referred(ctx, span.trace_id, span.span_id)
            return texts if found is None else Texts(texts.input or found.input, texts.output or found.output)
        return texts
    return await asyncio.to_thread(_read_texts, ctx, span)


async def _waiting(ctx: Context, trace_id: str, span_id: str) -> Span | None:
    """The span where it is not in the tables yet."""
    async with ctx.db.connection() as connection:
        for row in await inbox.of_traces(connection, ctx.project, [trace_id]):
            if row["key"] == f"{trace_id}/{span_id}":
                return mending.read_span(row)
        for row in await open_spans.of_traces(connection, ctx.project, [trace_id]):
            if row["span_id"] == span_id:
                return normalise(open_spans.told_of(row))
    return None


def _read_text(ctx: Context, trace_id: str, span_id: str, side: Side) -> str:
    place = {"project": ctx.project, "trace_id": trace_id, "span_id": span_id}
    found = ctx.lake.query(_PLACE, place, tables=(SPANS,), where={"spans": of_trace(ctx.project, trace_id)})
    if not found:
        raise TraceNotFoundError(f"the project has no span {trace_id}/{span_id}", next_step="see `flyball traces show`")
    (span,) = found
    preview, reference, start_ns = str(span[f"{side}_preview"]), span[f"{side}_ref"], span["start_ns"]
    if not span["told"]:
        if not reference:
            return preview
        kept = _kept(ctx, place | {"start_ns": start_ns}).get(side)
        if kept is not None:
            return kept
    elif preview and not reference:
        return preview
    try:
        if not span["told"]:
            return read_blob(ctx, reference).decode()
        understood = read_understood(ctx, trace_id, span_id, start_ns)
    except BlobMissingError as error:
        raise PayloadNotFoundError(
            f"the {side} of span {trace_id}/{span_id} is not kept any more",
            next_step="restore it from a backup; its preview remains",
        ) from error
    return preview if understood is None else str(getattr(understood, side))


def _read_told(ctx: Context, span: SpanRow, previews: Texts) -> Texts:
    """What an empty preview hides may stand in log records that arrived later."""
    if all(
        preview and not reference
        for preview, reference in zip(previews, (span.input_ref, span.output_ref), strict=True)
    ):
        return previews
    try:
        found = read_understood(ctx, span.trace_id, span.span_id, span.start_ns)
    except (BlobMissingError, BlobDamagedError):
        return previews
    return previews if found is None else Texts(found.input, found.output)


def _read_texts(ctx: Context, span: SpanRow) -> Texts:
    place = {"project": ctx.project, "start_ns": span.start_ns, "trace_id": span.trace_id, "span_id": span.span_id}
    kept = _kept(ctx, place)
    sides = (("input", span.input_ref, span.input_preview), ("output", span.output_ref, span.output_preview))
    return Texts(*(kept.get(side) or _blob(ctx, reference, otherwise) for side, reference, otherwise in sides))


def _kept(ctx: Context, place: dict[str, Any]) -> dict[str, str]:
    """The texts of a span that the table `payloads` has, by side."""
    where = {"payloads": f"{of_project(ctx.project)} and start_ns = {place['start_ns']}"}
    return {row["side"]: str(row["text"]) for row in ctx.lake.query(_TEXTS, place, tables=(PAYLOADS,), where=where)}


def _blob(ctx: Context, reference: str, otherwise: str) -> str:
    """A text of its own, or its preview where there is none."""
    if not reference:
        return otherwise
    try:
        return read_blob(ctx, reference).decode()
    except (BlobMissingError, BlobDamagedError):
        return otherwise
