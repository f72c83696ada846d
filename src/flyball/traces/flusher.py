"""Moves what waits in the inboxes into the Delta tables in numbered batches, each exactly once, about once a second.

A batch is a list of inbox rows under a number that grows by one; the number is the Delta transaction's version, so that
repeating a batch after any failure changes nothing. What cannot be written stays where it waits. Knows when batches are
made; how one is moved is `moving/`, and who produces or reads is nothing to it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence

import psycopg

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.lake.schema import TableSchema
from flyball.kit.errors import FlyballError
from flyball.kit.redaction import redact

from . import batches, inbox, open_spans, parts
from .alike import Foreign, Understand, Understood, understood
from .batches import Batch
from .content_logs import ContentLogs
from .counted_calls import CountedCalls
from .moving import requests
from .moving.native import NativeMover
from .moving.poisoned import Poisoned
from .moving.protocol import Mover
from .moving.told_signals import ToldSignalMover
from .moving.told_spans import ToldSpanMover
from .signal_tables import LOGS, METRICS
from .tables import PAYLOADS, SCORES, SPANS

TABLES = (SPANS, PAYLOADS, SCORES, LOGS, METRICS)

_LONGEST_PAUSE_SECONDS = 30.0
_MANY_RECORDS = 3_000
_LOCKED_SECONDS = 0.02
_COMPACT_AT_FILES = 240  # the worker joins files long before; this is for when it is away
_FORGET_EVERY_NS = 300 * 1_000_000_000
_BOUND_EVERY_NS = 10 * 1_000_000_000
_VACUUM_EVERY_NS = 20 * 1_000_000_000
_VACUUM_AT_REQUESTS = 2_000

_log = logging.getLogger(__name__)


class Flusher:
    """The flusher of one process. `run` for the life of the process, then `finish` at a graceful stop.

    `understand` makes columns of what OTLP told; without it, what a call cost is known where the span says it.
    """

    def __init__(self, ctx: Context, understand: Understand | None = None) -> None:
        self._ctx = ctx
        self._db = ctx.db.across_projects()
        self._forgot_ns = self._bounded_ns = 0
        self._met: set[str] = set()  # kinds whose table was compared with this database since the start
        self._full = False
        self._records = 0  # of the last flush
        self._joined: dict[str, int] = {}  # how many files each table had after they were joined
        self._suspected: dict[str, int] = {}  # files that no row names, and since when
        self._moved = 0  # rows since the last vacuum
        self._vacuumed_ns = 0
        self._vacuuming: asyncio.Task[None] | None = None
        self._poisoned = Poisoned(ctx)
        content, calls = ContentLogs(), CountedCalls()
        self._movers: tuple[Mover, ...] = (
            NativeMover(ctx, "span", calls),
            NativeMover(ctx, "score", calls),
            ToldSignalMover(ctx, "logs", content),  # before the spans whose content they carry
            ToldSpanMover(ctx, understand or _without_prices, content, calls),
            ToldSignalMover(ctx, "metrics", content),
        )

    async def run(self) -> None:
        """Flush about every `flush_seconds` until cancelled; while the lake or PostgreSQL is away, with growing pauses."""
        pause = self._ctx.settings.flush_seconds
        while True:
            try:
                began_ns = self._ctx.clock.monotonic_ns()
                await self.flush()
                await self.tidy()
                took = (self._ctx.clock.monotonic_ns() - began_ns) / 1e9
                self._ctx.tally.level("flush_ended_ns", self._ctx.clock.now_ns())
                pause = max(0.0, self._period() - took)
            except (FlyballError, psycopg.Error, OSError) as error:
                pause = self._longer(pause)
                self._failed(redact(str(error))[:500], pause)
            except Exception as error:  # noqa: BLE001 -- whatever it is, what was sent must get on; what it says may be content
                pause = self._longer(pause)
                self._failed(f"{type(error).__name__}, which nobody foresaw", pause)
            await asyncio.sleep(pause)

    def _period(self) -> float:
        """From one flush to the next: at once where more waits, and sooner than usual where much comes, since much takes longer."""
        usual = self._ctx.settings.flush_seconds
        return 0.0 if self._full else usual if self._records < _MANY_RECORDS else usual / 2

    def _longer(self, pause: float) -> float:
        return min(max(pause, self._ctx.settings.flush_seconds) * 2, _LONGEST_PAUSE_SECONDS)

    def _failed(self, why: str, pause: float) -> None:
        self._ctx.tally.count("flush_failures")
        self._ctx.tally.level("flush_failed_ns", self._ctx.clock.now_ns())
        self._ctx.tally.say("flush_error", why)
        _log.warning("the inbox waits, and is tried again in %.0f s: %s", pause, why)

    async def finish(self, *, seconds: float = 10.0) -> bool:
        """Flush all that is there, after `run` was cancelled; False when the rest waits for the next start."""
        with contextlib.suppress(Exception):  # whatever it is, the process ends, and the next start tries again
            async with asyncio.timeout(seconds):
                # One that was killed keeps its lock as long as its statement runs, and nobody says when that ends.
                while await self.flush() or await self._waiting():  # noqa: ASYNC110 -- there is no event to wait for
                    await asyncio.sleep(_LOCKED_SECONDS)
        with contextlib.suppress(FlyballError):
            return not await self._waiting()
        return False

    async def _waiting(self) -> int:
        async with self._db.connection() as connection:
            return await inbox.count_all(connection)

    async def flush(self) -> int:
        """Finish what was begun, then one new batch of each kind; the rows of the largest. 0 while another one flushes.

        A kind that fails is no reason for the others; its error is raised when they are done.
        """
        self._full, self._records = False, 0
        async with self._db.connection() as connection, batches.locked(connection) as mine:
            rows, failed = [0], []
            for mover in self._movers if mine else ():
                try:
                    rows.append(await self._flush(connection, mover))
                except Exception as error:  # -- the other kinds go first; it is raised after them
                    if connection.broken:
                        raise
                    failed.append(error)
            if failed:
                raise failed[0]
            return max(rows)

    async def tidy(self, *, files: int = _COMPACT_AT_FILES) -> None:
        """Join a table's files when many have come, give PostgreSQL its room back, forget what nobody waits for any more."""
        now_ns = self._ctx.clock.now_ns()
        self._give_room_back(now_ns)
        await self._keep_within_bounds(now_ns)
        forget = now_ns - self._forgot_ns >= _FORGET_EVERY_NS
        many = [table for table in TABLES if await self._files(table) - self._joined.get(table.name, 0) >= files]
        if not (many or forget):
            return
        async with self._db.connection() as connection, batches.locked(connection) as mine:
            if not mine:
                return
            for table in many:
                await asyncio.to_thread(self._ctx.lake.compact, table)
                self._joined[table.name] = await self._files(table)
            await inbox.forget_keys(connection, now_ns=now_ns)
            self._suspected = await requests.tidy(connection, self._ctx, self._suspected)
            await open_spans.give_up(connection, now_ns=now_ns)
            await parts.give_up(connection, now_ns=now_ns)
            self._forgot_ns = now_ns

    async def _keep_within_bounds(self, now_ns: int) -> None:
        """Spans that never end, and parts of spans whose rest never comes, have a bound in each project."""
        if now_ns - self._bounded_ns < _BOUND_EVERY_NS:
            return
        async with self._db.connection() as connection, batches.locked(connection) as mine:
            if mine:
                given_up = await open_spans.keep_within_bounds(connection, now_ns=now_ns)
                given_up += await parts.keep_within_bounds(connection)
                self._ctx.tally.count("given_up", given_up)
                self._bounded_ns = now_ns

    async def _files(self, table: TableSchema) -> int:
        return len(await asyncio.to_thread(self._ctx.lake.files, table))

    def _give_room_back(self, now_ns: int) -> None:
        """Rows that were moved leave room behind, which is used again when it was vacuumed: sooner than PostgreSQL does by itself."""
        if self._moved < _VACUUM_AT_REQUESTS or now_ns - self._vacuumed_ns < _VACUUM_EVERY_NS:
            return
        if self._vacuuming is None or self._vacuuming.done():  # beside, since it takes its time
            self._moved, self._vacuumed_ns = 0, now_ns
            self._vacuuming = asyncio.create_task(self._vacuum())

    async def _vacuum(self) -> None:
        with contextlib.suppress(FlyballError, psycopg.Error):  # PostgreSQL does it by itself, later
            async with self._db.owner_connection() as connection:
                await connection.execute("set vacuum_cost_delay = '5ms'")  # those who write must not wait for it
                try:
                    await connection.execute("vacuum (truncate false) inbox_batches")
                finally:
                    await connection.execute("reset vacuum_cost_delay")

    async def _flush(self, connection: Connection, mover: Mover) -> int:
        if mover.kind not in self._met:
            await batches.meet(connection, self._ctx.lake, mover.kind, mover.table)
            self._met.add(mover.kind)
        for batch in await batches.begun(connection, mover.kind):
            await self._move(connection, mover, batch, {})
        async with connection.transaction():
            found = await mover.oldest(connection)
            rows = found.rows[: self._poisoned.most(mover.kind)]
            if not rows:
                return 0
            batch = await batches.claim(connection, mover.kind, rows, now_ns=self._ctx.clock.now_ns())
        moved = await self._move(connection, mover, batch, {row["id"]: row.get("records", 1) for row in rows})
        self._full = self._full or found.full or moved < len(found.rows)
        return len(batch.ids)

    async def _move(self, connection: Connection, mover: Mover, batch: Batch, records: Mapping[int, int]) -> int:
        """How many rows were moved; `records` is how many each holds, 1 where nothing is said."""
        began_ns, tally = self._ctx.clock.monotonic_ns(), self._ctx.tally
        batch = await self._poisoned.move(connection, mover, batch)
        self._moved += len(batch.ids)
        self._records += sum(records.values())
        tally.count("flushes", of=mover.kind)
        tally.count("flushed", sum(records.get(id_, 1) for id_ in batch.ids), of=mover.kind)
        tally.count("flush_ns", self._ctx.clock.monotonic_ns() - began_ns, of=mover.kind)
        tally.level("flush_last_ns", self._ctx.clock.monotonic_ns() - began_ns, of=mover.kind)
        tally.level("flushed_ns", self._ctx.clock.now_ns(), of=mover.kind)
        return len(batch.ids)


def _without_prices(foreign: Sequence[Foreign]) -> Understood:
    return understood(foreign, lambda _project: None)
