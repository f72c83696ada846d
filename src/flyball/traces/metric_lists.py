"""Metrics that were told: their names over a window, and the series of one of them, step by step.

What a step needs of each series is found in the table: the newest point of a level or of a sum that grows, what sums of
changes add up to; histograms of changes alone are read point by point, the newest of them. Knows columns and questions;
what a distribution says is in `distributions.py`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from flyball.infra.context import Context
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from .attributes import attributes_from_json
from .catching_up import catch_up
from .errors import MetricNotFoundError
from .metric_steps import Sample, moments_of, shows_of
from .pruning import points_between
from .signal_records import Metric, MetricSeries, PointFilter, Series
from .signal_tables import METRICS

MOST_SERIES = 20
MOST_STEPS = 500
_MOST_SAMPLES = 50_000
_MOST_BYTES = 8 * 1024 * 1024  # of distributions
_WORDS = ("kind", "unit", "temporality", "monotonic", "service", "resource", "otel_scope", "attributes")  # of a series

FITTING = """
    select *, time_ns as at_ns,
        hash(name, kind, service, attributes, resource, otel_scope, start_ns, value, value_integer, detail) as digest
    from metrics where project = $project and ($name = '' or name = $name) and ($kind = '' or kind = $kind)
        and ($service = '' or service = $service) and ($trace_id = '' or contains(detail, $trace_id))
"""
_METRICS = f"""
    select name, kind, unit, arg_max(description, time_ns) as description, count(*) as points, max(time_ns) as newest_ns,
        count(distinct hash({", ".join(_WORDS)})) as series, list(distinct service order by service)[:5] as services
    from metrics where project = $project and time_ns between $since and $until
        and ($service = '' or service = $service) and ($text = '' or contains(lower(name), $text))
        and (name, kind, unit) > ($name, $kind, $unit)
    group by name, kind, unit order by name, kind, unit limit $most
"""
_SERIES = f"""
    select {", ".join(_WORDS)}, count(*) as points, max(time_ns) as newest_ns, count(*) over () as together,
        arg_max(description, time_ns) as description
    from ({FITTING}) where at_ns between $since and $until
    group by {", ".join(_WORDS)} order by newest_ns desc, points desc, {", ".join(_WORDS)} limit $most
"""
_SAMPLES = f"""
    select *, sum(strlen(detail)) over (order by time_ns desc, number rows between unbounded preceding and 1 preceding) as before
    from (
        select number, case when temporality = 2 then start_ns else 0 end as began, (at_ns - $since) // $step as step, max(time_ns) as time_ns,
            arg_max(value, time_ns) as value, sum(value) as together, arg_max(detail, time_ns) as detail
        from ({FITTING}) join chosen using ({", ".join(_WORDS)})
        where at_ns between $since and $until
        group by number, began, step,
            case when temporality = 1 and kind in ('histogram', 'exponential_histogram') then digest else 0 end
    ) order by time_ns desc, number limit $most
