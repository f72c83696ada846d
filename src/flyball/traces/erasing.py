"""Erase traces for good: one of them, those of a session, or those of a user, from the inboxes, every table and the blobs.

What is erased is a whole trace, with its scores and log records. Files are written again without it, and what they were is
deleted at once. Knows the places where telemetry lies; knows not who asks.
"""

import asyncio
import re
from typing import Any, Literal, get_args

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all
from flyball.infra.lake.removal import Affected, Rewriting
from flyball.infra.lake.schema import TableSchema
from flyball.runs import service as runs
from flyball.runs.records import Run

from . import aside_erasing, open_spans
from .aside_erasing import Sought
from .attributes import attributes_json
from .blob_use import COLUMNS, delete_unused, referred
from .catching_up import catch_up
from .errors import ErasureInvalidError, ErasureTooEarlyError
from .normalising import normalise
from .pruning import of_project
from .retention import TABLES
from .signal_tables import LOGS, METRICS
from .tables import SCORES, SPANS

What = Literal["trace", "session", "user"]
WHATS: tuple[What, ...] = get_args(What)
JOB = "traces.erase"

_LONGEST = 1_000
_TRACE = re.compile("[0-9a-f]{32}")
_CATCH_UP_SECONDS = 600.0
_BY: dict[str, str] = {"trace": "trace_id", "session": "session_id", "user": "user_id"}
_TOLD: dict[str, tuple[str, ...]] = {  # by which attributes a log record or a point without a trace says whose it is
    "session": ("session.id", "gen_ai.conversation.id"),
    "user": ("user.id", "enduser.id"),
}
_RUNNING = "select * from open_spans where project = %s"
_DROP_ROWS = "delete from inbox where project = %s and trace_id = any(%s)"
_DROP_OPEN = "delete from open_spans where project = %s and trace_id = any(%s)"
_DROP_PARTS = "delete from span_parts where project = %s and trace_id = any(%s)"
_DROP_MEDIA = "delete from media where project = %s and trace_id = any(%s) returning hash"
_DROP_IDENTIFIERS = "delete from score_identifiers where project = %s and target_id = any(%s)"


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What went: traces, rows of all tables together, files written again, and blobs."""

    traces: int
    rows: int
    files: int
    blobs: int


async def erase_later(ctx: Context, what: What, named: str) -> Run:
    """Queue the erasure; the run's result says what went. Who asked, and for what kind of thing, is recorded; not its name.

    Raises:
        ErasureInvalidError: there can be no such trace, session or user.
    """
    if not named.isprintable() or not 0 < len(named) <= _LONGEST or (what == "trace" and not _TRACE.fullmatch(named)):
        raise ErasureInvalidError(
            f"{named!r:.80} is no {what}'s id", next_step="give the id as `flyball traces show` prints it"
        )
    async with ctx.db.transaction() as connection:
        run = await runs.enqueue(connection, ctx, JOB, {"what": what, "named": named})
        await audit.record(
            connection,
            ctx,
            action="traces.erase",
            object_kind=what,
            object_id=run.id,
            after={"run": run.id, "what": what},
        )
    return run


async def erase(ctx: Context, what: What, named: str) -> Erased:
    """Erase, and return when nothing of it can be read any more. Safe to repeat.

    What is on its way in the inbox gets into the tables first; what is sent after that is not erased.

    Raises:
        ErasureTooEarlyError: it does not get there; nothing was erased.
    """
    if not await catch_up(ctx, seconds=_CATCH_UP_SECONDS):
        raise ErasureTooEarlyError(
            f"what was sent {_CATCH_UP_SECONDS:.0f} seconds ago still waits to be stored, and nothing was erased",
            next_step="see `flyball doctor` for what holds the flusher up, then erase again",
        )
    traces = {named} if what == "trace" else await asyncio.to_thread(_traces, ctx, what, named)
    traces |= await _running(ctx, what, named)
    sought = Sought(frozenset(traces), "" if what == "trace" else named)
    traces |= await aside_erasing.traces_of(ctx, sought)
    ids = sorted(traces)
    aside = await aside_erasing.erase(ctx, sought._replace(traces=frozenset(traces)))
    erased, blobs = await asyncio.to_thread(_erase, ctx, what, named, ids)
    async with ctx.db.connection() as connection:
        blobs |= {row["hash"] for row in await fetch_all(connection, _DROP_MEDIA, ctx.project, ids)}
        await execute(connection, _DROP_PARTS, ctx.project, ids)
        await execute(connection, _DROP_ROWS, ctx.project, ids)
        await execute(connection, _DROP_OPEN, ctx.project, ids)
        await execute(connection, _DROP_IDENTIFIERS, ctx.project, [*ids, named])
    gone = await delete_unused(ctx, blobs)
    await _scrub(ctx)
    return msgspec.structs.replace(erased, blobs=gone, rows=erased.rows + aside)


async def _running(ctx: Context, what: What, named: str) -> set[str]:
    async with ctx.db.connection() as connection:
        rows = await fetch_all(connection, _RUNNING, ctx.project)
    return {row["trace_id"] for row in rows if getattr(normalise(open_spans.told_of(row)), _BY[what]) == named}


async def _scrub(ctx: Context) -> None:
    """PostgreSQL's own files: deleted rows stay in them until the tables are written again."""
    async with ctx.db.owner_connection() as connection:
        for table in (
            "inbox",
            "inbox_batches",
            "inbox_aside",
            "open_spans",
            "span_parts",
            "media",
            "score_identifiers",
        ):
            await connection.execute(f"vacuum full {table}".encode())


