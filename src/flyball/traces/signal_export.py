"""Log records and points as OTLP requests again, oldest first, page by page: what was taken in comes out the same.

A page is small enough to be sent to any OTLP endpoint as one request, unless a single record is not. Knows the way from
rows to what was told; knows not who asks.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from flyball.infra.context import Context
from flyball.infra.lake.schema import TableSchema

from .catching_up import catch_up
from .log_lists import FITTING as LOGS_FITTING
from .log_lists import Place, after, parameters_of, place_of
from .metric_lists import FITTING as POINTS_FITTING
from .metric_lists import parameters_of as parameters_of_points
from .otlp.encoding import logs_request, points_request
from .otlp.json_writing import json_object
from .pruning import logs_between, points_between
from .signal_records import ExportedPage, LogFilter, PointFilter
from .signal_tables import LOGS, METRICS
from .told import ToldPoint
from .told_rows import told_of_log, told_of_point

MOST_RECORDS = 1_000
_MOST_BYTES = 8 * 1024 * 1024  # of texts


class _Signal(NamedTuple):
    table: TableSchema
    fitting: str
    texts: str
    files: Callable[[str, int, int], str]
    request: Callable[[Iterable[Mapping[str, Any]]], Any]


async def export_logs(ctx: Context, wanted: LogFilter, *, cursor: str = "") -> ExportedPage:
    """The next log records that fit."""
    return await _export(ctx, _LOGS, wanted, parameters_of(ctx, wanted), cursor)


async def export_points(ctx: Context, wanted: PointFilter, *, cursor: str = "") -> ExportedPage:
    """The next points that fit."""
    return await _export(ctx, _POINTS, wanted, parameters_of_points(ctx, wanted), cursor)


async def _export(
    ctx: Context, signal: _Signal, wanted: LogFilter | PointFilter, parameters: dict[str, Any], cursor: str
) -> ExportedPage:
    place = place_of(cursor) if cursor else Place(wanted.since_ns, 0)
    await catch_up(ctx, signal=signal.table.name)
    place = place if place.at_ns >= wanted.since_ns else Place(wanted.since_ns, 0)
    return await asyncio.to_thread(_page, ctx, signal, parameters | {"until": wanted.until_ns}, place)


def _page(ctx: Context, signal: _Signal, parameters: dict[str, Any], place: Place) -> ExportedPage:
    bounds = parameters | {"since": place.at_ns, "most": MOST_RECORDS + 1}
    reach = _ask(ctx, signal, _REACH.format(fitting=signal.fitting), bounds | {"most": MOST_RECORDS + 1 + place.seen})
    rows: list[dict[str, Any]] = []
    if reach[0]["at_ns"] is not None:
        sql = _ROWS.format(fitting=signal.fitting, texts=signal.texts)
        bounds |= {"until": reach[0]["at_ns"], "seen": place.seen, "bytes": _MOST_BYTES}
        rows = _ask(ctx, signal, sql, bounds)
    more = bool(rows) and rows[0]["together"] > len(rows[:MOST_RECORDS])
    rows = rows[:MOST_RECORDS]
    return ExportedPage(
        request=json_object(signal.request(rows)), records=len(rows), next=after(rows, place) if more else None
    )


def _ask(ctx: Context, signal: _Signal, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    where = signal.files(ctx.project, parameters["since"], parameters["until"])
    return ctx.lake.query(sql, parameters, tables=(signal.table,), where={signal.table.name: where})


# Where a page ends at the latest, by the narrow columns alone.
_REACH = """
    select max(at_ns) as at_ns from (
        select at_ns from ({fitting}) where at_ns between $since and $until order by at_ns limit $most
    )
"""
# As many of its rows as are not too large together, and always one.
_ROWS = """
    select * from (
        select *, count(*) over () as together, sum({texts}) over (
            order by at_ns, received_ns, digest rows between unbounded preceding and 1 preceding
        ) as before
        from (
            select * from ({fitting}) where at_ns between $since and $until
            order by at_ns, received_ns, digest limit $most offset $seen
        )
    ) where coalesce(before, 0) < $bytes order by at_ns, received_ns, digest
"""


def _points_request(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Points of one metric stand together, so that its words are said once."""
    return points_request(sorted(map(told_of_point, rows), key=_metric_of))


def _metric_of(point: ToldPoint) -> tuple[str, ...]:
    return (point.name, point.kind, point.unit, point.description)


_LOGS = _Signal(
    LOGS,
    LOGS_FITTING,
    "strlen(body) + strlen(attributes)",
    logs_between,
    lambda rows: logs_request(map(told_of_log, rows)),
)
_POINTS = _Signal(METRICS, POINTS_FITTING, "strlen(detail) + strlen(attributes)", points_between, _points_request)