"""


class Stretch(NamedTuple):
    """A window: from when to when, both included, and how long each step is."""

    since_ns: int
    until_ns: int
    step_ns: int


async def list_metrics(
    ctx: Context, wanted: PointFilter, *, text: str = "", cursor: str = "", limit: int | None = None
) -> Page[Metric]:
    """The names of a window by alphabet, each with its kinds and units; `text` is a part of a name."""
    name, kind, unit = decode_cursor(cursor, str, str, str) if cursor else ("", "", "")
    size = page_size(limit)
    await catch_up(ctx, signal="metrics")
    parameters = {"name": name, "kind": kind, "unit": unit, "text": text.lower(), "service": wanted.service}
    parameters |= {"project": ctx.project, "since": wanted.since_ns, "until": wanted.until_ns, "most": size + 1}
    rows = await asyncio.to_thread(_ask, ctx, _METRICS, parameters)
    items = tuple(Metric(**{**row, "services": tuple(filter(None, row["services"]))}) for row in rows[:size])
    more = len(rows) > size
    return Page(items=items, next=encode_cursor(items[-1].name, items[-1].kind, items[-1].unit) if more else None)


async def read_series(ctx: Context, wanted: PointFilter, *, steps: int) -> MetricSeries:
    """The series of one metric over a window, cut into so many steps.

    Raises:
        MetricNotFoundError: no point of it lies in the window.
    """
    await catch_up(ctx, signal="metrics")
    long = max(1, wanted.until_ns - wanted.since_ns)
    stretch = Stretch(wanted.since_ns, wanted.until_ns, max(1, -(-long // max(1, min(steps, MOST_STEPS)))))
    return await asyncio.to_thread(_read_series, ctx, wanted, stretch)


def parameters_of(ctx: Context, wanted: PointFilter) -> dict[str, Any]:
    """What FITTING asks for."""
    return {
        "project": ctx.project,
        "name": wanted.name,
        "kind": wanted.kind,
        "service": wanted.service,
        "trace_id": wanted.trace_id,
    }


def _read_series(ctx: Context, wanted: PointFilter, stretch: Stretch) -> MetricSeries:
    bounds = parameters_of(ctx, wanted) | {"since": stretch.since_ns, "until": stretch.until_ns}
    rows = _ask(ctx, _SERIES, bounds | {"most": MOST_SERIES})
    if not rows:
        raise MetricNotFoundError(
            f"no point of a metric {wanted.name!r:.80} was told in this time",
            next_step="see `flyball metrics list`, or ask for a longer time",
        )
    chosen = pa.table(
        {"number": list(range(len(rows)))} | {name: [row[name] for row in rows] for name in _WORDS},
        schema=_CHOSEN,
    )
    found = _ask(ctx, _SAMPLES, bounds | {"step": stretch.step_ns, "most": _MOST_SAMPLES}, {"chosen": chosen})
    samples: defaultdict[int, list[Sample]] = defaultdict(list)
    read = [row for row in found if (row["before"] or 0) < _MOST_BYTES]
    for row in reversed(read):  # the oldest first
        samples[row["number"]].append(_sample(row))
    return MetricSeries(
        name=wanted.name,
        description=next((row["description"] for row in rows if row["description"]), ""),
        since_ns=stretch.since_ns,
        until_ns=stretch.until_ns,
        step_ns=stretch.step_ns,
        series=tuple(_series(row, samples[number], stretch) for number, row in enumerate(rows)),
        hidden=rows[0]["together"] - len(rows),
        cut=len(read) < len(found) or len(found) == _MOST_SAMPLES,
    )


def _sample(row: Mapping[str, Any]) -> Sample:
    return Sample(
        step=row["step"],
        start_ns=row["began"],
        time_ns=row["time_ns"],
        value=row["value"],
        together=row["together"],
        detail=attributes_from_json(row["detail"]) if row["detail"] else {},
    )


def _series(row: Mapping[str, Any], samples: list[Sample], stretch: Stretch) -> Series:
    shows = shows_of(row["kind"], row["temporality"], monotonic=row["monotonic"])
    return Series(
        **{name: row[name] for name in ("kind", "unit", "temporality", "monotonic", "service", "points", "newest_ns")},
        attributes=_object(row["attributes"]),
        resource=_object(row["resource"]),
        scope=_object(row["otel_scope"]),
        shows=shows,
        moments=moments_of(samples, row["kind"], row["temporality"], shows, since_ns=stretch.since_ns, step_ns=stretch.step_ns),
    )  # fmt: skip


def _object(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text) if text else {}


def _ask(
    ctx: Context, sql: str, parameters: dict[str, Any], relations: Mapping[str, pa.Table] | None = None
) -> list[dict[str, Any]]:
    where = points_between(ctx.project, parameters["since"], parameters["until"])
    return ctx.lake.query(sql, parameters, tables=(METRICS,), where={"metrics": where}, relations=relations)


_CHOSEN = pa.schema([("number", pa.int64()), *(METRICS.arrow.field(name) for name in _WORDS)])
