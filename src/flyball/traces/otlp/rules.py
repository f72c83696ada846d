"""What a span, a log record or a metric needs to be kept, and what is said of one that lacks it.

A span needs a trace id of 16 and a span id of 8 bytes, neither all zero, a parent id of 8 bytes or none, and a start; a
metric needs a name; times lie before 2262. Events and links of a span have a bound, because two bytes are one. A span that ends before it starts, or begins in the future, is kept as told.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .signals import Signal

LATEST_NS = 2**63 - 1
MOST_BESIDE = 10_000  # events and links of a span
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


def wrong_with_span(span: Any) -> str:
    """What is wrong with a span; "": nothing."""
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        return f"span {span_id.hex() or span.name!r:.60}: its trace_id {_wrong_id(trace_id, 16)}"
    if len(span_id) != 8 or span_id == _NO_SPAN:
        return f"span {span.name!r:.60} of trace {trace_id.hex()}: its span_id {_wrong_id(span_id, 8)}"
    if parent_id and len(parent_id) != 8:
        return f"span {span_id.hex()}: its parent_span_id {_wrong_id(parent_id, 8)}"
    if not 0 < span.start_time_unix_nano <= LATEST_NS or span.end_time_unix_nano > LATEST_NS:
        lasts = f"from {span.start_time_unix_nano} to {span.end_time_unix_nano}"
        return f"span {span_id.hex()}: it lasts {lasts}; a start is needed, and times before 2262"
    if len(span.events) + len(span.links) > MOST_BESIDE:
        return f"a span holds more than {MOST_BESIDE:,} events and links"
    return ""


def wrong_with_log(record: Any) -> str:
    """What is wrong with a log record; a wrong id is not: it says that the record belongs to no trace."""
    if record.time_unix_nano > LATEST_NS or record.observed_time_unix_nano > LATEST_NS:
        return f"log record of {record.time_unix_nano}: its time is not before 2262"
    return ""


def wrong_with_metric(metric: Any) -> str:
    """What is wrong with a metric or one of its points."""
    if not metric.name:
        return "a metric without a name"
    if all(map(in_time, points_of(metric))):
        return ""
    return f"metric {metric.name!r:.80}: the time of a point is not before 2262"


def in_time(point: Any) -> bool:
    """Whether a metric's point can be kept."""
    return bool(point.time_unix_nano <= LATEST_NS and point.start_time_unix_nano <= LATEST_NS)


def points_of(metric: Any) -> Any:
    """A metric's points, in place."""
    which = metric.WhichOneof("data")
    return getattr(metric, which).data_points if which else []


def _wrong_id(id_: bytes, length: int) -> str:
    return f"has {len(id_)} bytes, and needs {length}" if len(id_) != length else "is all zero"


WRONG: Mapping[Signal, Callable[[Any], str]] = {
    "traces": wrong_with_span,
    "logs": wrong_with_log,
    "metrics": wrong_with_metric,
}
