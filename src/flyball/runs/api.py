"""The HTTP face of runs: parse, one verb, answer."""

from flyball.kit.paging import Page
from flyball.surface.http import ContextDep, Router

from . import service
from .records import Run

router = Router("/api/runs", tag="runs")


@router.get(permission="runs.read", returns=Page[Run])
async def list_runs(ctx: ContextDep, cursor: str = "", limit: int = 50, kind: str = "", status: str = "") -> Page[Run]:
    """The project's runs, newest first."""
    return await service.list_runs(ctx, cursor, limit, kind=kind, status=status)


@router.get("/{run_id}", permission="runs.read", returns=Run)
async def show_run(ctx: ContextDep, run_id: str) -> Run:
    """One run: how far it is, and how it ended."""
    return await service.get(ctx, run_id)
