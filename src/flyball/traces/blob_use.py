"""Which blobs spans refer to, and deleting those that no span refers to any more.

Knows the columns that hold hashes; knows not why rows went.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, execute, fetch_all
from flyball.infra.lake import parquet

from . import batches
from .large import hashes_of
from .own_blobs import own_blobs
from .tables import PAYLOADS, SPANS

COLUMNS = ("input_ref", "output_ref", "large")
_BLOB = "sha256:"
_LOCK = 0x626C6F6273  # "blobs"
_AT_ONCE = 100  # blobs that are deleted while ingest is held up

_USED = """
    select input_ref, output_ref, large from spans
    where input_ref in (select unnest($hashes)) or output_ref in (select unnest($hashes)) or large <> ''
"""
_BESIDE = "select distinct hash from media where hash = any(%s)"  # files beside spans, of any project
# Other rooms keep these for ever, among the blobs in which an earlier version kept texts of spans.
_ELSEWHERE = """
    select hash from unnest(%s::text[]) as asked (hash) where
        exists (select from function_versions where strpos(spec::text, asked.hash) > 0)
        or exists (select from variants where strpos(spec::text, asked.hash) > 0)
        or exists (select from model_files where model_files.hash = asked.hash or strpos(files::text, asked.hash) > 0)
        or exists (select from datasets where strpos(declaration::text, asked.hash) > 0)
        or exists (select from dataset_versions where strpos(source::text, asked.hash) > 0)
"""
_IN_ROWS = "select distinct hash from payloads where hash in (select unnest($hashes))"


def referred(rows: Iterable[dict[str, Any]]) -> set[str]:
    """The hashes in rows of `spans`."""
    found: set[str] = set()
    for row in rows:
        found |= {row[name] for name in COLUMNS[:2] if (row[name] or "").startswith(_BLOB)}
        found |= hashes_of(row["large"] or "")
    return found


def referred_in(files: Iterable[str]) -> set[str]:
    """The hashes in files of `spans`."""
    found: set[str] = set()
    for path in files:
        rows = parquet.read(Path(path), COLUMNS)
        for name in COLUMNS:  # files that are older than a column lack it
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        found |= referred(rows.to_pylist())
    return found


async def delete_unused(ctx: Context, hashes: set[str]) -> int:
    """Delete the blobs that nothing of any project refers to any more; how many. Call it when the rows are gone.

    What refers to one again meanwhile is seen: between the last look and the deletion no batch is on its way, and no file
    beside spans is kept. Most is looked at before, so that ingest is held up for moments alone.
    """
    seen = set(await asyncio.to_thread(ctx.lake.files, SPANS))
    unused = sorted(hashes - await asyncio.to_thread(_used, ctx, hashes)) if hashes else []
    deleted, again = 0, set[str]()
    for begin in range(0, len(unused), _AT_ONCE):
        group = set(unused[begin : begin + _AT_ONCE])
        async with (
            ctx.db.across_projects().connection() as connection,
            batches.held_up(connection),
            _alone(connection),
        ):
            added = await asyncio.to_thread(ctx.lake.added, SPANS, seen)
            again |= await asyncio.to_thread(referred_in, added)
            seen.update(added)
            group -= again | await _hashes(connection, _BESIDE, group)
            elsewhere = await _hashes(connection, _ELSEWHERE, group)
            deleted += await asyncio.to_thread(_delete, ctx, group, elsewhere)
    return deleted


@asynccontextmanager
async def keeping(ctx: Context) -> AsyncIterator[None]:
    """What is kept as a blob inside the block, and has a row already, is not deleted as one that nobody refers to."""
    async with ctx.db.connection() as connection:
        await execute(connection, "select pg_advisory_lock_shared(%s)", _LOCK)
        try:
            yield
        finally:
            if not connection.broken:
                await execute(connection, "select pg_advisory_unlock_shared(%s)", _LOCK)


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncIterator[None]:
    await execute(connection, "select pg_advisory_lock(%s)", _LOCK)
    try:
        yield
    finally:
        if not connection.broken:
            await execute(connection, "select pg_advisory_unlock(%s)", _LOCK)


def _used(ctx: Context, hashes: set[str]) -> set[str]:
    asked = {"hashes": sorted(hashes)}
    used = referred(ctx.lake.query(_USED, asked, tables=(SPANS,), deadline_seconds=600))
    return used | {row["hash"] for row in ctx.lake.query(_IN_ROWS, asked, tables=(PAYLOADS,), deadline_seconds=600)}


async def _hashes(connection: Connection, query: str, hashes: set[str]) -> set[str]:
    return {row["hash"] for row in await fetch_all(connection, query, sorted(hashes))}


def _delete(ctx: Context, hashes: set[str], elsewhere: set[str]) -> int:
    """Delete blobs of this room, and what an earlier version kept among those of all rooms unless one of them has it too."""
    own = sum(own_blobs(ctx).delete(hash_) for hash_ in hashes)
    return own + sum(ctx.blobs.delete(hash_) for hash_ in hashes - elsewhere)
