"""The HTTP face of evaluations: parse, one verb, answer."""

import msgspec

from flyball.kit.paging import Page
from flyball.runs.records import Run
from flyball.surface.http import Body, ContextDep, Router

from . import service
from .records import Evaluation, EvaluationSpec, Result
from .reports import Comparison, Report, ReportCheck, ReportLine

router = Router("/api", tag="evaluations")


class NewRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run to start, on the newest version of the dataset unless one is named.

    `continues` is a run that failed: only what was not answered there is asked.
    """

    dataset_version: int | None = None
    continues: str = ""


@router.get("/evaluations", permission="evaluations.read", returns=tuple[Evaluation, ...])
async def list_evaluations(ctx: ContextDep) -> tuple[Evaluation, ...]:
    """The project's evaluations, by name."""
    return await service.list_evaluations(ctx)


@router.get("/evaluations/{name}", permission="evaluations.read", returns=Evaluation)
async def show_evaluation(ctx: ContextDep, name: str) -> Evaluation:
    """One evaluation as declared."""
    return await service.get_evaluation(ctx, name)


@router.put("/evaluations/{name}", permission="evaluations.write", returns=Evaluation)
async def declare_evaluation(ctx: ContextDep, name: str, spec: EvaluationSpec = Body(EvaluationSpec)) -> Evaluation:
    """Declare an evaluation, or change its declaration."""
    return await service.put(ctx, name, spec)


@router.post("/evaluations/{name}/runs", permission="evaluations.write", returns=Run, status=202)
async def start_run(ctx: ContextDep, name: str, new: NewRun = Body(NewRun)) -> Run:
    """Start a durable run; its result names the report."""
    return await service.start(ctx, name, new.dataset_version, continues=new.continues)


@router.get("/evaluations/{name}/reports", permission="evaluations.read", returns=Page[ReportLine])
async def list_reports_of(ctx: ContextDep, name: str, cursor: str = "", limit: int = 50) -> Page[ReportLine]:
    """The evaluation's reports, newest first."""
    await service.get_evaluation(ctx, name)
    return await service.list_reports(ctx, name, cursor, limit)


@router.get("/reports", permission="evaluations.read", returns=Page[ReportLine])
async def list_reports(ctx: ContextDep, cursor: str = "", limit: int = 50) -> Page[ReportLine]:
    """The project's reports, newest first."""
    return await service.list_reports(ctx, None, cursor, limit)


@router.get("/reports/{report_id}", permission="evaluations.read", returns=Report)
async def show_report(ctx: ContextDep, report_id: str) -> Report:
    """One report: metrics with intervals, differences, verdicts."""
    return await service.get_report(ctx, report_id)


@router.get("/reports/{report_id}/results", permission="evaluations.read", returns=list[Result])
async def list_results(ctx: ContextDep, report_id: str, item: str = "") -> list[Result]:
    """What each variant answered to each item, with its scores; to one item where asked. Recorded, once an hour."""
    results = await service.list_results(ctx, report_id, item or None)
    await service.record_reading(ctx, report_id)
    return results


@router.get("/reports/{report_id}/check", permission="evaluations.read", returns=ReportCheck)
async def check_report(ctx: ContextDep, report_id: str) -> ReportCheck:
    """The report computed again from its stored results."""
    return await service.check_report(ctx, report_id)


@router.get("/reports/{before}/comparisons/{after}", permission="evaluations.read", returns=Comparison)
async def compare_reports(ctx: ContextDep, before: str, after: str) -> Comparison:
    """What changed from one report to another. Recorded as reading both."""
    comparison = await service.compare(ctx, before, after)
    for report_id in (before, after):
        await service.record_reading(ctx, report_id)
    return comparison
