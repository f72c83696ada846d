"""The inbox of OTLP's requests: one row per request, however many spans it holds, committed before anybody is answered.

Requests that arrive while others are being written are written together; the bodies of large ones into a file (`bodies`), which is
durable before the rows that name it. Knows rows and digests; knows neither what a body says nor the tables that it goes to.
"""

import asyncio
import errno
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from psycopg import Error as PsycopgError

from flyball.infra.context import Context
from flyball.infra.db.database import Database, fetch_all
from flyball.kit.errors import FlyballError, UnavailableError
from flyball.kit.redaction import redact

from . import bodies
from .otlp.errors import IngestDiskAwayError, IngestDiskFullError, IngestUnansweredError

PATIENCE_SECONDS = 4.0  # for PostgreSQL, until whoever sent a request is told to come again: exporters wait for ten

_MOST_TOGETHER = 64
_MOST_BYTES_TOGETHER = 16 * 1024 * 1024
_WRITERS = 2  # transactions at once: one is prepared while the other waits for the disk
_log = logging.getLogger(__name__)
T = TypeVar("T")
_APPENDERS: "WeakKeyDictionary[Database, _Appender]" = WeakKeyDictionary()

_APPEND = """
    with given as (
        select * from unnest(
            %b::bytea[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::int[], %b::int[], %b::bytea[], %b::text[], %b::bigint[]
        ) as given (digest, project, signal, key_id, received_ns, records, size, body, body_file, body_at)
    ), fresh as (
        insert into inbox_keys (digest, received_ns) select digest, received_ns from given
        on conflict do nothing returning digest
    )
    insert into inbox_batches (digest, project, signal, key_id, received_ns, records, size, body, body_file, body_at)
    select
        digest, project, signal, key_id, received_ns, records, size,
        case when body_file = '' then body end, nullif(body_file, ''), case when body_file <> '' then body_at end
    from given join fresh using (digest)
    returning body_file
"""


class NewBatch(NamedTuple):
    """A request to be kept: `body` is its protobuf, packed by zstd unless it lies `apart` from its row; `size` how large it is unpacked."""

    digest: bytes
    project: str
    signal: str
    key_id: str
    received_ns: int
    records: int
    size: int
    body: bytes
    apart: bool = False


async def append(ctx: Context, batch: NewBatch) -> None:
    """Keep a request unless it was kept within the last hours; on return it is durable.

    Raises:
        DatabaseAwayError: PostgreSQL cannot be reached, or cannot do it now.
        IngestUnansweredError: nobody has said for seconds whether it did. The same request may be sent again: it is kept once.
        IngestDiskFullError, IngestDiskAwayError: the disk does not take it.
    """
    database = ctx.db.across_projects()
    appender = _APPENDERS.get(database)
    if appender is None:
        appender = _APPENDERS[database] = _Appender(database, ctx.layout.inbox)
    await appender.append(batch)


