"""Log records and metrics as readers get them, and what a list of them is narrowed to. Knows words and shapes, no table."""

from typing import Any, Literal, TypeAlias, get_args

import msgspec

Level: TypeAlias = Literal["", "trace", "debug", "info", "warn", "error", "fatal"]
LEVELS: tuple[str, ...] = get_args(Level)[1:]
SERIES_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")

Shows: TypeAlias = Literal["level", "increase", "distribution", "summary"]

_END = 2**63 - 1
_WIDE = 4  # numbers that a level has: 1 to 4 are trace, 5 to 8 are debug


def least_of(level: Level) -> int:
    """The smallest severity of a level, by the protocol's numbers; 0 for none."""
    return LEVELS.index(level) * _WIDE + 1 if level else 0


def level_of(severity: int) -> Level:
    """The level that a severity lies in; "" for 0, which is not told, and for what lies outside."""
    return get_args(Level)[(severity - 1) // _WIDE + 1] if 0 < severity <= len(LEVELS) * _WIDE else ""


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What log records are narrowed to, times included on both sides. `level` is the least.

    `text` is looked for in body, attributes and the event's name, without regard to case.
    """

    level: Level = ""
    service: str = ""
    trace_id: str = ""
    span_id: str = ""
    event: str = ""
    text: str = ""
    since_ns: int = 0
    until_ns: int = _END


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """One log record. `at_ns` is when it happened, else when it was observed, else when it arrived; others are 0 where not told.

    `level` is read from the severity, or where no number was told from its text. Values are JSON as in the table, where
    what JSON cannot say is an object with one key that begins with `$`. `cut`: something is too long for a list, and only
    the beginning of the body's JSON stands here, or no attributes; an export has it whole.
    """

    at_ns: int
    time_ns: int
    observed_ns: int
    received_ns: int
    trace_id: str
    span_id: str
    level: Level
    severity: int
    severity_text: str
    event_name: str
    service: str
    body: Any
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: dict[str, Any]
    flags: int
    dropped: int
    cut: bool = False


class PointFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What points of metrics are narrowed to, times included on both sides. `trace_id`: one of their exemplars names it."""

    name: str = ""
    kind: str = ""
    service: str = ""
    trace_id: str = ""
    since_ns: int = 0
    until_ns: int = _END


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which points were told in a window, with how many, in how many series, and when the newest is of."""

    name: str
    kind: str
    unit: str
    description: str
    services: tuple[str, ...]
    series: int
    points: int
    newest_ns: int


class Quantile(msgspec.Struct, frozen=True, kw_only=True):
    """Below `value` lies the share `quantile` of what was measured: estimated from buckets, or told by a summary."""

    quantile: float
    value: float


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a series says of one step of the window that begins at `at_ns`. What is not known is null.

    `value` is the last level, or by how much a sum grew. `count`, `sum` and `quantiles` are of what was measured in the step.
    """

    at_ns: int
    value: float | None = None
    count: int | None = None
    sum: float | None = None
    quantiles: tuple[Quantile, ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The points of one metric from one resource with one set of attributes. Steps of which nothing is known are left out."""

    kind: str
    unit: str
    temporality: int
    monotonic: bool
    service: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: dict[str, Any]
    points: int
    newest_ns: int
    shows: Shows
    moments: tuple[Moment, ...] = ()


class MetricSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One metric over a window: the series heard of last, and how many there are beside them.

    `cut`: there are more distributions in the window than are read; the oldest of them are left out.
    """

    name: str
    description: str
    since_ns: int
    until_ns: int
    step_ns: int
    series: tuple[Series, ...]
    hidden: int
    cut: bool


class ExportedPage(msgspec.Struct, frozen=True, kw_only=True):
    """The next records in OTLP's JSON, oldest first: the body of one export request. `next` is None after the last."""

    request: dict[str, Any]
    records: int
    next: str | None = None
