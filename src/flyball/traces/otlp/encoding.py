"""Spans, log records and metric points as an OTLP request again: what was taken in comes out the same.

Records of one resource and scope stand together, in the order in which they are given. Knows protobuf's messages, and
their JSON by way of `json_writing.py`; knows not why somebody wants them.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from opentelemetry.proto.common.v1.common_pb2 import EntityRef, InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from flyball.traces.told import Told, ToldEvent, ToldLink, ToldLog, ToldPoint, ToldResource, ToldScope

from .point_writing import Metrics
from .signals import SIGNALS, Signal, said
from .values import told_attributes, told_value

T = TypeVar("T", Told, ToldLog, ToldPoint)


def spans_request(spans: Iterable[Told]) -> Any:
    """An ExportTraceServiceRequest."""
    return _request("traces", spans, lambda records, span: records.append(_span(span)))


def logs_request(records: Iterable[ToldLog]) -> Any:
    """An ExportLogsServiceRequest."""
    return _request("logs", records, lambda held, record: held.append(_log(record)))


def points_request(points: Iterable[ToldPoint]) -> Any:
    """An ExportMetricsServiceRequest. Points that follow each other and say the same of their metric are of one metric."""
    metrics = Metrics()
    return _request("metrics", points, metrics.add)


def _request(signal: Signal, records: Iterable[T], add: Callable[[Any, T], None]) -> Any:
    messages = SIGNALS[signal]
    request = messages.request()
    groups: dict[bytes, Any] = {}
    scopes: dict[tuple[bytes, bytes], Any] = {}
    names = _Names()
    for record in records:
        resource, scope = names.of(record.resource, _resource), names.of(record.scope, _scope)
        if resource not in groups:
            group = groups[resource] = getattr(request, messages.groups).add(schema_url=record.resource.schema_url)
            group.resource.CopyFrom(_resource(record.resource))
        if (resource, scope) not in scopes:
            of_scope = getattr(groups[resource], messages.scopes).add(schema_url=record.scope.schema_url)
            of_scope.scope.CopyFrom(_scope(record.scope))
            scopes[resource, scope] = of_scope
        add(getattr(scopes[resource, scope], messages.records), record)
    return request


class _Names:
    """What tells one resource or scope from another: its content; found once for each object."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, bytes]] = {}

    def of(self, told: Any, message: Callable[[Any], Any]) -> bytes:
        found = self._known.get(id(told))
        if found is None:  # the object is kept beside, so that no other gets its id
            found = self._known[id(told)] = (told, said(message(told)) + b"\0" + told.schema_url.encode())
        return found[1]


def _resource(told: ToldResource) -> Any:
    return Resource(
        attributes=told_attributes(told.attributes),
        dropped_attributes_count=told.dropped,
        entity_refs=[EntityRef(**each) for each in told.entities],
    )


def _scope(told: ToldScope) -> Any:
    return InstrumentationScope(
        name=told.name,
        version=told.version,
        attributes=told_attributes(told.attributes),
        dropped_attributes_count=told.dropped,
    )


def _span(told: Told) -> Any:
    span = Span(
        trace_id=bytes.fromhex(told.trace_id),
        span_id=bytes.fromhex(told.span_id),
        trace_state=told.trace_state,
        parent_span_id=bytes.fromhex(told.parent_id),
        flags=told.flags,
        name=told.name,
        kind=_number(told.kind),
        start_time_unix_nano=told.start_ns,
        end_time_unix_nano=told.end_ns,
        attributes=told_attributes(told.attributes),
        dropped_attributes_count=told.dropped_attributes,
        events=[_event(event) for event in told.events],
        dropped_events_count=told.dropped_events,
        links=[_link(link) for link in told.links],
        dropped_links_count=told.dropped_links,
    )
    if told.status_code or told.status_message:
        span.status.CopyFrom(Status(code=_number(told.status_code), message=told.status_message))
    return span


def _event(told: ToldEvent) -> Any:
    return Span.Event(
        time_unix_nano=told.time_ns,
        name=told.name,
        attributes=told_attributes(told.attributes),
        dropped_attributes_count=told.dropped,
    )


def _link(told: ToldLink) -> Any:
    return Span.Link(
        trace_id=bytes.fromhex(told.trace_id),
        span_id=bytes.fromhex(told.span_id),
        trace_state=told.trace_state,
        attributes=told_attributes(told.attributes),
        dropped_attributes_count=told.dropped,
        flags=told.flags,
    )


def _log(told: ToldLog) -> Any:
    record = LogRecord(
        time_unix_nano=told.time_ns,
        observed_time_unix_nano=told.observed_ns,
        severity_number=_number(told.severity),
        severity_text=told.severity_text,
        event_name=told.event_name,
        attributes=told_attributes(told.attributes),
        dropped_attributes_count=told.dropped,
        flags=told.flags,
        trace_id=bytes.fromhex(told.trace_id),
        span_id=bytes.fromhex(told.span_id),
    )
    if told.body is not None:
        record.body.CopyFrom(told_value(told.body))
    return record


def _number(of_enum: int) -> Any:
    """A number where the messages' types ask for one of those that they know; others are kept as well."""
    return of_enum
