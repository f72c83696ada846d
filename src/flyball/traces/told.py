"""A span, a log record and a metric point exactly as OTLP tells them, in plain Python: nothing is interpreted or left out.

Knows the words of the protocol. Knows neither its encodings (`otlp/decoding.py` makes these, `otlp/encoding.py` writes
them again) nor what any of it means to us (`normalising.py`). Resource and scope are shared by the spans of one request.
Ids are lower-case hex, "" where the protocol says empty; times are nanoseconds since 1970, 0 where they are not told.
Attribute values are str, bool, int, float, bytes, list, dict with str keys, or None for a value without content.
"""

from typing import Any, Literal

import msgspec

INTERNAL, CLIENT = 1, 3  # SpanKind
OK, ERROR = 1, 2  # Status codes; 0 is unset

# The kinds' names, by the protocol's number; columns and pages speak these.
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")

PointKind = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]


class ToldResource(msgspec.Struct):
    """Who sent it: the attributes of the process that the records come from, and which of them name what (`entities`)."""

    attributes: dict[str, Any] = {}
    schema_url: str = ""
    dropped: int = 0
    entities: list[dict[str, Any]] = []


class ToldScope(msgspec.Struct):
    """Which library made it, with its version."""

    name: str = ""
    version: str = ""
    attributes: dict[str, Any] = {}
    schema_url: str = ""
    dropped: int = 0


class ToldEvent(msgspec.Struct, gc=False):
    """Something that happened at one moment of a span."""

    time_ns: int
    name: str
    attributes: dict[str, Any] = {}
    dropped: int = 0


class ToldLink(msgspec.Struct, gc=False):
    """Another span that this one has to do with."""

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: dict[str, Any] = {}
    dropped: int = 0
    flags: int = 0


class Told(msgspec.Struct):
    """One span. `end_ns` is 0 while it runs; `kind` and `status_code` are the protocol's numbers."""

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int
    parent_id: str = ""
    trace_state: str = ""
    flags: int = 0
    kind: int = INTERNAL
    attributes: dict[str, Any] = {}
    events: list[ToldEvent] = []
    links: list[ToldLink] = []
    status_code: int = 0
    status_message: str = ""
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0
    resource: ToldResource = msgspec.field(default_factory=ToldResource)
    scope: ToldScope = msgspec.field(default_factory=ToldScope)


class ToldLog(msgspec.Struct):
    """One log record. `severity` is the protocol's number, 0 when it is not told; `trace_id` and `span_id` may be ""."""

    time_ns: int
    observed_ns: int = 0
    severity: int = 0
    severity_text: str = ""
    event_name: str = ""
    body: Any = None
    attributes: dict[str, Any] = {}
    trace_id: str = ""
    span_id: str = ""
    flags: int = 0
    dropped: int = 0
    resource: ToldResource = msgspec.field(default_factory=ToldResource)
    scope: ToldScope = msgspec.field(default_factory=ToldScope)


class ToldPoint(msgspec.Struct):
    """One point of a metric, with the metric's own words repeated.

    `value` is a gauge's or sum's number, or a histogram's or summary's sum, and None when there is none. `detail` keeps
    what only that kind has: count, buckets and bounds, quantiles, minimum and maximum, exemplars. `temporality` is the
    protocol's number: 0 not told, 1 delta, 2 cumulative.
    """

    name: str
    kind: PointKind
    time_ns: int
    description: str = ""
    unit: str = ""
    temporality: int = 0
    monotonic: bool = False
    start_ns: int = 0
    value: int | float | None = None
    detail: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    flags: int = 0
    resource: ToldResource = msgspec.field(default_factory=ToldResource)
    scope: ToldScope = msgspec.field(default_factory=ToldScope)
