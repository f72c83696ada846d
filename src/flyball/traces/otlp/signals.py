"""The three signals of OTLP: their messages, paths and words, as one table. A request of each has the same three floors.

Field 1 of a request is a group of one resource, field 2 of that a group of one scope, field 2 of that a record. Resource
and scope are field 1 of their groups.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

Signal = Literal["traces", "logs", "metrics"]


class Messages(NamedTuple):
    """A signal's messages, from the request down to the record, and the names of its fields and words."""

    request: type[Any]
    response: type[Any]
    of_resource: type[Any]
    of_scope: type[Any]
    record: type[Any]
    groups: str  # the request's field
    scopes: str  # the resource group's field
    records: str  # the scope group's field
    rejected: str  # partial_success' count
    word: str  # what is counted
    path: str  # over HTTP
    method: str  # over gRPC


SIGNALS: Mapping[Signal, Messages] = {
    "traces": Messages(
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
        ResourceSpans,
        ScopeSpans,
        Span,
        groups="resource_spans",
        scopes="scope_spans",
        records="spans",
        rejected="rejected_spans",
        word="span",
        path="/v1/traces",
        method="/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ),
    "logs": Messages(
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
        ResourceLogs,
        ScopeLogs,
        LogRecord,
        groups="resource_logs",
        scopes="scope_logs",
        records="log_records",
        rejected="rejected_log_records",
        word="log record",
        path="/v1/logs",
        method="/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    ),
    "metrics": Messages(
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
        ResourceMetrics,
        ScopeMetrics,
        Metric,
        groups="resource_metrics",
        scopes="scope_metrics",
        records="metrics",
        rejected="rejected_data_points",
        word="data point",
        path="/v1/metrics",
        method="/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ),
}


def said(message: Message) -> bytes:
    """A message's bytes, the same for the same content."""
    data: bytes = message.SerializeToString(deterministic=True)
    return data