class _Appender:
    """Those who wait for their requests to be written, and the tasks that write."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._folder = folder
        self._disk = ThreadPoolExecutor(_WRITERS, thread_name_prefix="bodies")  # a disk that hangs holds up nobody else
        self._at_the_disk: set[asyncio.Future[Any]] = set()  # whether somebody waits for them or not
        self._waiting: list[tuple[NewBatch, asyncio.Future[None]]] = []
        self._writing: dict[asyncio.Task[None], float] = {}  # and since when each waits for PostgreSQL

    async def append(self, batch: NewBatch) -> None:
        if len(self._writing) == _WRITERS and _now() - max(self._writing.values()) > PATIENCE_SECONDS:
            raise _unanswered()  # nobody is answered now: who comes later need not wait to hear it
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, written))
        if len(self._writing) < _WRITERS:
            task = asyncio.create_task(self._write_what_waits())
            self._writing[task] = _now()
            task.add_done_callback(self._writing.pop)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await written
        except TimeoutError:
            raise _unanswered() from None

    async def _write_what_waits(self) -> None:
        while together := self._next():
            error = await self._write([batch for batch, _ in together])
            if error is None or len(together) == 1 or isinstance(error, UnavailableError):
                _answer(together, error)
            else:  # one that cannot be written is no reason for the others
                for one in together:
                    _answer([one], await self._write([one[0]]))

    def _next(self) -> list[tuple[NewBatch, asyncio.Future[None]]]:
        """Those who wait first; who was told to come again, or has left, waits no more."""
        waiting = [one for one in self._waiting if not one[1].done()]
        size, count = 0, 0
        for batch, _ in waiting[:_MOST_TOGETHER]:
            size += len(batch.body)
            count += 1
            if size >= _MOST_BYTES_TOGETHER:
                break
        together, self._waiting = waiting[:count], waiting[count:]
        return together

    async def _write(self, batches: Sequence[NewBatch]) -> Exception | None:
        self._writing[_this_task()] = _now()
        # One order for everybody, so that two writers with the same digests wait for each other instead of blocking.
        ordered = sorted({batch.digest: batch for batch in batches}.items())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._keep([batch for _, batch in ordered])
        except TimeoutError:
            return _unanswered()
        except (FlyballError, PsycopgError) as error:
            return error
        except Exception as error:  # noqa: BLE001 -- whoever waits is answered, whatever it was
            _log.error("requests could not be written: %s: %s", type(error).__name__, redact(str(error))[:500])
            return error
        return None

    async def _keep(self, batches: Sequence[NewBatch]) -> None:
        apart = [batch.body for batch in batches if batch.apart]
        # The connection comes first: while there is none, nothing is written that nobody will name.
        async with self._database.connection() as connection:
            places = iter(await self._on_disk(bodies.write, apart) if apart else ())
            rows = [_row(batch, next(places) if batch.apart else None) for batch in batches]
            # One statement, so it is a transaction by itself; three round trips less for each.
            kept = await fetch_all(connection, _APPEND, *map(list, zip(*rows, strict=True)))
        if apart and not any(row["body_file"] for row in kept):  # all of them were kept before
            await self._on_disk(bodies.remove, {row[-2] for row in rows if row[-2]})

    async def _on_disk(self, work: Callable[[Path, Any], T], given: Any) -> T:
        # Not in the threads' own queue: while the disk hangs, it would keep what those gave who were told to come again.
        while len(self._at_the_disk) >= _WRITERS:
            await asyncio.wait(self._at_the_disk, return_when=asyncio.FIRST_COMPLETED)
        done = asyncio.get_running_loop().run_in_executor(self._disk, work, self._folder, given)
        self._at_the_disk.add(done)
        done.add_done_callback(self._at_the_disk.discard)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:  # who waited was told to come again, and nobody will name what is written
            done.add_done_callback(self._take_back)
            raise
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise IngestDiskFullError(
                    f"{self._folder} has no room for the request", next_step="make room on its disk"
                ) from error
            raise IngestDiskAwayError(
                f"the request cannot be written: {error}",
                next_step="see what `flyball doctor` says of the data directory",
            ) from error

    def _take_back(self, done: "asyncio.Future[Any]") -> None:
        if not done.cancelled() and not done.exception():
            self._disk.submit(bodies.remove, self._folder, {place.file for place in done.result() or ()})


def _row(batch: NewBatch, place: bodies.Place | None) -> tuple[Any, ...]:
    """What the statement takes: of a body in a file, its place."""
    *known, body, _ = batch
    return (*known, body, "", 0) if place is None else (*known, b"", *place)


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 -- a coroutine runs in one
    return task


def _now() -> float:
    return asyncio.get_running_loop().time()


def _unanswered() -> IngestUnansweredError:
    return IngestUnansweredError(
        f"neither PostgreSQL nor the disk has said within {PATIENCE_SECONDS:.0f} seconds whether the request is kept",
        next_step="send the same request again: it is kept once",
    )


def _answer(together: Sequence[tuple[NewBatch, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, written in together:
        if written.done():  # whoever waited has left
            continue
        if error is None:
            written.set_result(None)
        else:
            written.set_exception(error)
