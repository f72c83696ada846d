"""The verbs of evaluations: declare, list, start a run, look at reports and items, check a report, compare two."""

import asyncio

import msgspec

from flyball.audit import service as audit
from flyball.functions import store as functions
from flyball.functions.records import Function
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size
from flyball.runs import service as runs
from flyball.runs.records import Run

from . import comparing, planning, reporting, results, store
from .errors import EvaluationNotFoundError, EvaluationSpecError, NotToContinueError, ReportNotFoundError
from .plans import KIND
from .records import Evaluation, EvaluationSpec, Result
from .reports import Comparison, Report, ReportCheck, ReportLine
from .scoring import scorer_of


async def declare(connection: Connection, ctx: Context, name: str, spec: EvaluationSpec) -> Evaluation:
    """The evaluation with this declaration, in the caller's transaction; unchanged where it says the same.

    Scorers get their canonical names. Raises EvaluationSpecError.
    """
    spec = canonical(name, spec)
    check(name, spec, await functions.get(connection, ctx.project, spec.function))
    before = await store.get(connection, ctx.project, name)
    if before is not None and before.hash == spec.hash:
        return before
    now_ns = ctx.clock.now_ns()
    evaluation = Evaluation(
        project=ctx.project,
        name=name,
        hash=spec.hash,
        spec=spec,
        created_ns=before.created_ns if before else now_ns,
        updated_ns=now_ns,
        created_by=before.created_by if before else ctx.actor.id,
    )
    await store.put(connection, evaluation)
    await audit.record(
        connection,
        ctx,
        action="evaluations.update" if before else "evaluations.create",
        object_kind="evaluation",
        object_id=name,
        before=before,
        after=evaluation,
    )
    return evaluation


async def put(ctx: Context, name: str, spec: EvaluationSpec) -> Evaluation:
    """`declare` in a transaction of its own."""
    async with ctx.db.transaction() as connection:
        return await declare(connection, ctx, name, spec)


def canonical(name: str, spec: EvaluationSpec) -> EvaluationSpec:
    """The spec with its scorers by their own names (`mrr` is `reciprocal_rank`). Raises EvaluationSpecError."""
    return msgspec.structs.replace(
        spec,
        scorers=tuple(dict.fromkeys(_scorer_name(name, scorer) for scorer in spec.scorers)),
        primary=_scorer_name(name, spec.primary) if spec.primary else "",
    )


def check(name: str, spec: EvaluationSpec, function: Function | None) -> None:
    """Prove a declaration sound. Raises EvaluationSpecError."""
    where = f"evaluations.{name}"
    if spec.primary_metric not in spec.scorers:
        raise EvaluationSpecError(
            f"{where}.primary: {spec.primary!r} is none of its scorers",
            next_step=f"name one of: {', '.join(spec.scorers)}",
        )
    if function is None:
        raise EvaluationSpecError(
            f"{where}.function: there is no function named {spec.function!r}", next_step="see `flyball functions list`"
        )
    for field, variant in (("baseline", spec.baseline), *(("variants", variant) for variant in spec.variants)):
        if variant not in function.spec.variants:
            raise EvaluationSpecError(
                f"{where}.{field}: the function {spec.function!r} has no variant {variant!r}",
                next_step=f"name one of: {', '.join(function.spec.variants)}",
            )


def _scorer_name(name: str, scorer: str) -> str:
    try:
        return scorer_of(scorer).name
    except EvaluationSpecError as error:
        raise EvaluationSpecError(f"evaluations.{name}: {error.message}", next_step=error.next_step) from None


async def list_evaluations(ctx: Context) -> tuple[Evaluation, ...]:
    """Every evaluation of the project, by name."""
    async with ctx.db.connection() as connection:
        return await store.all_evaluations(connection, ctx.project)


async def get_evaluation(ctx: Context, name: str) -> Evaluation:
    """The evaluation of that name. Raises EvaluationNotFoundError."""
    async with ctx.db.connection() as connection:
        evaluation = await store.get(connection, ctx.project, name)
    if evaluation is None:
        raise EvaluationNotFoundError(name)
    return evaluation


