"""The durable job of indexes: a build. Decides which step is next; the steps are in `building`."""

from typing import Any

import msgspec

from flyball.infra.jobs import Job, RunContext

from . import building


async def build_index(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    """Cut the dataset's documents into passages batch by batch, write the index, publish the version."""
    rebuild = bool(arguments.get("rebuild"))
    planned = await run.step("plan", building.plan, run.ctx, arguments["index"])
    total = planned.documents * 2
    result = await run.step("compare", building.unchanged, run.ctx, planned, rebuild=rebuild)
    if result is None:
        for number in range(planned.batches):
            done = number * building.BATCH_DOCUMENTS
            await run.progress(done, total, f"cutting {planned.documents:,} documents into passages")
            await run.step(f"cut batch {number}", building.stage_batch, run.ctx, planned, number)
        await run.progress(planned.documents, total, "writing the index")
        result = await run.step("write and publish", building.finish, run.ctx, planned, run.run_id)
    await run.progress(total, total, result.message)
    finished: dict[str, Any] = msgspec.to_builtins(result)
    return finished


JOBS: tuple[Job, ...] = (Job(kind="indexes.build", work=build_index),)
