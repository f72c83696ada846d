"""The HTTP face of log records and metrics: parse, one verb, answer."""

from typing import Annotated

from fastapi import Depends

from flyball.audit import service as audit
from flyball.kit.clock import NANOSECONDS
from flyball.kit.paging import Page
from flyball.surface.http import ContextDep, Router

from . import service
from .errors import SpanRefusedError
from .signal_records import ExportedPage, Level, LogFilter, LogRow, Metric, MetricSeries, PointFilter

router = Router("/api", tag="traces")

_END = 2**63 - 1
_DAY_NS = 24 * 3_600 * NANOSECONDS


class WantedLogs:
    """What log records are narrowed to, from the query."""

    def __init__(
        self,
        *,
        level: Level = "",
        service: str = "",
        trace: str = "",
        span: str = "",
        event: str = "",
        text: str = "",
        since_ns: int = 0,
        until_ns: int = _END,
    ) -> None:
        self.filter = LogFilter(
            level=level,
            service=service,
            trace_id=trace,
            span_id=span,
            event=event,
            text=text,
            since_ns=_time(since_ns),
            until_ns=_time(until_ns),
        )


class WantedPoints:
    """What points are narrowed to, from the query."""

    def __init__(
        self,
        *,
        name: str = "",
        kind: str = "",
        service: str = "",
        trace: str = "",
        since_ns: int | None = None,
        until_ns: int | None = None,
    ) -> None:
        self._words = {"name": name, "kind": kind, "service": service, "trace_id": trace}
        self._since_ns, self._until_ns = since_ns, until_ns

    def all(self) -> PointFilter:
        """Whatever time is not said does not matter."""
        return self._filter(0, _END)

    def lately(self, now_ns: int) -> PointFilter:
        """Where no time is said: up to now, and of one day."""
        until_ns = now_ns if self._until_ns is None else _time(self._until_ns)
        return self._filter(max(0, until_ns - _DAY_NS), until_ns)

    def _filter(self, since_ns: int, until_ns: int) -> PointFilter:
        since_ns = since_ns if self._since_ns is None else _time(self._since_ns)
        until_ns = until_ns if self._until_ns is None else _time(self._until_ns)
        return PointFilter(**self._words, since_ns=since_ns, until_ns=until_ns)


@router.get("/logs", permission="traces.read", returns=Page[LogRow])
async def list_logs(
    ctx: ContextDep, wanted: Annotated[WantedLogs, Depends()], cursor: str = "", limit: int = 50
) -> Page[LogRow]:
    """The project's log records, newest first. Reading them is recorded, once an hour.

    A search for a text may answer a page with few of them and a next one.
    """
    found = await service.list_logs(ctx, wanted.filter, cursor=cursor, limit=limit)
    await audit.record_read(ctx, action="logs.read", object_kind="project", object_id=ctx.project)
    return found


@router.get("/logs/otlp", permission="traces.read", returns=ExportedPage)
async def export_logs(ctx: ContextDep, wanted: Annotated[WantedLogs, Depends()], cursor: str = "") -> ExportedPage:
    """Log records in OTLP's JSON, oldest first, up to 1,000 in one request: what was taken in comes out the same.

    Reading them is recorded, once an hour.
    """
    found = await service.export_logs(ctx, wanted.filter, cursor=cursor)
    await audit.record_read(ctx, action="logs.read", object_kind="project", object_id=ctx.project)
    return found


@router.get("/metrics", permission="traces.read", returns=Page[Metric])
async def list_metrics(
    ctx: ContextDep, wanted: Annotated[WantedPoints, Depends()], text: str = "", cursor: str = "", limit: int = 50
) -> Page[Metric]:
    """The names of metrics of which points were told, in the last day unless times are given; `text` is a part of a name."""
    now_ns = ctx.clock.now_ns()
    return await service.list_metrics(ctx, wanted.lately(now_ns), text=text, cursor=cursor, limit=limit)


@router.get("/metrics/series", permission="traces.read", returns=MetricSeries)
async def read_series(ctx: ContextDep, wanted: Annotated[WantedPoints, Depends()], steps: int = 96) -> MetricSeries:
    """The series of one metric, in the last day unless times are given, cut into steps. Reading it is recorded, once an hour."""
    found = await service.read_series(ctx, wanted.lately(ctx.clock.now_ns()), steps=steps)
    await audit.record_read(ctx, action="metrics.read", object_kind="project", object_id=ctx.project)
    return found


@router.get("/metrics/otlp", permission="traces.read", returns=ExportedPage)
async def export_points(ctx: ContextDep, wanted: Annotated[WantedPoints, Depends()], cursor: str = "") -> ExportedPage:
    """Points in OTLP's JSON, oldest first, up to 1,000 in one request: what was taken in comes out the same.

    Reading them is recorded, once an hour.
    """
    found = await service.export_points(ctx, wanted.all(), cursor=cursor)
    await audit.record_read(ctx, action="metrics.read", object_kind="project", object_id=ctx.project)
    return found


def _time(ns: int) -> int:
    if not 0 <= ns <= _END:
        raise SpanRefusedError(f"{ns} is no time", next_step="give nanoseconds since 1970")
    return ns
