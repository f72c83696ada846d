"""The watch: samples the lag every second, looks at everything else every few, and keeps a row a minute.

One per process and database; the control process keeps it going, so that asking for figures costs little and is answered while
PostgreSQL is away. Knows when things are looked at; what is looked at where, its neighbours know.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

import psycopg

from flyball.infra.context import Context
from flyball.infra.db.database import Database, DatabaseAwayError
from flyball.infra.processes.vitals import Vitals, read_vitals
from flyball.kit.clock import NANOSECONDS
from flyball.kit.ending import end
from flyball.kit.errors import FlyballError
from flyball.traces.pressure import room

from . import places, processes, store, tables
from .growth import Growth
from .minutes import Pending
from .objective import MINUTE_NS
from .processes import Usage
from .records import Jobs, Minute, Part, Postgres, Table

KINDS = ("span", "score", "traces", "logs", "metrics")
DAY_NS = 24 * 60 * MINUTE_NS
SLOW_SECONDS = 5.0  # a statement that runs longer is told of

_SAMPLE_SECONDS = 1.0
_LOOK_SECONDS = 5.0
_SURVEY_SECONDS = 60.0
_SURVEY_SHARE = 20  # a survey that took a second is followed by as many seconds of rest
_PATIENCE_SECONDS = 5.0  # for PostgreSQL, until a sample counts as failed
_KEPT_NS = 8 * DAY_NS
_logger = logging.getLogger(__name__)


class Watch:
    """What one process has measured of the server."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._db = ctx.db.across_projects()
        self._pending = Pending()
        self._written: list[Minute] = []
        self._cpu: dict[int, tuple[int, float]] = {}  # by process: when it was looked at, and what it had used
        self._looking = asyncio.Lock()
        self._forgot_ns = 0
        self._remembered_ns = 0
        self.growth = Growth()
        self.oldest: dict[str, int | None] | None = None
        self.waiting: dict[str, dict[str, Any]] | None = None
        self.aside: int | None = None
        self.vitals: tuple[Vitals, ...] = ()
        self.usages: dict[int, Usage] = {}
        self.cpu_percents: dict[int, float] = {}
        self.batches: dict[str, int] = {}
        self.tables: tuple[Table, ...] = ()
        self.parts: tuple[Part, ...] = ()
        self.disk = (0, 0)
        self.jobs: Jobs | None = None
        self.postgres = Postgres(away="nobody has asked it yet")
        self.looked_ns = 0
        self.surveyed_ns = 0

    def minutes(self) -> list[Minute]:
        """The last day, oldest first, with what is not written yet."""
        since_ns = self._ctx.clock.now_ns() - DAY_NS
        return [minute for minute in self._pending.over(self._written) if minute.minute_ns >= since_ns]

    async def sample(self) -> None:
        """Measure the lag, once."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._db.connection() as connection:
                self.oldest = await store.oldest(connection)
        except (TimeoutError, DatabaseAwayError, psycopg.Error):
            self._pending.add(Minute(minute_ns=self._minute(), failed=1))
            return
        now_ns = self._ctx.clock.now_ns()
        worst = max((now_ns - at for at in self.oldest.values() if at is not None), default=0)
        self._pending.add(Minute(minute_ns=self._minute(), samples=1, worst_lag_ns=max(0, worst)))

    async def look(self) -> None:
        """Look at processes, the disk's room and the database, and write what is known of the minute."""
        now_ns = self._ctx.clock.now_ns()
        await asyncio.to_thread(self._look_at_processes, now_ns)
        since = self.growth.look(self.vitals, now_ns)
        await self._look_at_database(now_ns)
        waiting = None if self.waiting is None else list(self.waiting.values())
        self._pending.add(
            Minute(
                minute_ns=self._minute(),
                waiting=None if waiting is None else sum(row["records"] for row in waiting),
                waiting_bytes=None if waiting is None else sum(row["bytes"] for row in waiting),
                acknowledged=_grown(since, "acknowledged") + int(since.get(("delivered", "spans"), 0)),
                refused=_grown(since, "refused"),
                stored=_grown(since, "flushed"),
                flushes=_grown(since, "flushes"),
                flush_ns=_grown(since, "flush_ns"),
                flush_failures=_grown(since, "flush_failures"),
                disk_free=self.disk[0],
                memory=sum(usage.memory for usage in self.usages.values()) or None,
            )
        )
        await self._write(now_ns)
        self.looked_ns = self._ctx.clock.now_ns()

    async def survey(self) -> None:
        """Look at what takes long to look at: the tables' logs, the folders' sizes."""
        self.tables = await asyncio.to_thread(tables.measure, self._ctx.lake)
        self.parts = await asyncio.to_thread(places.parts_of, self._ctx.layout, self._ctx.settings)
        self.surveyed_ns = self._ctx.clock.now_ns()

    async def remember(self) -> None:
        """Know the minutes that were written, also where nobody keeps the watch going. One query, and seldom."""
        now_ns = self._ctx.clock.now_ns()
        if now_ns - max(self.looked_ns, self._remembered_ns) > 2 * _LOOK_SECONDS * NANOSECONDS:
            async with self._db.connection() as connection:
                self._written = await store.minutes_since(connection, now_ns - DAY_NS)
            self._remembered_ns = now_ns

    async def refresh(self) -> None:
        """Look now, unless somebody has lately: where nobody keeps the watch going, whoever asks does."""
        async with self._looking:
            now_ns = self._ctx.clock.now_ns()
            if now_ns - self.looked_ns > 2 * _LOOK_SECONDS * NANOSECONDS:
                await self.sample()
                await self.look()
            if now_ns - self.surveyed_ns > 5 * _SURVEY_SECONDS * NANOSECONDS:
                await self.survey()

    def runs(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """What keeps it going, each for ever."""
        return (
            _every(_SAMPLE_SECONDS, self.sample),
            _every(_LOOK_SECONDS, self.look),
            _every(_SURVEY_SECONDS, self.survey, share=_SURVEY_SHARE),
        )

    def _minute(self) -> int:
        now_ns = self._ctx.clock.now_ns()
        return now_ns - now_ns % MINUTE_NS

    def _look_at_processes(self, now_ns: int) -> None:
        found = read_vitals(self._ctx.layout)
        self.usages = processes.usages_of(found)
        self.vitals = processes.alive(found, self.usages)
        with contextlib.suppress(OSError):
            self.disk = room(self._ctx.settings)
        percents, known = {}, {}
        for pid, usage in self.usages.items():
            before = self._cpu.get(pid)
            known[pid] = (now_ns, usage.cpu_seconds)
            if before is not None and now_ns > before[0]:
                percents[pid] = 100 * (usage.cpu_seconds - before[1]) * NANOSECONDS / (now_ns - before[0])
        self._cpu, self.cpu_percents = known, percents

    async def _look_at_database(self, now_ns: int) -> None:
        began_ns = self._ctx.clock.monotonic_ns()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                async with self._db.connection() as connection:
                    self.batches = await store.batch_numbers(connection)
                    took_ns = self._ctx.clock.monotonic_ns() - began_ns
                    self.waiting = await store.waiting(connection)
                    self.aside = await store.aside(connection)
                    self.jobs = await store.jobs(connection, now_ns - DAY_NS)
                async with self._db.owner_connection() as connection:
                    server = await store.server(connection)
                    slow = await store.slow(connection, SLOW_SECONDS)
        except (TimeoutError, DatabaseAwayError, psycopg.Error) as error:
            reason = error.message if isinstance(error, FlyballError) else str(error) or "no answer within 5 s"
            self.postgres, self.waiting, self.jobs, self.aside = Postgres(away=reason), None, None, None
            return
        self.postgres = Postgres(answered_ns=took_ns, **server, **slow)

    async def _write(self, now_ns: int) -> None:
        taken = self._pending.take()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._db.transaction() as connection:
                for minute in taken:
                    await store.add(connection, minute)
                if now_ns - self._forgot_ns > DAY_NS // 24:
                    await store.forget(connection, now_ns - _KEPT_NS)
                written = await store.minutes_since(connection, now_ns - DAY_NS)
        except BaseException as error:  # -- cancelled or failed, nothing that was measured is lost
            for minute in taken:
                self._pending.add(minute)
            if isinstance(error, TimeoutError | DatabaseAwayError | psycopg.Error):
                return
            raise
        self._forgot_ns = now_ns if now_ns - self._forgot_ns > DAY_NS // 24 else self._forgot_ns
        self._written = written


def _grown(since: dict[tuple[str, str], float], name: str) -> int:
    return int(sum(number for (known, _), number in since.items() if known == name))


async def _every(seconds: float, deed: Callable[[], Awaitable[None]], *, share: int = 0) -> None:
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await deed()
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            _logger.exception("a look at flyball's own health failed")
        took = loop.time() - began
        await asyncio.sleep(max(seconds - took, took * share, 0.05))


_OF_DATABASES: WeakKeyDictionary[Database, Watch] = WeakKeyDictionary()


def watch_of(ctx: Context) -> Watch:
    """The watch over a server; the same for every context that shares its database."""
    database = ctx.db.across_projects()
    if database not in _OF_DATABASES:
        _OF_DATABASES[database] = Watch(ctx)
    return _OF_DATABASES[database]


@asynccontextmanager
async def watching(ctx: Context) -> AsyncIterator[None]:
    """The watch is kept going inside the block."""
    tasks = [asyncio.create_task(run) for run in watch_of(ctx).runs()]
    try:
        yield
    finally:
        await end(*tasks)
