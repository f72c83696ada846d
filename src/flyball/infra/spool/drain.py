"""Delivers the records of a spool to PostgreSQL, each exactly once whatever is killed when.

The position up to which a file has been moved is a row that changes in the transaction that delivers. After any failure,
a commit whose answer was lost included, the row is read again before anything else is moved.
Knows the spool and its positions; what a record means, and where it goes, the given `deliver` knows.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import psycopg

from flyball.infra.db.database import Connection, Database, DatabaseAwayError, execute, fetch_one
from flyball.kit.clock import NANOSECONDS, Clock

from .errors import PositionMovedError
from .spool import spool_name
from .spool_file import SpoolFile

_MOST_RECORDS = 1_000
_MOST_BYTES = 4 * 1024 * 1024
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
_REST = 20  # times as long as moving took: where much comes, fewer and larger transactions, which cost each record less
_LONGEST_REST_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Deliver(Protocol):
    """Writes records, in order, in the transaction that is given. A record that it or the database refuses is set aside."""

    async def __call__(self, connection: Connection, records: Sequence[bytes], now_ns: int, /) -> None:
        """Write them all or raise."""


class Source(Protocol):
    """A spool as it is emptied: this process's own (`Spool`), or another's (`FollowedSpool`)."""

    @property
    def writer(self) -> str:
        """Whose it is."""
        ...

    @property
    def own(self) -> SpoolFile:
        """The file that grows."""
        ...

    @property
    def left(self) -> Sequence[SpoolFile]:
        """What others of the name left, oldest first."""
        ...

    @property
    def dropped(self) -> int:
        """How many records found no room."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """How much is not yet delivered."""
        ...

    def finished(self, file: SpoolFile, /) -> None:
        """A file that others left has been read to its end."""


class _Portion(NamedTuple):
    """Records of a spool file between two positions."""

    spool: str
    start: int
    end: int
    records: tuple[bytes, ...]


def _is_cancelled() -> bool:
    """Whether somebody has cancelled this task: in Python 3.11 waiting for a connection may swallow it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Drain:
    """Empties one spool. `run` for the life of the process, then `finish` at a graceful stop.

    Args:
        pause_seconds: what comes within it shares a transaction. Where moving takes long, twenty times as long as that took
            shares one, half a second at the most; what is there already waits for nothing.
    """

    def __init__(
        self,
        spool: Source,
        database: Database,
        clock: Clock,
        deliver: Deliver,
        *,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._spool = spool
        self._database = database
        self._clock = clock
        self._deliver = deliver
        self._pause = pause_seconds
        self._positions: dict[str, int] = {}  # known to be what the database says; absent: has to be asked
        self._most_records = _MOST_RECORDS
        self._told_dropped = 0
        self.delivered = 0  # records, since the start
        self.refused = 0  # records that the database would never take; kept in refused.jsonl beside the spool

    async def run(self) -> None:
        """Move whatever comes, until cancelled. While PostgreSQL is away, wait with growing pauses."""
        wait = self._pause
        while not _is_cancelled():
            self._tell_dropped()
            try:
                began_ns = self._clock.monotonic_ns()
                is_more = await self.move()
                took = (self._clock.monotonic_ns() - began_ns) / NANOSECONDS
                rest = 0.0 if is_more else max(self._pause, min(_REST * took, _LONGEST_REST_SECONDS))
                wait = self._pause
            except (DatabaseAwayError, psycopg.Error, PositionMovedError) as error:
                _log.warning("the spool of %s waits: %s", self._spool.writer, error)
                rest = wait = min(wait * 2, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(rest)
        raise asyncio.CancelledError

    async def finish(self, *, seconds: float = 5.0) -> bool:
        """Move all that is there, after `run` was cancelled; False when time ran out and the rest waits for the next start."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._spool.waiting_bytes or self._spool.left:
                    try:
                        await self.move()
                    except (DatabaseAwayError, psycopg.Error, PositionMovedError):
                        await asyncio.sleep(_PAUSE_SECONDS)
        return not self._spool.waiting_bytes

    def _tell_dropped(self) -> None:
        """Say aloud how much was lost, whenever it has become more."""
        dropped = self._spool.dropped
        if dropped > self._told_dropped:
            self._told_dropped = dropped
            _log.error("%s", dropped_words(self._spool))

    async def move(self) -> bool:
        """Move one portion of each file, those that others left first; whether some of what was there is left."""
        is_more = False
        for file in self._spool.left:
            is_more |= await self._move(file)
            if self._positions.get(spool_name(file)) == file.end:
                await self._forget(file)
        return await self._move(self._spool.own) or is_more

    async def _move(self, file: SpoolFile) -> bool:
        name = spool_name(file)
        if name not in self._positions:
            if file is self._spool.own and not file.waiting_bytes:
                return False  # nothing was ever appended: no need to ask
            await self._ask(file, name)
        start = self._positions[name]
        chunk = file.read(start, most_records=self._most_records, most_bytes=_MOST_BYTES)
        if not chunk.records:
            return False
        portion = _Portion(name, start, chunk.end, chunk.records)
        # Until the commit is known to have happened, the position is not known.
        del self._positions[name]
        try:
            await self._commit(portion)
        except (psycopg.DataError, psycopg.IntegrityError, msgspec.MsgspecError) as error:
            await self._narrow(portion, error)
            return True
        self._positions[name] = chunk.end
        self._most_records = min(self._most_records * 2, _MOST_RECORDS)
        file.release(chunk.end)
        self.delivered += len(chunk.records)
        return chunk.cut

    async def _ask(self, file: SpoolFile, name: str) -> None:
        async with self._database.connection() as connection:
            row = await fetch_one(connection, "select position from spool_positions where spool = %s", name)
        position = max(row["position"] if row else 0, file.released)
        file.resume(position)
        self._positions[name] = position

    async def _commit(self, portion: _Portion) -> None:
        now_ns = self._clock.now_ns()
        # What is written last and the commit are one round trip: whoever waits for the same rows waits for no network.
        async with self._database.connection() as connection, connection.pipeline(), connection.transaction():
            await self._advance(connection, portion, now_ns)
            if portion.records:
                await self._deliver(connection, portion.records, now_ns)

    async def _advance(self, connection: Connection, portion: _Portion, now_ns: int) -> None:
        changed = await fetch_one(
            connection,
            """
            insert into spool_positions (spool, writer, position, updated_ns) values (%s, %s, %s, %s)
            on conflict (spool) do update set position = excluded.position, updated_ns = excluded.updated_ns
            where spool_positions.position = %s returning position
            """,
            portion.spool,
            self._spool.writer,
            portion.end,
            now_ns,
            portion.start,
        )
        if changed is None:
            raise PositionMovedError(
                f"the spool {portion.spool} is not at {portion.start} any more", next_step="read its position again"
            )

    async def _narrow(self, portion: _Portion, error: Exception) -> None:
        """Something in these records is refused for good: find it by halving, and set it aside without losing it."""
        if len(portion.records) > 1:
            self._most_records = len(portion.records) // 2
            return
        self.refused += 1
        _log.error("a record of %s is refused and set aside: %s", self._spool.writer, error)
        aside = self._spool.own.path.with_name("refused.jsonl")
        await asyncio.to_thread(_set_aside, aside, str(error), portion.records[0])
        await self._commit(portion._replace(records=()))

    async def _forget(self, file: SpoolFile) -> None:
        """The file first: a position without a file is harmless, a file without its position would be moved again."""
        name = spool_name(file)
        self._spool.finished(file)
        self._positions.pop(name, None)
        async with self._database.connection() as connection:
            await execute(connection, "delete from spool_positions where spool = %s", name)


def dropped_words(spool: Source) -> str:
    """How much was lost for want of room."""
    return f"{spool.dropped} records of {spool.writer} found no room in its spool and are lost; FLYBALL_SPOOL_BYTES sets the room"


def _set_aside(path: Path, reason: str, record: bytes) -> None:
    with path.open("ab") as file:
        file.write(msgspec.json.encode({"reason": reason, "record": record}) + b"\n")
