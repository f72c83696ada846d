"""Whether there is room for more: what waits to be stored and how full the disk is, looked at once a second, never per request.

Between two looks what was let in since is counted on top. Knows figures and bounds; knows no request's content.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from psycopg import Error as PsycopgError

from flyball.infra.context import Context
from flyball.infra.db.database import Database
from flyball.kit.ending import end
from flyball.kit.errors import FlyballError, UnavailableError
from flyball.settings import Settings
from flyball.traces.pressure import Pressure, look

from .errors import IngestBehindError, IngestDiskFullError

EVERY_SECONDS = 1.0
# How many requests may be large in memory at once; the others wait for their turn.
_MOST_UNPACKING = 4  # bodies that unpack to more than they are
_MOST_DECODING = 2  # bodies of more than a megabyte, of which one of JSON takes ten times its bytes
_MOST_READING = 32  # messages of gRPC, whose size nobody knows before
_GATES: "WeakKeyDictionary[Database, Gate]" = WeakKeyDictionary()
_logger = logging.getLogger(__name__)


def gate_of(ctx: Context) -> "Gate":
    """The gate of this process; open until somebody has looked."""
    database = ctx.db.across_projects()
    gate = _GATES.get(database)
    if gate is None:
        gate = _GATES[database] = Gate(ctx.settings)
    return gate


@asynccontextmanager
async def watching(ctx: Context) -> AsyncIterator[None]:
    """Look every second, for as long as the block lasts."""
    gate = gate_of(ctx)
    await _look(ctx, gate)
    task = asyncio.create_task(_keep_looking(ctx, gate))
    try:
        yield
    finally:
        await end(task)


async def _keep_looking(ctx: Context, gate: "Gate") -> None:
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await _look(ctx, gate)


async def _look(ctx: Context, gate: "Gate") -> None:
    before = gate.let_in
    ctx.tally.total("turned_away", gate.turned_away)
    try:
        async with ctx.db.across_projects().connection() as connection:
            gate.told(await look(connection, ctx.settings, now_ns=ctx.clock.now_ns()), before)
    except (FlyballError, PsycopgError, OSError) as error:  # a request finds out by itself
        _logger.warning("what waits to be stored could not be counted: %s", error)


class Gate:
    """The newest figures, what was let in since, and whose turn it is among the large ones."""

    def __init__(self, settings: Settings) -> None:
        self.let_in = 0  # bytes, since the start
        self.unpacking = asyncio.Semaphore(_MOST_UNPACKING)
        self.decoding = asyncio.Semaphore(_MOST_DECODING)
        self.reading = asyncio.Semaphore(_MOST_READING)
        self.turned_away = 0  # requests, likewise
        self._most_bytes = settings.ingest_waiting_bytes
        self._most_seconds = settings.ingest_waiting_seconds
        self._least_free = settings.ingest_disk_free_bytes
        self._pressure: Pressure | None = None
        self._counted = 0  # of what was let in, how much the figures know of

    def told(self, pressure: Pressure, let_in_before: int) -> None:
        """The figures as of now; `let_in_before` is how much had been let in when they were asked for."""
        self._pressure, self._counted = pressure, let_in_before

    def let(self, size: int) -> None:
        """Let a request of this size, unpacked, in.

        Raises:
            IngestDiskFullError: the disk is nearly full.
            IngestBehindError: too much waits, or waits for too long.
        """
        self.check()
        self.let_in += size

    def check(self) -> None:
        """Whether anything is let in at all. Raises as `let` does."""
        now = self._pressure
        if now is not None:
            try:
                self._check(now)
            except UnavailableError:
                self.turned_away += 1
                raise

    def _check(self, now: Pressure) -> None:
        since = self.let_in - self._counted
        if now.disk_free - since < self._least_free:
            raise IngestDiskFullError(
                f"the disk has {now.disk_free:,} bytes left, and {self._least_free:,} are kept free",
                next_step="make room, or lower FLYBALL_INGEST_DISK_FREE_BYTES",
            )
        if now.bytes + since > self._most_bytes:
            raise IngestBehindError(
                f"{now.bytes + since:,} bytes wait to be stored, and {self._most_bytes:,} may",
                next_step="send it again when Retry-After says; `flyball doctor` says what holds the flusher up",
            )
        if 0 < self._most_seconds < now.lag_ns / 1e9:
            raise IngestBehindError(
                f"what arrived {now.lag_ns // 1_000_000_000} seconds ago still waits to be stored",
                next_step="send it again when Retry-After says; `flyball doctor` says what holds the flusher up",
            )
