"""A trace as an OTLP request again: what was taken in comes out the same. Spans of the gateway and the API are told as OTLP would.

Knows the way from rows to what was told; knows not who asks.
"""

import asyncio
from typing import Any

import msgspec

from flyball.infra.blobs.errors import BlobMissingError
from flyball.infra.context import Context

from .errors import PayloadNotFoundError, TraceNotFoundError
from .otlp.encoding import logs_request, spans_request
from .otlp.json_writing import json_object
from .records import SpanRow
from .told import KINDS, Told, ToldResource, ToldScope
from .told_texts import read_all_told, read_logs
from .tree import read_tree

_STATUS = ("unset", "ok", "error")
_ATTRIBUTES = {
    "flyball.kind": "kind",
    "flyball.function": "function",
    "flyball.variant": "variant",
    "flyball.release": "release",
    "session.id": "session_id",
    "user.id": "user_id",
    "gen_ai.provider.name": "provider",
    "gen_ai.request.model": "model_requested",
    "gen_ai.response.model": "model_response",
    "flyball.usage.input_tokens": "input_tokens",
    "flyball.usage.cache_read_tokens": "cache_read_tokens",
    "flyball.usage.cache_write_tokens": "cache_write_tokens",
    "flyball.usage.output_tokens": "output_tokens",
    "flyball.usage.reasoning_tokens": "reasoning_tokens",
    "flyball.cost_nano_usd": "cost_nano_usd",
    "input.value": "input_preview",
    "output.value": "output_preview",
}


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A trace in OTLP's JSON: the body of an export request of its spans, and one of the log records that belong to it."""

    traces: dict[str, Any]
    logs: dict[str, Any]


async def export_trace(ctx: Context, trace_id: str) -> Exported:
    """The trace as what could be sent to any OTLP endpoint.

    Raises:
        TraceNotFoundError: the project has no such trace.
        PayloadNotFoundError: a large value of it is gone.
    """
    tree = await read_tree(ctx, trace_id)
    return await asyncio.to_thread(_export, ctx, trace_id, [node.span for node in tree.nodes])


def _export(ctx: Context, trace_id: str, spans: list[SpanRow]) -> Exported:
    try:
        told = read_all_told(ctx, trace_id)
    except BlobMissingError as error:
        raise PayloadNotFoundError(
            f"a large value of the trace {trace_id} is not kept any more: {error.message}",
            next_step="restore it from a backup",
        ) from error
    known = {each.span_id for each in told}
    told += [_as_told(span) for span in spans if span.span_id not in known]
    if not told:
        raise TraceNotFoundError(f"the project has no trace {trace_id!r:.80}", next_step="see `flyball traces list`")
    return Exported(
        traces=json_object(spans_request(told)),
        logs=json_object(logs_request(read_logs(ctx, trace_id))),
    )


def _as_told(span: SpanRow) -> Told:
    """A span that OTLP did not tell, or not to its end, with its columns as attributes; its texts as their previews."""
    said = {name: getattr(span, column) for name, column in _ATTRIBUTES.items()}
    return Told(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        start_ns=span.start_ns,
        end_ns=0 if span.running else span.end_ns,
        kind=KINDS.index("internal"),
        status_code=_STATUS.index(span.status),
        status_message=span.error,
        attributes={name: value for name, value in said.items() if value not in ("", 0, None)} | dict(span.attributes),
        resource=ToldResource(attributes={"service.name": span.service} if span.service else {}),
        scope=ToldScope(name=span.scope),
    )
