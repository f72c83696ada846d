"""Numbered batches: which rows of an inbox are written under which number, so that each is written exactly once.

The number is the Delta transaction's version. Batches of a kind are finished in order, by one flusher at a time (an advisory
lock). Knows numbers and ids; knows neither the inboxes' rows nor the tables.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.schema import TableSchema

from .errors import FlushHeadMissingError

LOCK = 0x666C757368  # "flush"

_log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """Claimed inbox rows under a number."""

    kind: str
    writer: str
    number: int
    ids: list[int]


@asynccontextmanager
async def locked(connection: Connection) -> AsyncIterator[bool]:
    """Hold the flushers' lock if it is free; False where another one has it."""
    row = await fetch_one(connection, "select pg_try_advisory_lock(%s) as mine", LOCK)
    mine = bool(row and row["mine"])
    try:
        yield mine
    finally:
        if mine and not connection.broken:
            await execute(connection, "select pg_advisory_unlock(%s)", LOCK)


@asynccontextmanager
async def held_up(connection: Connection) -> AsyncIterator[None]:
    """No batch is on its way inside the block: one that is, is waited for, and the next one waits. Be quick."""
    await execute(connection, "select pg_advisory_lock(%s)", LOCK)
    try:
        yield
    finally:
        if not connection.broken:
            await execute(connection, "select pg_advisory_unlock(%s)", LOCK)


async def begun(connection: Connection, kind: str) -> list[Batch]:
    """Batches that were claimed and not finished; at most one unless the database was restored."""
    rows = await fetch_all(
        connection,
        """
        select kind, writer, flush_batches.number, ids from flush_batches join flush_heads using (kind)
        where kind = %s order by flush_batches.number
        """,
        kind,
    )
    return [Batch(kind, row["writer"], row["number"], row["ids"]) for row in rows]


async def claim(connection: Connection, kind: str, ids: Sequence[Row], *, now_ns: int) -> Batch:
    """These rows under the next number. Call it in a transaction, and only when no batch of the kind is open."""
    head = await fetch_one(
        connection,
        "update flush_heads set number = number + 1 where kind = %s returning writer, number",
        kind,
    )
    if head is None:  # the migration made the row
        raise FlushHeadMissingError(f"flush_heads has no row {kind!r}", next_step="run `flyball doctor`")
    batch = Batch(kind, head["writer"], head["number"], [row["id"] for row in ids])
    await execute(
        connection,
        "insert into flush_batches (kind, number, ids, created_ns) values (%s, %s, %s, %s)",
        kind,
        batch.number,
        batch.ids,
        now_ns,
    )
    return batch


async def shrink(connection: Connection, batch: Batch, ids: Sequence[int]) -> Batch:
    """The batch with these of its rows alone; the others wait for a later one. Only while its number is not in its table, or where the others are deleted."""
    await execute(
        connection,
        "update flush_batches set ids = %s where kind = %s and number = %s",
        list(ids),
        batch.kind,
        batch.number,
    )
    return batch._replace(ids=list(ids))


async def forget(connection: Connection, batch: Batch) -> None:
    """The batch is in its tables. Call it in the transaction that deletes its rows."""
    await execute(connection, "delete from flush_batches where kind = %s and number = %s", batch.kind, batch.number)


async def meet(connection: Connection, lake: Lake, kind: str, table: TableSchema) -> None:
    """A database that was restored from a backup counts from an old number: it gets a new name as a writer."""
    head = await fetch_one(connection, "select writer, number from flush_heads where kind = %s", kind)
    if head is None:
        return
    last = await asyncio.to_thread(lake.last_sequence, table, head["writer"])
    if last is not None and last > head["number"]:
        _log.warning("the table %s is ahead of this database: it was restored, and writes under a new name", table.name)
        await execute(connection, "update flush_heads set writer = gen_random_uuid()::text where kind = %s", kind)
