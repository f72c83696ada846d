"""How long what happened is kept: by whole days, per project or as the server's setting says, and taking out what is older.

Knows days and tables; knows not how files are taken out.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one
from flyball.runs import service as runs
from flyball.runs.records import Run

from . import aside_store, media_store
from .blob_use import delete_unused, referred_in
from .errors import RetentionInvalidError
from .signal_tables import LOGS, METRICS
from .tables import PAYLOADS, SCORES, SPANS

TABLES = (SPANS, PAYLOADS, SCORES, LOGS, METRICS)
MOST_DAYS = 36_500
JOB = "traces.expire"

_DAY_NS = 86_400 * 1_000_000_000
_GET = "select days from trace_retention where project = %s"
_SET = """
    insert into trace_retention (project, days, set_ns, set_by) values (%s, %s, %s, %s)
    on conflict (project) do update set days = excluded.days, set_ns = excluded.set_ns, set_by = excluded.set_by
"""
_UNSET = "delete from trace_retention where project = %s"
_PROJECTS = """
    select p.id as project, coalesce(r.days, %s) as days from projects p left join trace_retention r on r.project = p.id
"""


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How many days a project keeps; 0: for ever. `own`: the project says so, and not the server's setting."""

    days: Annotated[int, msgspec.Meta(ge=0, le=MOST_DAYS)]
    own: bool


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken out: everything before a time, so many files of tables, and blobs that nobody refers to any more.

    Beside them `media` that were announced for traces, and records that had been set `aside`.
    """

    before_ns: int
    files: int
    blobs: int
    media: int = 0
    aside: int = 0


async def get_retention(ctx: Context) -> Retention:
    """How long the project keeps what happened."""
    async with ctx.db.connection() as connection:
        return await _get(connection, ctx)


async def set_retention(ctx: Context, days: int | None) -> Retention:
    """Keep so many days; None: as the server's setting says.

    Raises:
        RetentionInvalidError: no number of days.
    """
    if days is not None and not 0 <= days <= MOST_DAYS:
        raise RetentionInvalidError(
            f"{days} is no number of days to keep", next_step=f"give a number from 1 to {MOST_DAYS:,}, or 0 for ever"
        )
    async with ctx.db.transaction() as connection:
        before = await _get(connection, ctx)
        if days is None:
            await execute(connection, _UNSET, ctx.project)
        else:
            await execute(connection, _SET, ctx.project, days, ctx.clock.now_ns(), ctx.actor.id)
        after = await _get(connection, ctx)
        await audit.record(
            connection,
            ctx,
            action="traces.keep",
            object_kind="project",
            object_id=ctx.project,
            before=before,
            after=after,
        )
    return after


async def expire(ctx: Context) -> Expired:
    """Take out the days of the project that are older than it keeps. Recorded where something went."""
    days = (await get_retention(ctx)).days
    now_ns = ctx.clock.now_ns()
    before_ns = (now_ns // _DAY_NS - days) * _DAY_NS if days else 0
    files, blobs = await asyncio.to_thread(_expire, ctx, before_ns) if days else (0, set())
    async with ctx.db.transaction() as connection:
        media = await media_store.expire(connection, ctx.project, before_ns)
        aside = await aside_store.expire(connection, ctx.project, before_ns)
    blobs |= set(media)
    gone = await delete_unused(ctx, blobs)
    expired = Expired(before_ns=before_ns, files=files, blobs=gone, media=len(media), aside=aside)
    if expired.files or media or aside:
        async with ctx.db.transaction() as connection:
            await audit.record(
                connection, ctx, action="traces.expire", object_kind="project", object_id=ctx.project, after=expired
            )
    return expired


async def expire_later(ctx: Context) -> Run:
    """Queue `expire`; the worker does it every hour by itself."""
    async with ctx.db.transaction() as connection:
        run = await runs.enqueue(connection, ctx, JOB, {})
        await audit.record(
            connection, ctx, action="traces.expire", object_kind="project", object_id=ctx.project, after={"run": run.id}
        )
    return run


async def days_of_projects(ctx: Context) -> Mapping[str, int]:
    """How many days each project keeps; those that keep for ever are left out."""
    async with ctx.db.across_projects().connection() as connection:
        rows = await fetch_all(connection, _PROJECTS, ctx.settings.trace_retention_days)
    return {row["project"]: row["days"] for row in rows if row["days"]}


def _expire(ctx: Context, before_ns: int) -> tuple[int, set[str]]:
    """How many files went, and the blobs that they referred to."""
    files: dict[str, list[str]] = {table.name: ctx.lake.drop_before(table, ctx.project, before_ns) for table in TABLES}
    return sum(map(len, files.values())), referred_in(files[SPANS.name])


async def _get(connection: Connection, ctx: Context) -> Retention:
    found: dict[str, Any] | None = await fetch_one(connection, _GET, ctx.project)
    if found is None:
        return Retention(days=ctx.settings.trace_retention_days, own=False)
    return Retention(days=found["days"], own=True)
