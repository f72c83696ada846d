"""Requests and responses of the three signals, made and read by protobuf's definitions and by hand-written JSON. Knows no clause."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from .clause import NotMetError, need
from .target import Answer

REJECTED = {"traces": "rejected_spans", "logs": "rejected_log_records", "metrics": "rejected_data_points"}
_GROUPS = {"traces": "resourceSpans", "logs": "resourceLogs", "metrics": "resourceMetrics"}
_RESPONSES: Mapping[str, Any] = {
    "traces": traces.ExportTraceServiceResponse,
    "logs": logs.ExportLogsServiceResponse,
    "metrics": metrics.ExportMetricsServiceResponse,
}


def request(signal: str, encoding: str, **span: Any) -> bytes:
    """One record of a signal; `span` are fields of a span to set otherwise, in JSON's names."""
    if encoding == "json":
        return json.dumps(as_json(signal, span)).encode()
    body: bytes = _MESSAGES[signal]().SerializeToString()
    return body


def as_json(signal: str, *spans: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A request as what its JSON holds; for traces, a span for each of `spans`, which are changes."""
    now = str(time.time_ns())
    resource = {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "conformance"}}]}}
    if signal == "traces":
        said = [_span(now) | dict(change) for change in spans or ({},)]
        scopes = {"scopeSpans": [{"scope": {"name": "conformance"}, "spans": said}]}
    elif signal == "logs":
        record = {"timeUnixNano": now, "severityNumber": 9, "body": {"stringValue": "said"}}
        scopes = {"scopeLogs": [{"logRecords": [record]}]}
    else:
        gauge = {"dataPoints": [{"timeUnixNano": now, "asInt": "7"}]}
        scopes = {"scopeMetrics": [{"metrics": [{"name": "conformance", "gauge": gauge}]}]}
    return {_GROUPS[signal]: [resource | scopes], **more}


def _span(now: str) -> dict[str, Any]:
    ids = {"traceId": os.urandom(16).hex(), "spanId": os.urandom(8).hex()}
    return {**ids, "name": "conformance", "kind": 1, "startTimeUnixNano": now, "endTimeUnixNano": now}


def spans(*changes: Mapping[str, Any]) -> Any:
    """A request of spans; `changes` are fields of each to set otherwise."""
    message, now = traces.ExportTraceServiceRequest(), time.time_ns()
    said = message.resource_spans.add().scope_spans.add().spans
    for change in changes or ({},):
        fields: dict[str, Any] = {
            "trace_id": os.urandom(16),
            "span_id": os.urandom(8),
            "name": "conformance",
            "start_time_unix_nano": now,
            "end_time_unix_nano": now,
        }
        said.add(**(fields | dict(change)))
    return message


def _log() -> Any:
    message = logs.ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time.time_ns())
    record.body.string_value = "said"
    return message


def _metric() -> Any:
    message = metrics.ExportMetricsServiceRequest()
    metric = message.resource_metrics.add().scope_metrics.add().metrics.add(name="conformance")
    metric.gauge.data_points.add(time_unix_nano=time.time_ns(), as_int=7)
    return message


_MESSAGES = {"traces": spans, "logs": _log, "metrics": _metric}


def response(signal: str, encoding: str, body: bytes) -> tuple[bool, int, str]:
    """Whether `partial_success` is set, what it counts, and what it says. Raises NotMetError where it is no response."""
    if encoding == "protobuf":
        try:
            message = _RESPONSES[signal].FromString(body)
        except Exception as error:  # noqa: BLE001 -- whatever the library raises, it is not the response
            raise NotMetError(f"the body is no response of the signal: {error}") from None
        told = message.partial_success
        return message.HasField("partial_success"), getattr(told, REJECTED[signal]), told.error_message
    said = _object(body)
    told = said.get("partialSuccess") or {}
    first, *rest = REJECTED[signal].split("_")
    return bool(told), int(told.get(first + "".join(map(str.capitalize, rest)), 0)), told.get("errorMessage", "")


def status(answer: Answer, encoding: str) -> str:
    """The message of a google.rpc.Status. Raises NotMetError where the body is none in this encoding."""
    said = answer.headers.get("content-type", "").partition(";")[0]
    if encoding == "json":
        need(said == "application/json", f"the Content-Type of the refusal is {said!r}")
        found = _object(answer.body)
        need(set(found) <= {"code", "message", "details"}, f"the body is no Status: {answer.body[:100]!r}")
        return str(found.get("message", ""))
    need(said == "application/x-protobuf", f"the Content-Type of the refusal is {said!r}")
    try:
        return str(Status.FromString(answer.body).message)
    except Exception as error:  # noqa: BLE001 -- whatever the library raises, it is no Status
        raise NotMetError(f"the body is no Status: {error}") from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotMetError(f"the body is no JSON object: {body[:100]!r}")
    return found
