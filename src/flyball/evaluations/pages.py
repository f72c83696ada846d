"""Evaluations as pages: what is declared, a report with its intervals and verdicts, two reports side by side."""

import msgspec

from flyball.kit.paging import encode_cursor
from flyball.surface.html import Pages, See
from flyball.surface.http import ContextDep

from . import service
from .records import Evaluation, Result
from .reports import Comparison, Report, ReportCheck, ReportLine

pages = Pages(tag="evaluations", section="/evaluations")

_SHOWN_ITEMS = 200


class EvaluationList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/list.html shows: the declarations, and the project's newest reports."""

    evaluations: tuple[Evaluation, ...]
    reports: tuple[ReportLine, ...]
    next: str | None
    first: bool


class EvaluationPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/show.html shows."""

    evaluation: Evaluation
    reports: tuple[ReportLine, ...]
    next: str | None
    first: bool


class ReportPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/report.html shows. `previous` is the evaluation's report before this one, `span` the widest difference.

    `check` is None until somebody asks for the numbers to be computed again, which takes its time.
    """

    report: Report
    hash_holds: bool
    check: ReportCheck | None
    previous: str
    span: float
    shown: tuple[Result, ...]
    results: int


class ComparisonPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/compare.html shows; `span` is the widest change, for the axis."""

    comparison: Comparison
    span: float


@pages.get("/evaluations", permission="evaluations.read", template="evaluations/list.html")
async def list_evaluations(ctx: ContextDep, cursor: str = "") -> EvaluationList:
    """The project's evaluations and its newest reports."""
    found = await service.list_reports(ctx, None, cursor, 25)
    return EvaluationList(
        evaluations=tuple(await service.list_evaluations(ctx)),
        reports=found.items,
        next=found.next,
        first=not cursor,
    )


@pages.get("/evaluations/{name}", permission="evaluations.read", template="evaluations/show.html")
async def show_evaluation(ctx: ContextDep, name: str, cursor: str = "") -> EvaluationPage:
    """One evaluation with its reports."""
    evaluation = await service.get_evaluation(ctx, name)
    found = await service.list_reports(ctx, name, cursor, 25)
    return EvaluationPage(evaluation=evaluation, reports=found.items, next=found.next, first=not cursor)


@pages.post("/evaluations/{name}/runs", permission="evaluations.write")
async def start_run(ctx: ContextDep, name: str) -> See:
    """Queue a run on the newest dataset version."""
    run = await service.start(ctx, name)
    return See(f"/runs/{run.id}", "The evaluation is queued.")


@pages.get("/reports/{report_id}", permission="evaluations.read", template="evaluations/report.html")
async def show_report(ctx: ContextDep, report_id: str, check: bool = False) -> ReportPage:
    """One report; with `check` computed again from its stored results, to see whether it still says the same."""
    report = await service.get_report(ctx, report_id)
    older = await service.list_reports(ctx, report.evaluation, encode_cursor(report.created_ns, report.id), 1)
    bounds = [
        abs(bound) for found in report.findings.differences for bound in (found.lo, found.hi) if bound is not None
    ]
    results = await service.list_results(ctx, report_id)
    await service.record_reading(ctx, report_id)
    return ReportPage(
        report=report,
        hash_holds=report.content_hash() == report.hash,
        check=await service.check_report(ctx, report_id) if check else None,
        previous=older.items[0].id if older.items else "",
        span=max([0.01, report.spec.margin, *bounds]),
        shown=tuple(results[:_SHOWN_ITEMS]),
        results=len(results),
    )


@pages.get("/reports/{before}/comparisons/{after}", permission="evaluations.read", template="evaluations/compare.html")
async def compare_reports(ctx: ContextDep, before: str, after: str) -> ComparisonPage:
    """What changed from one report to another."""
    comparison = await service.compare(ctx, before, after)
    for report_id in (before, after):
        await service.record_reading(ctx, report_id)
    bounds = [abs(bound) for change in comparison.changes for bound in (change.lo, change.hi) if bound is not None]
    return ComparisonPage(comparison=comparison, span=max([0.01, *bounds]))
