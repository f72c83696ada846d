"""The durable job of indexes: a build. Decides which step is next; the steps are in `building`."""

from typing import Any

import msgspec

from flyball.infra.jobs import Job, RunContext

from . import building
from .building import Plan
from .records import Build


async def build_index(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    """Cut the dataset's documents into passages batch by batch, write the index, publish the version.

    With `version` among the arguments: make the files of that version again.
    """
    if arguments.get("version") is not None:
        return await _make_again(run, arguments["index"], arguments["version"])
    rebuild = bool(arguments.get("rebuild"))
    planned = await run.step("plan", building.plan, run.ctx, arguments["index"])
    total = planned.documents * 2
    try:
        result = await _build(run, planned, total, rebuild=rebuild)
    except Exception:  # -- whatever ended it is raised again
        building.clear(run.ctx, planned)  # a full disk would miss most what nobody needs any more
        raise
    await run.progress(total, total, result.message)
    finished: dict[str, Any] = msgspec.to_builtins(result)
    return finished


async def _make_again(run: RunContext, name: str, version: int) -> dict[str, Any]:
    await run.progress(0, 1, f"making the files of {name} version {version} again")
    result = await run.step("make again", building.make_again, run.ctx, name, version)
    await run.progress(1, 1, result.message)
    finished: dict[str, Any] = msgspec.to_builtins(result)
    return finished


async def _build(run: RunContext, planned: Plan, total: int, *, rebuild: bool) -> Build:
    same = await run.step("compare", building.unchanged, run.ctx, planned, rebuild=rebuild)
    if same is not None:
        return same
    for number in range(planned.batches):
        done = number * building.BATCH_DOCUMENTS
        await run.progress(done, total, f"cutting {planned.documents:,} documents into passages")
        await run.step(f"cut batch {number}", building.stage_batch, run.ctx, planned, number)
    await run.progress(planned.documents, total, "writing the index")
    return await run.step("write and publish", building.finish, run.ctx, planned, run.run_id)


JOBS: tuple[Job, ...] = (Job(kind="indexes.build", work=build_index, permission="indexes.write"),)