def _traces(ctx: Context, what: What, named: str) -> set[str]:
    rows = ctx.lake.query(
        f"select distinct trace_id from spans where project = $project and {_BY[what]} = $named",
        {"project": ctx.project, "named": named},
        tables=(SPANS,),
        where={"spans": of_project(ctx.project)},
        deadline_seconds=600,
    )
    return {row["trace_id"] for row in rows}


def _erase(ctx: Context, what: What, named: str, ids: list[str]) -> tuple[Erased, set[str]]:
    """What went, and the blobs that it may have been the last to refer to."""
    blobs = _blobs(ctx, ids)
    rows = files = 0
    for table in TABLES:
        going = Rewriting(ctx.project, _asked(table), _unwanted(table, what, named, ids), lambda _: None)
        gone = ctx.lake.rewrite(table, going)
        rows, files = rows + gone.rows, files + gone.files
        ctx.lake.purge(table)
    return Erased(traces=len(ids), rows=rows, files=files, blobs=0), blobs


def _blobs(ctx: Context, ids: list[str]) -> set[str]:
    rows = ctx.lake.query(
        f"select {', '.join(COLUMNS)} from spans where project = $project and trace_id in (select unnest($ids))",
        {"project": ctx.project, "ids": ids},
        tables=(SPANS,),
        where={"spans": of_project(ctx.project)},
        deadline_seconds=600,
    )
    return referred(rows)


def _asked(table: TableSchema) -> tuple[str, ...]:
    """The columns by which it is judged whether a row goes."""
    if table is SCORES:
        return ("project", "trace_id", "target_id")
    if table is METRICS:
        return ("project", "attributes")
    return ("project", "trace_id", "attributes") if table is LOGS else ("project", "trace_id")


def _unwanted(table: TableSchema, what: What, named: str, ids: list[str]) -> Affected:
    """Rows of these traces; scores about the session; log records and points that say of themselves whose they are."""
    wanted = pa.array(ids, pa.string())
    words = [attributes_json({name: named})[1:-1] for name in _TOLD.get(what, ())]

    def going(rows: pa.Table) -> Any:
        goes = pc.is_in(rows["trace_id"], wanted) if table is not METRICS else None
        if table is SCORES:
            return pc.or_(goes, pc.is_in(rows["target_id"], pa.array([*ids, named], pa.string())))
        if table in (LOGS, METRICS):
            for word in words:
                says = pc.fill_null(pc.match_substring(rows["attributes"], word), fill_value=False)
                goes = says if goes is None else pc.or_(goes, says)
        return goes if goes is not None else pa.repeat(pa.scalar(False), rows.num_rows)

    return going
