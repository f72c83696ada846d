"""What stands in an OTLP request, in plain Python: spans, log records and metric points exactly as they were told.

Knows protobuf's messages, not their meaning. A large request is decoded record by record, so that what is held at once
stays small. An id of a wrong length, which only a log record may have, is told as "".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from flyball.traces.told import Told, ToldEvent, ToldLink, ToldLog, ToldPoint, ToldResource, ToldScope

from .cut import CUT, Attributes
from .points import told_points_of
from .signals import SIGNALS, Messages, Signal
from .splitting import groups_of
from .values import plain, plain_attributes

WHOLE_BYTES = 1024 * 1024  # a request up to this is decoded at once
_Read: TypeAlias = Callable[[Any], dict[str, Any]]
_ATTRIBUTES: Mapping[Signal, Attributes] = {"traces": Attributes(), "logs": Attributes()}


def told_spans(body: bytes) -> Iterator[Told]:
    """The spans of an ExportTraceServiceRequest."""
    messages, read = _reading("traces")
    for resource, scope, spans in _groups(body, messages):
        for span in spans:
            yield _told_span(span, resource, scope, read)


def told_logs(body: bytes) -> Iterator[ToldLog]:
    """The log records of an ExportLogsServiceRequest."""
    messages, read = _reading("logs")
    for resource, scope, records in _groups(body, messages):
        for record in records:
            yield _told_log(record, resource, scope, read)


def told_points(body: bytes) -> Iterator[ToldPoint]:
    """The points of an ExportMetricsServiceRequest; a metric without points tells nothing."""
    for resource, scope, metrics in _groups(body, SIGNALS["metrics"]):
        for metric in metrics:
            yield from told_points_of(metric, resource, scope)


def _reading(signal: Signal) -> tuple[Messages, _Read]:
    """In which messages a request is read, and what reads the attributes of its records."""
    attributes = _ATTRIBUTES[signal]
    return (CUT[signal], attributes.read) if attributes.turn() else (SIGNALS[signal], plain_attributes)


def _groups(body: bytes, messages: Messages) -> Iterator[tuple[ToldResource, ToldScope, Iterator[Any]]]:
    if len(body) <= WHOLE_BYTES:
        request = messages.request.FromString(body)
        for of_resource in getattr(request, messages.groups):
            resource = _told_resource(of_resource)
            for of_scope in getattr(of_resource, messages.scopes):
                yield resource, _told_scope(of_scope), iter(getattr(of_scope, messages.records))
        return
    for group in groups_of(body):
        resource = _told_resource(messages.of_resource.FromString(group.header))
        for scope in group.scopes:
            records = (messages.record.FromString(body[begin:end]) for begin, end in scope.records)
            yield resource, _told_scope(messages.of_scope.FromString(scope.header)), records


def _told_resource(group: Any) -> ToldResource:
    told = group.resource
    return ToldResource(
        plain_attributes(told.attributes),
        group.schema_url,
        told.dropped_attributes_count,
        [_told_entity(each) for each in told.entity_refs],
    )


def _told_entity(entity: Any) -> dict[str, Any]:
    return {
        "type": entity.type,
        "schema_url": entity.schema_url,
        "id_keys": list(entity.id_keys),
        "description_keys": list(entity.description_keys),
    }


def _told_scope(group: Any) -> ToldScope:
    told = group.scope
    return ToldScope(
        told.name, told.version, plain_attributes(told.attributes), group.schema_url, told.dropped_attributes_count
    )


def _told_span(span: Any, resource: ToldResource, scope: ToldScope, read: _Read) -> Told:
    status, events, links = span.status, span.events, span.links
    return Told(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.parent_span_id.hex(),
        span.trace_state,
        span.flags,
        span.kind,
        read(span.attributes),
        [_told_event(event) for event in events] if events else [],
        [_told_link(link) for link in links] if links else [],
        status.code,
        status.message,
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
        resource,
        scope,
    )


def _told_event(event: Any) -> ToldEvent:
    return ToldEvent(
        event.time_unix_nano, event.name, plain_attributes(event.attributes), event.dropped_attributes_count
    )


def _told_link(link: Any) -> ToldLink:
    return ToldLink(
        link.trace_id.hex(),
        link.span_id.hex(),
        link.trace_state,
        plain_attributes(link.attributes),
        link.dropped_attributes_count,
        link.flags,
    )


def _told_log(record: Any, resource: ToldResource, scope: ToldScope, read: _Read) -> ToldLog:
    trace_id, span_id = record.trace_id, record.span_id
    return ToldLog(
        record.time_unix_nano,
        record.observed_time_unix_nano,
        record.severity_number,
        record.severity_text,
        record.event_name,
        plain(record.body),
        read(record.attributes),
        trace_id.hex() if len(trace_id) == 16 else "",
        span_id.hex() if len(span_id) == 8 else "",
        record.flags,
        record.dropped_attributes_count,
        resource,
        scope,
    )
