"""Moves batches, also those in which something cannot be moved for a reason that nobody foresaw: that is found and set aside.

Such a batch is tried again; then it gives up half of its rows, under its number, until one row is left, in which the records
that fail are found by trying. Rows that a batch gave up are claimed again by the next ones, which are small at first. Each
step is a transaction, so that a kill at any moment leaves a batch to be moved. Knows batches; knows not what rows mean.
"""

import asyncio
import logging
import traceback

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.traces import aside_store, batches
from flyball.traces.batches import Batch

from .protocol import Mover, Sifted
from .troubles import is_outside

_DOUBTS = 3  # times that a batch fails in which nothing can be found, until its rows are set aside as they are
_AS_BEFORE = 4_000  # rows; no batch has as many
_log = logging.getLogger(__name__)


class Poisoned:
    """How far each kind is trusted: after something was set aside, few rows at a time, and twice as many each time."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._most: dict[str, int] = {}
        self._doubts: dict[str, tuple[int, int]] = {}  # which batch of a kind failed lately, and how often

    def most(self, kind: str) -> int:
        """How many rows the next batch of a kind may have."""
        return self._most.get(kind, _AS_BEFORE)

    async def move(self, connection: Connection, mover: Mover, batch: Batch) -> Batch:
        """Move what can be moved; the batch as it was then. Raises what is not for records to answer for."""
        try:
            await mover.move(connection, batch)
        except Exception as error:  # -- nobody foresaw it: a record may be to blame
            if is_outside(error, connection):
                raise
            self._tell(mover.kind, error, "is tried again")
            batch = await self._move_what_can_be(connection, mover, batch)
        if mover.kind in self._most:
            self._grow(mover.kind, batch)
        return batch

    def _grow(self, kind: str, batch: Batch) -> None:
        self._most[kind] = 2 * max(1, len(batch.ids))
        if self._most[kind] >= _AS_BEFORE:
            del self._most[kind]

    async def _move_what_can_be(self, connection: Connection, mover: Mover, batch: Batch) -> Batch:
        while True:
            try:
                await mover.move(connection, batch)
            except Exception as error:  # -- nobody foresaw it: a record may be to blame
                if is_outside(error, connection):
                    raise
                batch = await self._without_some(connection, mover, batch, error)
                self._most[mover.kind] = len(batch.ids)
            else:
                return batch

    async def _without_some(self, connection: Connection, mover: Mover, batch: Batch, error: Exception) -> Batch:
        """The batch with fewer rows, or with fewer records in them. Where nothing can be found, the error is raised."""
        last = await asyncio.to_thread(self._ctx.lake.last_sequence, mover.table, batch.writer)
        written = last is not None and last >= batch.number  # its rows are in the table: none of them may be given up
        if len(batch.ids) > 1 and not written:
            return await batches.shrink(connection, batch, batch.ids[: len(batch.ids) // 2])
        found, whole = False, self._doubted(batch, error)
        for id_ in list(batch.ids):
            sifted = await mover.sift(connection, id_, whole=whole)
            if sifted.unmovable:
                batch = await self._set_aside(connection, mover, batch, id_, sifted, stored=written)
                records, project = sum(one.records for one in sifted.unmovable), sifted.unmovable[0].project
                self._tell(mover.kind, error, f"is set aside: {records} records of the project {project}")
                found = True
        if not found:
            raise error
        return batch

    def _doubted(self, batch: Batch, error: Exception) -> Exception | None:
        """Why its rows are to blame, though nothing can be found in them: it has failed often."""
        number, times = self._doubts.get(batch.kind, (0, 0))
        times = times + 1 if number == batch.number else 1
        self._doubts[batch.kind] = (batch.number, times)
        return error if times >= _DOUBTS else None

    async def _set_aside(
        self, connection: Connection, mover: Mover, batch: Batch, id_: int, sifted: Sifted, *, stored: bool
    ) -> Batch:
        async with connection.transaction():
            now_ns = self._ctx.clock.now_ns()
            await aside_store.keep(connection, sifted.unmovable, now_ns=now_ns, stored=stored)
            await mover.take_out(connection, id_, sifted.rest)
            if sifted.rest is None:
                batch = await batches.shrink(connection, batch, [kept for kept in batch.ids if kept != id_])
        self._ctx.tally.count("set_aside", sum(one.records for one in sifted.unmovable), of=mover.kind)
        return batch

    def _tell(self, kind: str, error: Exception, deed: str) -> None:
        """To the log, where the error came from; not what it said, which may be what somebody sent."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        _log.error(
            "what cannot be moved into the tables (%s) %s: %s at %s:%d", kind, deed, name, place.name, place.lineno or 0
        )
