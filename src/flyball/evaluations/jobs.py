"""The durable run of an evaluation: plan, chunk after chunk, report. A killed run goes on with the chunk that it was at."""

from typing import Any

import msgspec

from flyball.infra.context import Context
from flyball.infra.jobs import Job, RunContext

from . import planning, running
from .plans import ITEMS_PER_CHUNK, KIND, Plan


async def evaluate(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments: `evaluation`, `dataset_version` (None: the newest), `started_by`, `continues` (ids of runs). The result names the report."""
    name, version = arguments["evaluation"], arguments.get("dataset_version")
    continues = tuple(arguments.get("continues", ()))
    made = await run.step("plan", _plan, run.ctx, name, version, arguments.get("started_by", ""), continues)
    plan = msgspec.convert(made, Plan)
    failed = 0
    await run.progress(0, plan.items, f"asking {len(plan.running)} variants {plan.items} items")
    for chunk in range(1, plan.chunks + 1):
        failed += await run.step(f"chunk {chunk}", running.judge_chunk, run.ctx, run.run_id, plan, chunk)
        note = f"{failed} answers failed" if failed else "asking"
        await run.progress(min(chunk * ITEMS_PER_CHUNK, plan.items), plan.items, note)
    return await run.step("report", _report, run.ctx, run.run_id, plan)


async def _plan(
    ctx: Context, name: str, dataset_version: int | None, started_by: str, continues: tuple[str, ...]
) -> dict[str, Any]:
    plan = await planning.make(ctx, name, dataset_version, started_by, continues=continues)
    made: dict[str, Any] = msgspec.to_builtins(plan)
    return made


async def _report(ctx: Context, run_id: str, plan: Plan) -> dict[str, Any]:
    report = await running.write_report(ctx, run_id, plan)
    return {
        "report_id": report.id,
        "report_hash": report.hash,
        "verdict": report.findings.verdict,
        "winner": report.findings.winner,
    }


JOBS = (Job(KIND, evaluate, permission="evaluations.write"),)
