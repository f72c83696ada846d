"""The HTTP face of OTLP: unpack, one verb, answer in the encoding that was spoken. Errors are google.rpc.Status.

The paths are the protocol's own, on the one public port.
"""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flyball.infra.context import Context
from flyball.kit.errors import FlyballError
from flyball.surface.http import ContextDep, Router

from .otlp.answers import JSON, ContentType, content_type_of, encoded, response_of, status_of
from .otlp.compression import decoded
from .otlp.errors import OtlpMediaTypeError, OtlpTooLargeError
from .otlp.gate import gate_of
from .otlp.signals import SIGNALS, Signal
from .otlp.taking import take_request

router = Router(tag="otlp", documented=False)  # the protocol has a description of its own

PREFIX = "/v1/"
_AT_ONCE_BYTES = 1024 * 1024  # unpacking more is done beside


@router.post(SIGNALS["traces"].path, permission="traces.write", returns=dict[str, Any])
async def export_traces(ctx: ContextDep, request: Request) -> Response:
    """Take spans: an ExportTraceServiceRequest as protobuf or JSON. When this answers 200, they are durable."""
    return await export(ctx, request, "traces")


@router.post(SIGNALS["logs"].path, permission="traces.write", returns=dict[str, Any])
async def export_logs(ctx: ContextDep, request: Request) -> Response:
    """Take log records: an ExportLogsServiceRequest as protobuf or JSON. When this answers 200, they are durable."""
    return await export(ctx, request, "logs")


@router.post(SIGNALS["metrics"].path, permission="traces.write", returns=dict[str, Any])
async def export_metrics(ctx: ContextDep, request: Request) -> Response:
    """Take metric points: an ExportMetricsServiceRequest as protobuf or JSON. When this answers 200, they are durable."""
    return await export(ctx, request, "metrics")


async def export(ctx: Context, request: Request, signal: Signal) -> Response:
    """What any path that speaks OTLP does with a request."""
    content_type = content_type_of(request.headers.get("content-type", ""))
    body, encoding = await request.body(), request.headers.get("content-encoding", "").strip().lower()
    most = ctx.settings.max_body_bytes
    try:
        unpacked = decoded(body, encoding, most=min(most, _AT_ONCE_BYTES))
    except OtlpTooLargeError:
        if most <= _AT_ONCE_BYTES:
            raise
    else:
        return await _take(ctx, signal, unpacked, content_type)
    async with gate_of(ctx).unpacking:  # a small body that becomes a large one: few of those at once
        unpacked = await asyncio.to_thread(decoded, body, encoding, most=most)
        return await _take(ctx, signal, unpacked, content_type)


async def _take(ctx: Context, signal: Signal, body: bytes, content_type: ContentType) -> Response:
    taken = await take_request(ctx, signal, body, content_type=content_type)
    return _answer(response_of(signal, taken), content_type)


def refusal(request: Request, error: FlyballError) -> Response:
    """An error in the encoding of its request; JSON where that is none of OTLP's."""
    try:
        content_type = content_type_of(request.headers.get("content-type", ""))
    except OtlpMediaTypeError:
        content_type = JSON
    return _answer(status_of(error), content_type, status=error.status)


def _answer(message: Any, content_type: ContentType, *, status: int = 200) -> Response:
    return Response(encoded(message, content_type), status_code=status, media_type=content_type)
