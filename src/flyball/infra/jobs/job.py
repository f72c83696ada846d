"""What a job is, for the rooms that declare one. Light: knows neither DBOS nor the record of a run.

A room's `jobs.py`:

    async def build(run: RunContext, arguments: dict[str, Any]) -> dict[str, Any]:
        rows = await run.step("read", read_rows, run.ctx, arguments["dataset"])
        await run.progress(1, 2, "read")
        return await run.step("write", write_rows, run.ctx, rows)

    JOBS = (Job("indexes.build", build, permission="indexes.write"),)

Rules. A step that has finished is never done again: after a crash its result is read back, so it returns something small
that JSON can say, and declares its type, as which it is read. A step that was cut off is done again, so it must be safe to repeat. Outside of steps a job only
decides, from its arguments and the results of steps, which step comes next: the same decisions give the same steps.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from flyball.infra.context import Context

from .outcomes import result_type

P = ParamSpec("P")
T = TypeVar("T")


class Machinery(Protocol):
    """What executes steps: DBOS in the worker, nothing at all in `immediate`."""

    async def step(self, name: str, work: Callable[[], Awaitable[T]], returns: Any) -> T:
        """Do the work, or return what it returned before, read as the type `returns`."""
        ...

    async def progress(self, run_id: str, done: int, total: int | None, note: str) -> None:
        """Tell whoever watches."""
        ...


class RunContext:
    """What a job is given: its run's id, a context in the run's project, and the two deeds below."""

    def __init__(self, run_id: str, ctx: Context, machinery: Machinery) -> None:
        self.run_id = run_id
        self.ctx = ctx
        self._machinery = machinery

    async def step(self, name: str, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do `work(*args, **kwargs)` as a durable step and return its result."""

        async def bound() -> T:
            return await work(*args, **kwargs)

        return await self._machinery.step(name, bound, result_type(work))

    async def progress(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show how far the run is. Cheap enough to call often: what comes too fast is left out."""
        await self._machinery.progress(self.run_id, done, total, note)


class Job(NamedTuple):
    """A kind of run, the function that does it, and the permission of whoever may ask for it."""

    kind: str
    work: Callable[[RunContext, dict[str, Any]], Awaitable[dict[str, Any]]]
    permission: str
