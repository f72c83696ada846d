"""The page of health: how the server does now, and how it did for a day."""

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import service
from .charts import Chart, Hour, charts_of, hours_of
from .records import Finding, Flow, Flush, Health, Waiting

pages = Pages(tag="health", section="/health")

_MOST_ROWS = 40  # of processes and tables each


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of records: what waits, what comes in and is stored, and how it is flushed. `waiting` None: nobody can tell."""

    kind: str
    waiting: Waiting | None
    flow: Flow
    flush: Flush


class HealthPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows. `todo` are the findings that ask for something, the urgent first."""

    health: Health
    todo: tuple[Finding, ...]
    lines: tuple[Line, ...]
    charts: tuple[Chart, ...]
    hours: tuple[Hour, ...]
    rows: int


@pages.get("/health", permission="health.read", template="health/show.html")
async def show_health(ctx: ContextDep) -> HealthPage:
    """How the server does."""
    health = await service.examine(ctx)
    figures = health.figures
    minutes = (await service.history(ctx)).items
    objective = figures.attainment.objective
    waiting = {one.kind: one for one in figures.waiting or ()}
    flushes = {one.kind: one for one in figures.flushes}
    return HealthPage(
        health=health,
        todo=tuple(
            sorted(
                (each for each in health.findings if each.state in ("warn", "bad")),
                key=lambda each: each.state != "bad",
            )
        ),
        lines=tuple(
            Line(kind=flow.kind, waiting=waiting.get(flow.kind), flow=flow, flush=flushes[flow.kind])
            for flow in figures.flows
        ),
        charts=charts_of(minutes, objective, figures.disk.total, figures.at_ns),
        hours=hours_of(minutes, objective),
        rows=_MOST_ROWS,
    )
