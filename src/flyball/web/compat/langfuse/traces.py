"""Traces as Langfuse's SDKs send them from their version 3 on: OTLP, at an address of their own."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from flyball.surface.http import ContextDep, Router
from flyball.traces.otlp_api import export

router = Router("/api/public", tag="langfuse", failure=dict[str, Any])  # google.rpc.Status, as the protocol says

OTLP = "/api/public/otel/"


@router.post("/otel/v1/traces", permission="traces.write", returns=dict[str, Any])
async def export_traces(ctx: ContextDep, request: Request) -> Response:
    """Take spans: an ExportTraceServiceRequest as protobuf or JSON. When this answers 200, they are durable."""
    return await export(ctx, request, "traces")
