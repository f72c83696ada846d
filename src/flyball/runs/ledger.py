"""Where the job machinery writes what becomes of runs: its port, filled with this room's SQL. Only the worker uses it."""

from dataclasses import replace
from typing import Any

import msgspec
from psycopg.types.json import Jsonb

from flyball.infra.context import Actor, Context
from flyball.infra.jobs.outcomes import told
from flyball.kit.errors import FlyballError

from . import store
from .records import Run

MOST_ATTEMPTS = 100


class RunLedger:
    """The table `runs`, as the job machinery sees it."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._db = ctx.db.across_projects()

    async def unfinished(self) -> list[tuple[str, str]]:
        """(id, status) of runs to start or to continue, oldest first."""
        async with self._db.connection() as connection:
            return await store.unfinished(connection, most=1000)

    async def begin(self, run_id: str) -> tuple[Context, str, dict[str, Any]] | None:
        """Mark it running; a context in its project, its kind and its arguments. None: it has ended."""
        async with self._db.transaction() as connection:
            run = await store.begin(connection, run_id, self._ctx.clock.now_ns())
        if run is None:
            return None
        if run.attempts > MOST_ATTEMPTS:
            await self.fail(run_id, _worn_out(run))
            return None
        return self._context_of(run), run.kind, run.arguments

    async def progress(self, run_id: str, done: int, total: int | None, note: str) -> None:
        """Write how far it is."""
        async with self._db.transaction() as connection:
            await store.progress(connection, run_id, done, total, note)

    async def note(self, run_id: str, note: str) -> None:
        """Write why it does not go on."""
        async with self._db.transaction() as connection:
            await store.note(connection, run_id, note)

    async def succeed(self, run_id: str, result: dict[str, Any]) -> None:
        """Write its success; a second time changes nothing."""
        async with self._db.transaction() as connection:
            await store.succeed(connection, run_id, Jsonb(msgspec.to_builtins(result)), self._ctx.clock.now_ns())

    async def fail(self, run_id: str, error: Exception) -> None:
        """Write its failure; a second time changes nothing."""
        text, code = told(error)
        async with self._db.transaction() as connection:
            await store.fail(connection, run_id, text.replace("\0", ""), code, self._ctx.clock.now_ns())

    def _context_of(self, run: Run) -> Context:
        actor = Actor(id="system:worker", kind="system", name=f"{run.id} of {run.created_by}")
        return replace(self._ctx, project=run.project, actor=actor)


def _worn_out(run: Run) -> FlyballError:
    return FlyballError(
        f"the worker was lost {run.attempts - 1} times in run {run.id} ({run.kind})",
        next_step="read the worker's log, and free memory if it ran out of it",
    )
