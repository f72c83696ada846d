"""Requests as exporters send them, and keys to send them with: what tests of OTLP's doors draw from."""

import os

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flyball.infra.db.database import fetch_all
from flyball.traces.otlp.compression import unpack
from flyball.traces.otlp.decoding import told_logs, told_points, told_spans

NOW = 1_790_000_000_000_000_000
PATHS = {"traces": "/v1/traces", "logs": "/v1/logs", "metrics": "/v1/metrics"}
TELL = {"traces": told_spans, "logs": told_logs, "metrics": told_points}


def trace_request(*changes: dict, resource: str = "shop") -> ExportTraceServiceRequest:
    """A request of one span for each of the changes, which are fields set on it."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = resource
    spans = group.scope_spans.add()
    spans.scope.name = "tests"
    for change in changes or ({},):
        fields = {
            "trace_id": os.urandom(16),
            "span_id": os.urandom(8),
            "name": "ask",
            "start_time_unix_nano": NOW,
            "end_time_unix_nano": NOW + 5,
        }
        spans.spans.add(**(fields | change))
    return request


def log_request(*changes: dict) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for change in changes or ({},):
        record = records.add(**({"time_unix_nano": NOW, "severity_number": 9} | change))
        record.body.string_value = "said"
    return request


def metric_request(*times: int, name: str = "tokens") -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=name)
    for time in times or (NOW,):
        metric.sum.data_points.add(time_unix_nano=time, as_int=7)
    return request


REQUESTS = {"traces": trace_request, "logs": log_request, "metrics": metric_request}


async def make_key(admin, role="application") -> str:
    made = await admin.post("/api/keys", {"name": f"{role} {os.urandom(3).hex()}", "role": role})
    return made.json()["key"]


async def send(public, key, body: bytes, *, signal="traces", content_type="application/x-protobuf", **headers):
    """Send a request, as the gateway passes it on."""
    sent = {"content-type": content_type, "authorization": f"Bearer {key}"} | headers
    return await public.post(PATHS[signal], body=body, headers=sent)


async def kept(ctx, signal="traces"):
    """What waits in the inbox of a signal, decoded."""
    async with ctx.db.connection() as connection:
        rows = await fetch_all(
            connection,
            "select * from inbox_batches where project = %s and signal = %s order by id",
            ctx.project,
            signal,
        )
    return [told for row in rows for told in TELL[signal](unpack(row["body"], row["size"]))]
