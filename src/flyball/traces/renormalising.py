"""Read stored spans again with the newest mapping: the columns that it makes change, what was told does not.

Files that hold a span of an older mapping are written again. Knows which rows; what a mapping says is `normalising`.
"""

import asyncio
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from flyball.audit import service as audit
from flyball.infra.blobs.errors import BlobDamagedError, BlobMissingError
from flyball.infra.context import Context
from flyball.infra.lake.removal import Rewriting
from flyball.llm.usage import Usage
from flyball.runs import service as runs
from flyball.runs.records import Run

from .columns import Arrived, Origin, span_columns
from .errors import SpanRefusedError
from .normalising import normalise
from .own_blobs import own_blobs, read_blob
from .pruning import of_project
from .records import MAP_VERSION, TOLD, Span
from .signal_tables import LOGS
from .tables import SPANS
from .told import ToldLog
from .told_rows import told_of_log, told_of_row

JOB = "traces.renormalise"

_LATEST = 2**62
_LOGS = "select * from logs where project = $project and span_id in (select unnest($ids)) order by time_ns, observed_ns"


class Renormalised(msgspec.Struct, frozen=True, kw_only=True):
    """How many spans were read again, and in how many files."""

    spans: int
    files: int


async def renormalise_later(ctx: Context, *, since_ns: int = 0) -> Run:
    """Queue it. Raises SpanRefusedError for a time that is none."""
    if not 0 <= since_ns <= _LATEST:
        raise SpanRefusedError(f"{since_ns} is no time", next_step="give nanoseconds since 1970")
    async with ctx.db.transaction() as connection:
        run = await runs.enqueue(connection, ctx, JOB, {"since_ns": since_ns})
        await audit.record(
            connection,
            ctx,
            action="traces.renormalise",
            object_kind="project",
            object_id=ctx.project,
            after={"run": run.id, "since_ns": since_ns},
        )
    return run


async def renormalise(ctx: Context, since_ns: int) -> Renormalised:
    """Read the project's spans that began at or after a time again, where an older mapping made them. Safe to repeat."""

    def older(rows: pa.Table) -> Any:
        old = pc.and_(pc.is_valid(rows["resource"]), pc.less(rows["map_version"], MAP_VERSION))
        return pc.and_(
            pc.equal(rows["project"], ctx.project), pc.and_(old, pc.greater_equal(rows["start_ns"], since_ns))
        )

    wanted = Rewriting(
        ctx.project,
        ("project", "resource", "map_version", "start_ns"),
        older,
        lambda rows: _again(ctx, rows),
        since=since_ns,
    )
    done = await asyncio.to_thread(ctx.lake.rewrite, SPANS, wanted)
    return Renormalised(spans=done.rows, files=done.files)


def _again(ctx: Context, rows: pa.Table) -> pa.Table:
    """The same spans by the newest mapping; one of which a large value is gone stays as it is."""
    stored = rows.to_pylist()
    logs = _logs(ctx, [row["span_id"] for row in stored])
    arrived: list[Arrived] = []
    gone: list[int] = []
    for index, row in enumerate(stored):
        try:
            told = told_of_row(row, partial(read_blob, ctx))
        except (BlobMissingError, BlobDamagedError):
            gone.append(index)
            continue
        span = normalise(told, logs.get((told.trace_id, told.span_id), ()))
        origin = Origin(row["project"], row["key_id"], row["received_ns"])
        arrived.append(Arrived(origin, told, _counted(span, row)))
    parts = [rows.take(gone)] if gone else []
    return pa.concat_tables([*parts, span_columns(arrived, own_blobs(ctx).put)] if arrived else parts)


def _counted(span: Span, row: dict[str, Any]) -> Span:
    """What was used and cost, where a mapping alone cannot know it: by the prices of then, and once for several spans."""
    elsewhere = row["usage_raw"] is not None and not any(row[name] for name in Usage().columns)
    if elsewhere:
        span = msgspec.structs.replace(span, usage=Usage())
    if elsewhere or span.price_version != TOLD:
        span = msgspec.structs.replace(
            span, cost_nano_usd=row["cost_nano_usd"], price_version=row["price_version"] or ""
        )
    return span


def _logs(ctx: Context, span_ids: list[str]) -> dict[tuple[str, str], list[ToldLog]]:
    place = {"project": ctx.project, "ids": span_ids}
    found = ctx.lake.query(_LOGS, place, tables=(LOGS,), where={"logs": of_project(ctx.project)}, deadline_seconds=600)
    by_span: dict[tuple[str, str], list[ToldLog]] = {}
    for row in found:
        by_span.setdefault((row["trace_id"], row["span_id"]), []).append(told_of_log(row))
    return by_span