async def start(ctx: Context, name: str, dataset_version: int | None = None, *, continues: str = "") -> Run:
    """Queue a run of the evaluation on a dataset version, the newest unless one is named, or that of the run it continues.

    What would make the run fail at once is refused here: an unknown evaluation, function or version, no rows, a
    baseline that names no variant. A run that `continues` another asks only what was not answered there.
    """
    evaluation = await get_evaluation(ctx, name)
    before = await _to_continue(ctx, name, continues) if continues else None
    if before is not None and dataset_version is None:
        dataset_version = before.arguments.get("dataset_version")
    async with ctx.db.transaction() as connection:
        check(name, evaluation.spec, await functions.get(connection, ctx.project, evaluation.spec.function))
        version = await planning.find_version(connection, ctx, evaluation, dataset_version)
        arguments = {"evaluation": name, "dataset_version": version.version, "started_by": ctx.actor.id}
        if before is not None:
            arguments["continues"] = [before.id, *before.arguments.get("continues", ())]
        run = await runs.enqueue(connection, ctx, KIND, arguments)
        await audit.record(
            connection,
            ctx,
            action="evaluations.run",
            object_kind="evaluation",
            object_id=name,
            before=None,
            after=arguments,
        )
    return run


async def _to_continue(ctx: Context, name: str, run_id: str) -> Run:
    """A run that failed and can be continued. Raises RunNotFoundError, NotToContinueError."""
    run = await runs.get(ctx, run_id)
    if run.kind != KIND or run.arguments.get("evaluation") != name:
        raise NotToContinueError(
            f"the run {run_id} is none of the evaluation {name!r}", next_step=f"`flyball runs list --kind {KIND}`"
        )
    if run.status != "failed":
        raise NotToContinueError(
            f"the run {run_id} is {run.status}; only one that failed is continued",
            next_step=f"`flyball eval run {name}` starts another",
        )
    return run


async def list_reports(
    ctx: Context, evaluation: str | None = None, cursor: str = "", limit: int | None = None
) -> Page[ReportLine]:
    """The project's reports, newest first; of one evaluation where asked."""
    size = page_size(limit)
    before = decode_cursor(cursor, int, str) if cursor else None
    async with ctx.db.connection() as connection:
        found = await store.report_lines(
            connection,
            ctx.project,
            evaluation=evaluation,
            before=(before[0], before[1]) if before else None,
            most=size + 1,
        )
    last = found[size - 1] if len(found) > size else None
    return Page(items=found[:size], next=encode_cursor(last.created_ns, last.id) if last else None)


async def get_report(ctx: Context, report_id: str) -> Report:
    """The report with that id. Raises ReportNotFoundError."""
    async with ctx.db.connection() as connection:
        report = await store.get_report(connection, ctx.project, report_id)
    if report is None:
        raise ReportNotFoundError(report_id)
    return report


async def report_of_run(ctx: Context, run_id: str) -> Report | None:
    """The report that a run wrote; None while it has not."""
    async with ctx.db.connection() as connection:
        return await store.report_of_run(connection, ctx.project, run_id)


async def list_results(ctx: Context, report_id: str, item_id: str | None = None) -> list[Result]:
    """What each variant answered to each item of a report; to one item where asked. Raises ReportNotFoundError."""
    report = await get_report(ctx, report_id)
    return await results.of_run(ctx, report.run_id, item_id=item_id)


async def record_reading(ctx: Context, report_id: str) -> None:
    """Note in the audit record that the actor reads what was answered in an evaluation: once an hour for each report."""
    await audit.record_read(
        ctx, action="evaluations.read_results", object_kind="evaluation_report", object_id=report_id
    )


async def check_report(ctx: Context, report_id: str) -> ReportCheck:
    """Compute a report again from its stored results. Raises ReportNotFoundError."""
    report = await get_report(ctx, report_id)
    found = await results.of_run(ctx, report.run_id)
    variants = tuple(one.variant for one in report.findings.variants)
    again = await asyncio.to_thread(reporting.build, report.spec, variants, found)
    return ReportCheck(
        report_id=report.id,
        hash_holds=report.content_hash() == report.hash,
        results_hold=again.results_hash == report.findings.results_hash,
        findings_hold=again == report.findings,
    )


async def compare(ctx: Context, before_id: str, after_id: str) -> Comparison:
    """What changed from one report to another. Raises ReportNotFoundError, NotComparableError."""
    before, after = await get_report(ctx, before_id), await get_report(ctx, after_id)
    old, new = await results.of_run(ctx, before.run_id), await results.of_run(ctx, after.run_id)
    return await asyncio.to_thread(comparing.compare, before, after, old, new)
