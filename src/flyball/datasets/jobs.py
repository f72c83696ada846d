"""The durable job of datasets: an import. Decides which step is next; the steps are in `importing`."""

from typing import Any

import msgspec

from flyball.infra.jobs import Job, RunContext

from . import importing
from .collecting import Progress
from .records import Declaration, Import


async def import_dataset(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    """Read the source in a child process, append it batch by batch, publish the version."""
    name = arguments["dataset"]
    source = msgspec.convert(arguments["source"], Declaration)

    async def read(rows: int) -> None:
        await run.progress(rows, None, f"read {rows:,} rows of {source.location or source.source}")

    await run.progress(0, None, f"reading {source.location or source.source}")
    version_id = await run.step("name the version", importing.name_version, run.ctx)
    try:
        result = await _import(run, name, source, version_id, read)
    except Exception:  # -- whatever ended it is raised again
        await importing.give_up(run.ctx, version_id)
        raise
    await run.progress(1, 1, result.message)
    finished: dict[str, Any] = msgspec.to_builtins(result)
    return finished


async def _import(run: RunContext, name: str, source: Declaration, version_id: str, read: Progress) -> Import:
    collected = await run.step("collect", importing.collect, run.ctx, name, version_id, source, read)
    same = await run.step("compare", importing.unchanged, run.ctx, name, collected)
    if same is not None:
        return same
    for number in range(collected.batches):
        await run.progress(number, collected.batches + 1, f"keeping {collected.rows:,} rows")
        await run.step(f"append batch {number}", importing.append_batch, run.ctx, name, collected, source, number)
    return await run.step("publish", importing.finish, run.ctx, name, collected, source, run.run_id)


JOBS: tuple[Job, ...] = (Job(kind="datasets.import", work=import_dataset, permission="datasets.write"),)
