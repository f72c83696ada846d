"""Log records and metrics as pages: lists with their filters, and one metric with its series as drawings. Parse, one verb, render."""

from dataclasses import asdict, dataclass
from typing import Annotated, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
from fastapi import Depends

from flyball.audit import service as audit
from flyball.kit.clock import NANOSECONDS, to_datetime
from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import metric_charts
from . import service as traces
from .errors import MetricNotFoundError
from .log_lines import LogLine, lines_of
from .signal_records import LEVELS, Level, LogFilter, Metric, MetricSeries, PointFilter

log_pages = Pages(tag="traces", section="/logs")
metric_pages = Pages(tag="traces", section="/measurements")

_HOUR_NS = 3_600 * NANOSECONDS
_USUAL = "24h"


class Window(NamedTuple):
    """How far back a page looks, in words, and how long a step of its drawings is."""

    name: str
    words: str
    step: str
    long_ns: int
    step_ns: int


WINDOWS = {
    one.name: one
    for one in (
        Window("1h", "the last hour", "a minute", _HOUR_NS, _HOUR_NS // 60),
        Window("6h", "the last 6 hours", "5 minutes", 6 * _HOUR_NS, _HOUR_NS // 12),
        Window("24h", "the last 24 hours", "15 minutes", 24 * _HOUR_NS, _HOUR_NS // 4),
        Window("7d", "the last 7 days", "2 hours", 168 * _HOUR_NS, 2 * _HOUR_NS),
        Window("30d", "the last 30 days", "8 hours", 720 * _HOUR_NS, 8 * _HOUR_NS),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsAsked:
    """What log records are narrowed to, as it was written."""

    level: Level = ""
    service: str = ""
    trace: str = ""
    span: str = ""
    text: str = ""
    last: str = ""

    def filter(self, now_ns: int) -> LogFilter:
        """The same for the verb."""
        window = WINDOWS.get(self.last)
        return LogFilter(
            level=self.level,
            service=self.service.strip(),
            trace_id=self.trace.strip(),
            span_id=self.span.strip(),
            text=self.text.strip(),
            since_ns=now_ns - window.long_ns if window else 0,
        )

    def to(self, **changes: str) -> str:
        """The address of this page with something changed."""
        kept = {name: value for name, value in (asdict(self) | changes).items() if value}
        return "/logs" + (f"?{urlencode(kept)}" if kept else "")


class LogList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/logs.html shows."""

    asked: LogsAsked
    lines: tuple[LogLine, ...]
    levels: tuple[str, ...]
    windows: tuple[Window, ...]
    older: str
    first: bool
    filtered: bool


class MetricList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/measurements.html shows. `addresses` are those of the metrics, in their order."""

    metrics: tuple[Metric, ...]
    addresses: tuple[str, ...]
    text: str
    service: str
    window: Window
    windows: tuple[Window, ...]
    next: str
    first: bool


class MetricPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/measurement.html shows. `found` is None where nothing of the metric was told in the window."""

    name: str
    address: str
    service: str
    window: Window
    windows: tuple[Window, ...]
    found: MetricSeries | None
    drawn: tuple[metric_charts.Drawn, ...]
    begins: str
    ends: str


@log_pages.get("/logs", permission="traces.read", template="traces/logs.html")
async def list_logs(ctx: ContextDep, asked: Annotated[LogsAsked, Depends()], cursor: str = "") -> LogList:
    """The project's log records, newest first."""
    found = await traces.list_logs(ctx, asked.filter(ctx.clock.now_ns()), cursor=cursor)
    await audit.record_read(ctx, action="logs.read", object_kind="project", object_id=ctx.project)
    return LogList(
        asked=asked,
        lines=lines_of(found.items),
        levels=LEVELS,
        windows=tuple(WINDOWS.values()),
        older=asked.to(cursor=found.next) if found.next else "",
        first=not cursor,
        filtered=asked != LogsAsked(),
    )


@metric_pages.get("/measurements", permission="traces.read", template="traces/measurements.html")
async def list_metrics(
    ctx: ContextDep, text: str = "", service: str = "", last: str = "", cursor: str = ""
) -> MetricList:
    """The names of metrics that were told of in a window."""
    window = WINDOWS.get(last, WINDOWS[_USUAL])
    text, service = text.strip(), service.strip()
    found = await traces.list_metrics(ctx, _points(ctx, window, service=service), text=text, cursor=cursor)
    asked = {"text": text, "service": service, "last": last}
    return MetricList(
        metrics=found.items,
        addresses=tuple(
            f"{_address(metric.name)}?{urlencode({'last': window.name, 'service': service})}" for metric in found.items
        ),
        text=text,
        service=service,
        window=window,
        windows=tuple(WINDOWS.values()),
        next=f"/measurements?{urlencode(asked | {'cursor': found.next})}" if found.next else "",
        first=not cursor,
    )


@metric_pages.get("/measurements/{name:path}", permission="traces.read", template="traces/measurement.html")
async def show_metric(ctx: ContextDep, name: str, service: str = "", last: str = "") -> MetricPage:
    """One metric: its series over a window."""
    window = WINDOWS.get(last, WINDOWS[_USUAL])
    wanted = _points(ctx, window, name=name, service=service.strip())
    found = await _series(ctx, wanted, window)
    await audit.record_read(ctx, action="metrics.read", object_kind="project", object_id=ctx.project)
    return MetricPage(
        name=name,
        address=_address(name),
        service=service.strip(),
        window=window,
        windows=tuple(WINDOWS.values()),
        found=found,
        drawn=metric_charts.drawn(found) if found else (),
        begins=f"{to_datetime(wanted.since_ns):%Y-%m-%d %H:%M}",
        ends=f"{to_datetime(wanted.until_ns):%Y-%m-%d %H:%M} UTC",
    )


async def _series(ctx: ContextDep, wanted: PointFilter, window: Window) -> MetricSeries | None:
    try:
        return await traces.read_series(ctx, wanted, steps=window.long_ns // window.step_ns)
    except MetricNotFoundError:
        return None


def _points(ctx: ContextDep, window: Window, *, name: str = "", service: str = "") -> PointFilter:
    """Up to the end of the step that is now, so that a step is the same whenever one looks."""
    now_ns = ctx.clock.now_ns()
    until_ns = now_ns - now_ns % window.step_ns + window.step_ns
    return PointFilter(name=name, service=service, since_ns=until_ns - window.long_ns, until_ns=until_ns)


def _address(name: str) -> str:
    return f"/measurements/{quote(name, safe='')}"
