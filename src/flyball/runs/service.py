"""The verbs of runs: queue one in the caller's transaction, look, list, wait."""

import asyncio
from typing import Any

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events.channels import RUNS, notify
from flyball.kit.clock import NANOSECONDS
from flyball.kit.ids import new_id
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import store
from .errors import RunFailedError, RunNotFoundError, RunStillGoingError
from .records import Run

_POLL_SECONDS = 0.05


async def enqueue(connection: Connection, ctx: Context, kind: str, arguments: dict[str, Any]) -> Run:
    """Queue a run, in the caller's transaction: a worker begins it when, and only if, that commits.

    The verb that calls this writes the audit event, since it knows what the run is about.
    """
    now_ns = ctx.clock.now_ns()
    run = Run(
        id=new_id("run", now_ns),
        project=ctx.project,
        kind=kind,
        arguments=arguments,
        created_by=ctx.actor.id,
        created_ns=now_ns,
    )
    await store.insert(connection, run)
    await notify(connection, RUNS, run.id)
    return run


async def get(ctx: Context, run_id: str) -> Run:
    """A run of the project.

    Raises:
        RunNotFoundError: there is none.
    """
    async with ctx.db.connection() as connection:
        run = await store.get(connection, ctx.project, run_id)
    if run is None:
        raise RunNotFoundError(run_id)
    return run


async def list_runs(
    ctx: Context, cursor: str = "", limit: int | None = None, *, kind: str = "", status: str = ""
) -> Page[Run]:
    """The project's runs, newest first; of one kind or status where asked."""
    size = page_size(limit)
    before: tuple[int, str] | None = None
    if cursor:
        created_ns, run_id = decode_cursor(cursor, int, str)
        before = (created_ns, run_id)
    async with ctx.db.connection() as connection:
        runs = await store.newest(connection, ctx.project, before=before, most=size + 1, kind=kind, status=status)
    more = encode_cursor(runs[size - 1].created_ns, runs[size - 1].id) if len(runs) > size else None
    return Page(items=tuple(runs[:size]), next=more)


async def wait(ctx: Context, run_id: str, *, timeout: float = 600.0) -> Run:  # noqa: ASYNC109 -- part of the wait's outcome
    """The run when it has succeeded.

    Raises:
        RunFailedError: it failed, with its own reason.
        RunStillGoingError: it has not ended after `timeout` seconds; it goes on.
    """
    deadline = ctx.clock.monotonic_ns() + int(timeout * NANOSECONDS)
    while not (run := await get(ctx, run_id)).ended:
        if ctx.clock.monotonic_ns() > deadline:
            raise RunStillGoingError(
                f"run {run_id} ({run.kind}) has not ended after {timeout:g} s",
                next_step=f"`flyball runs show {run_id}` shows how far it is",
            )
        await asyncio.sleep(_POLL_SECONDS)
    if run.status == "failed":
        raise RunFailedError(f"run {run_id} ({run.kind}) failed: {run.error}")
    return run
