"""The Delta tables of the other two signals: `logs`, one row per log record, and `metrics`, one row per point.

Their raw columns lose nothing of what was told. Knows columns; knows not where records come from.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa

from flyball.infra.lake.schema import TableSchema

from .attributes import attributes_json
from .columns import Origin, shared_json, table_of, value_json
from .tables import day_of
from .told import ToldLog, ToldPoint

_text, _int = pa.string(), pa.int64()
_SERVICE = "service.name"

LOGS = TableSchema(
    name="logs",
    partition_by=("project", "day"),
    sort_by=("time_ns",),
    find_by=("trace_id",),
    plain=("trace_id", "span_id", "body", "attributes"),
    history_hours=1,
    arrow=pa.schema(
        [
            ("project", _text),
            ("day", _text),
            ("time_ns", _int),
            ("observed_ns", _int),
            ("received_ns", _int),
            ("trace_id", _text),
            ("span_id", _text),
            ("severity", _int),
            ("severity_text", _text),
            ("event_name", _text),
            ("service", _text),
            ("key_id", _text),
            ("body", _text),
            ("attributes", _text),
            ("flags", _int),
            ("dropped", _int),
            ("resource", _text),
            ("otel_scope", _text),
        ]
    ),
)

METRICS = TableSchema(
    name="metrics",
    partition_by=("project", "day"),
    sort_by=("time_ns",),
    history_hours=1,
    arrow=pa.schema(
        [
            ("project", _text),
            ("day", _text),
            ("name", _text),
            ("kind", _text),
            ("description", _text),
            ("unit", _text),
            ("temporality", _int),
            ("monotonic", pa.bool_()),
            ("start_ns", _int),
            ("time_ns", _int),
            ("received_ns", _int),
            ("value", pa.float64()),
            ("value_integer", _int),
            ("service", _text),
            ("key_id", _text),
            ("detail", _text),
            ("attributes", _text),
            ("flags", _int),
            ("resource", _text),
            ("otel_scope", _text),
        ]
    ),
)

_LOG_COPIED = ("observed_ns", "trace_id", "span_id", "severity", "severity_text", "event_name", "flags", "dropped")
_POINT_COPIED = (
    "name", "kind", "description", "unit", "temporality", "monotonic", "start_ns", "time_ns", "flags",
)  # fmt: skip


def log_columns(arrived: Sequence[tuple[Origin, ToldLog]]) -> pa.Table:
    """Log records as rows. One that does not say when it happened has the time at which it was observed, or arrived."""
    logs = [log for _, log in arrived]
    days = [log.time_ns or log.observed_ns or origin.received_ns for origin, log in arrived]
    columns = _common(arrived, days) | {name: list(map(attrgetter(name), logs)) for name in _LOG_COPIED}
    columns |= {
        "time_ns": [log.time_ns for log in logs],
        "body": ["" if log.body is None else value_json(log.body) for log in logs],
    }
    return table_of(LOGS.arrow, columns)


def point_columns(arrived: Sequence[tuple[Origin, ToldPoint]]) -> pa.Table:
    """Points as rows. A whole number stands in both columns of values, so that it comes out as it was told."""
    points = [point for _, point in arrived]
    columns = _common(arrived, [point.time_ns for point in points])
    columns |= {name: list(map(attrgetter(name), points)) for name in _POINT_COPIED}
    columns |= {
        "value": [None if point.value is None else float(point.value) for point in points],
        "value_integer": [point.value if type(point.value) is int else None for point in points],
        "detail": [attributes_json(point.detail) if point.detail else "" for point in points],
    }
    return table_of(METRICS.arrow, columns)


def _common(arrived: Sequence[tuple[Origin, Any]], times: Sequence[int]) -> dict[str, Any]:
    records = [record for _, record in arrived]
    return {
        "project": [origin.project for origin, _ in arrived],
        "key_id": [origin.key_id for origin, _ in arrived],
        "received_ns": [origin.received_ns for origin, _ in arrived],
        "day": [day_of(time) for time in times],
        "service": [str(record.resource.attributes.get(_SERVICE, "")) for record in records],
        "attributes": [attributes_json(record.attributes) if record.attributes else "" for record in records],
        "resource": shared_json(map(attrgetter("resource"), records)),
        "otel_scope": shared_json(map(attrgetter("scope"), records)),
    }
