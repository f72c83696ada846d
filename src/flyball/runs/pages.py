"""Runs as pages: the list, and one run with its progress, its arguments and what came out."""

import msgspec

from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import service
from .records import Run

pages = Pages(tag="runs", section="/runs")


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows."""

    runs: tuple[Run, ...]
    next: str | None
    first: bool
    status: str


class RunPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows."""

    run: Run


@pages.get("/runs", permission="runs.read", template="runs/list.html")
async def list_runs(ctx: ContextDep, cursor: str = "", status: str = "") -> RunList:
    """The project's runs, newest first."""
    found = await service.list_runs(ctx, cursor, status=status)
    return RunList(runs=found.items, next=found.next, first=not cursor, status=status)


@pages.get("/runs/{run_id}", permission="runs.read", template="runs/show.html")
async def show_run(ctx: ContextDep, run_id: str) -> RunPage:
    """One run."""
    return RunPage(run=await service.get(ctx, run_id))
