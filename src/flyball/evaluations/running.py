"""The steps of a run: judge a chunk of items, and at the end write the report. Each is safe to repeat.

Knows how variants are run here; the order of the steps is the job's.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import msgspec

from flyball.audit import service as audit
from flyball.functions import Answer, PinnedVariant
from flyball.functions import store as functions
from flyball.functions.availability import with_availability
from flyball.functions.execution import run_variant
from flyball.functions.tools import Tools, open_tools
from flyball.infra.context import Context
from flyball.kit.ids import new_id
from flyball.models.reaching import reaching

from . import items, paying, reporting, results, scoring, store
from .errors import RunStoppedError
from .judging import Ask, judge_item
from .plans import ITEMS_PER_CHUNK, Plan
from .records import Item, Result
from .reports import Report

# Questions in flight, by kind. Code of our own shares this process's cores, and more at once would measure the queue.
AT_ONCE = {"rules": max(1, min(8, os.cpu_count() or 1)), "prompt": 8}


async def judge_chunk(ctx: Context, run_id: str, plan: Plan, chunk: int) -> int:
    """Ask all variants the chunk's items, judge and keep the results; how many failed. Chunks are numbered from 1.

    Raises RunStoppedError where a budget is used up; what was answered until then is kept for the run that continues this one.
    """
    first = (chunk - 1) * ITEMS_PER_CHUNK
    wanted = await items.between(ctx, plan.dataset, first, ITEMS_PER_CHUNK)
    variants = await _variants(ctx, plan)
    earlier = await _answered_before(ctx, plan, first) if plan.continues else {}
    async with (
        open_tools(
            layout=ctx.layout, blobs=ctx.blobs, clock=ctx.clock, settings=ctx.settings, reach=reaching(ctx)
        ) as tools,
        AsyncExitStack() as stack,
    ):
        asks = any(variant.kind == "prompt" for variant in variants)
        counter = await stack.enter_async_context(paying.opened(ctx, run_id, plan)) if asks else None
        judged = await judge_all(wanted, variants, plan, _asking(tools, counter), ctx=ctx, earlier=earlier)
    if judged.stopped is not None:
        await results.append(ctx, stopped(run_id), plan.evaluation, chunk, judged.results)
        raise judged.stopped
    await results.append(ctx, run_id, plan.evaluation, chunk, judged.results)
    return sum(result.status == "failed" for result in judged.results)


class Judged(NamedTuple):
    """The results of a chunk, and why there are not more of them, where it was stopped."""

    results: list[Result]
    stopped: RunStoppedError | None


async def judge_all(
    wanted: list[Item],
    variants: tuple[PinnedVariant, ...],
    plan: Plan,
    ask: Ask,
    *,
    ctx: Context,
    earlier: Mapping[tuple[str, str], Result],
) -> Judged:
    """Each item by each variant, a bounded number at once; in the order of the items, then of the variants.

    `earlier` are answers that need not be asked for again. Once a question may not be asked, no other is.
    """
    judges = [scoring.scorer_of(name) for name in plan.spec.scorers]
    turns = {kind: asyncio.Semaphore(most) for kind, most in AT_ONCE.items()}
    stops: list[RunStoppedError] = []

    async def one(item: Item, variant: PinnedVariant) -> Result | None:
        if (known := earlier.get((item.hash, variant.hash))) is not None:
            return msgspec.structs.replace(known, position=item.position, item_id=item.id)
        async with turns.get(variant.kind, turns["rules"]):
            if stops:
                return None
            try:
                return await judge_item(item, variant, judges, ask, ctx.clock)
            except RunStoppedError as error:
                stops.append(error)
                return None

    found = await asyncio.gather(*(one(item, variant) for item in wanted for variant in variants))
    return Judged([result for result in found if result is not None], stops[0] if stops else None)


def stopped(run_id: str) -> str:
    """Under which name the answers of a chunk are kept that was stopped in the middle: no report is made of them."""
    return f"{run_id}/stopped"


async def _answered_before(ctx: Context, plan: Plan, first: int) -> dict[tuple[str, str], Result]:
    """Sound answers of the runs that this one continues, by the hashes of item and variant."""
    runs = [name for run_id in plan.continues for name in (run_id, stopped(run_id))]
    found = await results.between(ctx, runs, first, ITEMS_PER_CHUNK)
    metrics = set(plan.spec.scorers)
    return {
        (result.item_hash, result.variant_hash): result
        for result in found
        if result.status == "answered" and metrics <= result.scores.keys() | result.unscored.keys()
    }


async def write_report(ctx: Context, run_id: str, plan: Plan) -> Report:
    """Compute the report from the stored results and keep it; the one that is there where this was done before."""
    found = await results.of_run(ctx, run_id)
    findings = await asyncio.to_thread(reporting.build, plan.spec, plan.variants, found)
    now_ns = ctx.clock.now_ns()
    report = Report(
        id=new_id("rpt", now_ns),
        project=ctx.project,
        evaluation=plan.evaluation,
        spec=plan.spec,
        spec_hash=plan.spec_hash,
        run_id=run_id,
        function=plan.function,
        dataset=plan.dataset,
        findings=findings,
        created_ns=now_ns,
        created_by=plan.started_by,
    ).sealed()
    async with ctx.db.transaction() as connection:
        written = await store.insert_report(connection, report)
        if written:
            await audit.record(
                connection,
                ctx,
                action="evaluations.report",
                object_kind="evaluation_report",
                object_id=report.id,
                object_name=f"of {plan.evaluation}",
                after=report,
            )
        kept = await store.report_of_run(connection, ctx.project, run_id)
    return kept or report


async def _variants(ctx: Context, plan: Plan) -> tuple[PinnedVariant, ...]:
    async with ctx.db.connection() as connection:
        known: Mapping[str, PinnedVariant] = await functions.variants_by_hash(
            connection, ctx.project, [ref.hash for ref in plan.running]
        )
        return tuple([await with_availability(connection, ctx, known[ref.hash]) for ref in plan.running])


def _asking(tools: Tools, counter: paying.Counter | None) -> Ask:
    async def ask(variant: PinnedVariant, input_: dict[str, Any]) -> Answer:
        if counter is None:
            return await run_variant(variant, input_, tools=tools)
        return await counter.ask(tools, variant, input_)

    return ask
