"""Moves the inbox into the Delta tables in numbered batches, each exactly once, and keeps the tables' files few.

A batch is a list of inbox rows under a number that grows by one; the number is the Delta transaction's version, so that
repeating a batch after any failure changes nothing. Batches of a kind are finished in order, by one flusher at a time (an
advisory lock). What cannot be written stays in the inbox. Knows batches; knows not who produces or reads.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one
from flyball.infra.lake.schema import TableSchema
from flyball.kit.errors import FlyballError

from . import inbox
from .errors import FlushHeadMissingError
from .inbox import Kind
from .mending import read_score, read_span
from .tables import PAYLOADS, SCORES, SPANS, store_score, store_span

KINDS: tuple[Kind, ...] = ("span", "score")
TABLES = (SPANS, PAYLOADS, SCORES)

_LOCK = 0x666C757368  # "flush"
_MOST_ROWS = 5_000
_MOST_BYTES = 64 * 1024 * 1024
_LONGEST_PAUSE_SECONDS = 30.0
_LOCKED_SECONDS = 0.02
_COMPACT_AT_FILES = 240  # the worker joins files long before; this is for when it is away
_FORGET_EVERY_NS = 300 * 1_000_000_000

_log = logging.getLogger(__name__)


class Batch(NamedTuple):
    """Claimed inbox rows under a number."""

    kind: Kind
    writer: str
    number: int
    ids: list[int]


class Flusher:
    """The flusher of one process. `run` for the life of the process, then `finish` at a graceful stop."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._db = ctx.db.across_projects()
        self._forgot_ns = 0
        self._met: set[Kind] = set()  # kinds whose table was compared with this database since the start

    async def run(self) -> None:
        """Flush about every `flush_seconds` until cancelled; while the lake or PostgreSQL is away, with growing pauses."""
        pause = self._ctx.settings.flush_seconds
        while True:
            try:
                full = await self.flush() >= _MOST_ROWS
                await self.tidy()
                pause = 0.0 if full else self._ctx.settings.flush_seconds
            except (FlyballError, psycopg.Error, OSError) as error:
                pause = min(max(pause, self._ctx.settings.flush_seconds) * 2, _LONGEST_PAUSE_SECONDS)
                _log.warning("the inbox waits, and is tried again in %.0f s: %s", pause, error)
            await asyncio.sleep(pause)

    async def finish(self, *, seconds: float = 10.0) -> bool:
        """Flush all that is there, after `run` was cancelled; False when the rest waits for the next start."""
        with contextlib.suppress(TimeoutError, FlyballError, psycopg.Error, OSError):
            async with asyncio.timeout(seconds):
                # One that was killed keeps its lock as long as its statement runs, and nobody says when that ends.
                while await self.flush() or await self._waiting():  # noqa: ASYNC110 -- there is no event to wait for
                    await asyncio.sleep(_LOCKED_SECONDS)
        with contextlib.suppress(FlyballError):
            return not await self._waiting()
        return False

    async def _waiting(self) -> int:
        async with self._db.connection() as connection:
            return (await inbox.waiting(connection)).rows

    async def flush(self) -> int:
        """Finish what was begun, then one new batch of each kind; the rows of the largest. 0 while another one flushes."""
        async with self._db.connection() as connection:
            if not await _lock(connection):
                return 0
            try:
                return max([await self._flush(connection, kind) for kind in KINDS])
            finally:
                await _unlock(connection)

    async def tidy(self, *, files: int = _COMPACT_AT_FILES) -> None:
        """Join a table's files when they are many, and forget keys that nobody repeats any more."""
        now_ns = self._ctx.clock.now_ns()
        forget = now_ns - self._forgot_ns >= _FORGET_EVERY_NS
        many = [table for table in TABLES if len(await asyncio.to_thread(self._ctx.lake.files, table)) >= files]
        if not (many or forget):
            return
        async with self._db.connection() as connection:
            if not await _lock(connection):
                return
            try:
                for table in many:
                    await asyncio.to_thread(self._ctx.lake.compact, table)
                await inbox.forget_keys(connection, now_ns=now_ns)
                self._forgot_ns = now_ns
            finally:
                await _unlock(connection)

    async def _flush(self, connection: Connection, kind: Kind) -> int:
        if kind not in self._met:
            await self._meet(connection, kind)
        for batch in await _begun(connection, kind):
            await self._write(connection, batch)
        batch_claimed = await _claim(connection, kind, self._ctx.clock.now_ns())
        if batch_claimed is None:
            return 0
        await self._write(connection, batch_claimed)
        return len(batch_claimed.ids)

    async def _meet(self, connection: Connection, kind: Kind) -> None:
        """A database that was restored from a backup counts from an old number: it gets a new name as a writer."""
        head = await fetch_one(connection, "select writer, number from flush_heads where kind = %s", kind)
        table = SPANS if kind == "span" else SCORES
        if head is not None:
            last = await asyncio.to_thread(self._ctx.lake.last_sequence, table, head["writer"])
            if last is not None and last > head["number"]:
                _log.warning(
                    "the table %s is ahead of this database: it was restored, and writes under a new name", table
                )
                await execute(
                    connection, "update flush_heads set writer = gen_random_uuid()::text where kind = %s", kind
                )
        self._met.add(kind)

    async def _write(self, connection: Connection, batch: Batch) -> None:
        rows = await fetch_all(
            connection,
            "select id, project, key, trace_id, start_ns, body from inbox where id = any(%s) order by id",
            batch.ids,
        )
        write = self._write_spans if batch.kind == "span" else self._write_scores
        await asyncio.to_thread(write, batch, rows)
        async with connection.transaction():
            await execute(connection, "delete from inbox where id = any(%s)", batch.ids)
            await execute(
                connection, "delete from flush_batches where kind = %s and number = %s", batch.kind, batch.number
            )

    def _write_spans(self, batch: Batch, rows: Sequence[Row]) -> None:
        stored = [store_span(read_span(row)) for row in rows]
        for data in {data for each in stored for data in each.blobs}:
            self._ctx.blobs.put(data)
        self._append(PAYLOADS, batch, [payload for each in stored for payload in each.payloads])
        self._append(SPANS, batch, [each.row for each in stored])

    def _write_scores(self, batch: Batch, rows: Sequence[Row]) -> None:
        self._append(SCORES, batch, [store_score(read_score(row)) for row in rows])

    def _append(self, table: TableSchema, batch: Batch, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._ctx.lake.append(table, rows, writer=batch.writer, sequence=batch.number)


async def _lock(connection: Connection) -> bool:
    row = await fetch_one(connection, "select pg_try_advisory_lock(%s) as mine", _LOCK)
    return bool(row and row["mine"])


async def _unlock(connection: Connection) -> None:
    if not connection.broken:
        await execute(connection, "select pg_advisory_unlock(%s)", _LOCK)


async def _begun(connection: Connection, kind: Kind) -> list[Batch]:
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


async def _claim(connection: Connection, kind: Kind, now_ns: int) -> Batch | None:
    """The oldest rows under the next number. Only called when no batch is open, so no row belongs to another."""
    async with connection.transaction():
        ids = await fetch_all(
            connection,
            """
            select id from (
                select id, sum(octet_length(body)) over (order by id) - octet_length(body) as before
                from (select id, body from inbox where kind = %s order by id limit %s) as oldest
            ) as sized where before < %s
            """,
            kind,
            _MOST_ROWS,
            _MOST_BYTES,
        )
        if not ids:
            return None
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
