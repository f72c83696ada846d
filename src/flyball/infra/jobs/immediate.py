"""Execute a job here and now, without durability: for tests, and for commands that need no worker."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from flyball.infra.context import Context

from .job import Job, RunContext
from .outcomes import kept, read

T = TypeVar("T")


class Immediate:
    """Steps are calls whose results go through their text as in the worker; what was done and told is kept for whoever asks."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.reports: list[tuple[int, int | None, str]] = []

    async def step(self, name: str, work: Callable[[], Awaitable[T]], returns: Any) -> T:
        """Do the work."""
        self.steps.append(name)
        result: T = read(kept(await work()), returns)
        return result

    async def progress(self, run_id: str, done: int, total: int | None, note: str) -> None:  # noqa: ARG002 -- the port's shape
        """Keep the report."""
        self.reports.append((done, total, note))


async def run_immediately(
    ctx: Context,
    job: Job,
    arguments: dict[str, Any],
    *,
    run_id: str = "run_immediate",
    machinery: Immediate | None = None,
) -> dict[str, Any]:
    """The job's result."""
    return await job.work(RunContext(run_id, ctx, machinery or Immediate()), arguments)
