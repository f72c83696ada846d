"""The durable jobs of traces: erasing, taking out what is older than is kept, reading again. The work is in modules of these names."""

from typing import Any

import msgspec

from flyball.infra.jobs import Job, RunContext

from . import erasing, renormalising, retention


async def erase(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    """Erase one trace, or those of a session or a user."""
    erased = await run.step("erase", erasing.erase, run.ctx, arguments["what"], arguments["named"])
    await run.progress(1, 1, f"{erased.traces:,} traces are erased")
    told: dict[str, Any] = msgspec.to_builtins(erased)
    return told


async def expire(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    """Take out the days that are older than the project keeps."""
    del arguments
    expired = await run.step("expire", retention.expire, run.ctx)
    await run.progress(1, 1, f"{expired.files:,} files are taken out")
    told: dict[str, Any] = msgspec.to_builtins(expired)
    return told


async def renormalise(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
    """Read stored spans again with the newest mapping."""
    done = await run.step("renormalise", renormalising.renormalise, run.ctx, arguments["since_ns"])
    await run.progress(1, 1, f"{done.spans:,} spans were read again")
    told: dict[str, Any] = msgspec.to_builtins(done)
    return told


JOBS: tuple[Job, ...] = (
    Job(erasing.JOB, erase, permission="traces.erase"),
    Job(retention.JOB, expire, permission="traces.erase"),
    Job(renormalising.JOB, renormalise, permission="traces.erase"),
)
