"""A start of flyball from the empty directory to the last process stopped: one order of deeds. Knows no deed's inside."""

import asyncio
import os
import sys
import time
from contextlib import suppress
from functools import partial
from socket import socket

import flyball
from flyball.infra.db.database import Database
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.infra.processes.lock import DataLock, Holder
from flyball.infra.processes.logs import rotate
from flyball.infra.processes.ports import bind, is_loopback, url_of
from flyball.infra.processes.supervisor import Supervisor
from flyball.infra.processes.vitals import told
from flyball.kit.clock import SystemClock
from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.kit.tally import Tally
from flyball.kit.visible import for_terminal
from flyball.settings import Settings
from flyball.surface.console import print_json, wants_json

from .admission import check_somebody_has_a_password, check_word_about_tls
from .children import children
from .greeting import Greeting, greet
from .premises import allow_many_open_files, prepare
from .stopping import StopSignals

_LOOK_AT_POSTGRES = 0.5  # seconds between two looks
_LONGEST_PAUSE = 30.0


def tell(line: str) -> None:
    """A line for the person who started it: on standard output, or on standard error where that is for JSON."""
    stream = sys.stderr if wants_json() else sys.stdout
    try:
        print(for_terminal(line), file=stream, flush=True)  # it may hold a child's last words
    except OSError:  # nobody reads any more, which is no reason to stop serving
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def serve(settings: Settings) -> None:
    """Start, stay until told to stop, stop in order.

    Raises:
        FlyballError: the start failed; everything that had been started is stopped again.
    """
    os.umask(0o077)  # whatever is written from here on, children's files included, is for the owner alone
    layout = Layout(settings.data_path)
    prepare(layout)
    allow_many_open_files()
    lock = DataLock(layout.lock)
    lock.acquire(SystemClock().now_ns())
    try:
        with bind(settings.host, settings.port) as listener:
            check_word_about_tls(settings, beyond_loopback=_beyond_loopback(listener))
            asyncio.run(_Start(settings, layout, lock, listener).run())
    finally:
        lock.release()


def _beyond_loopback(listener: socket) -> bool:
    """By the address that was bound: a name may stand for any."""
    return not is_loopback(str(listener.getsockname()[0]))


class _Start:
    """One start: its supervisor, its database, and when it began."""

    def __init__(self, settings: Settings, layout: Layout, lock: DataLock, listener: socket) -> None:
        self._settings = settings
        self._layout = layout
        self._lock = lock
        self._address = url_of(settings.host, listener, secure=bool(settings.tls_certificate))
        self._beyond_loopback = _beyond_loopback(listener)
        self._began = time.monotonic()
        self._signals = StopSignals()
        self._postgres = (
            None
            if settings.database_url
            else EmbeddedPostgres(layout.postgres, layout.sockets, log=layout.logs / "postgres.log")
        )
        self._database_url = self._postgres.url if self._postgres else settings.database_url
        specs = children(settings, layout, self._database_url, listener.fileno())
        self._supervisor = Supervisor(specs, layout.logs, tell)
        self._starting_postgres: asyncio.Future[str] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._postgres_starts = 1

    async def run(self) -> None:
        tally = Tally()
        async with told(self._layout, "supervisor", SystemClock(), tally, partial(self._look, tally)):
            await self._run()

    async def _run(self) -> None:
        self._signals.listen()
        self._signals.on_hurry(self._supervisor.hurry)
        asked = asyncio.create_task(self._signals.asked.wait())
        starting = asyncio.create_task(self._start())
        try:
            await asyncio.wait({asked, starting}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                keeping = [asyncio.create_task(self._supervisor.keep()), *([self._watch] if self._watch else [])]
                await asyncio.wait({asked, *keeping}, return_when=asyncio.FIRST_COMPLETED)
                for task in keeping:
                    if task.done():
                        task.result()  # they never end by themselves: raise what ended one
            tell("Stopping; a second signal hurries.")
        finally:
            await self._stop(starting)

    def _look(self, tally: Tally) -> None:
        self._supervisor.look(tally)
        if self._postgres is not None:
            tally.level("pid", self._postgres.pid or 0, of="postgres")
            tally.total("starts", self._postgres_starts, of="postgres")

    async def _start(self) -> None:
        tell(f"flyball {flyball.__version__} on {self._layout.root}")
        self._supervisor.launch()  # they import while the database starts, which takes as long
        await self._start_database()
        await self._supervisor.begin()
        if self._postgres is not None:
            self._watch = asyncio.create_task(self._keep_postgres(self._postgres))
        self._lock.tell(Holder(os.getpid(), SystemClock().now_ns(), self._address))
        greeting = await asyncio.to_thread(greet, self._settings, self._layout, self._address)
        self._say_ready(greeting)

    async def _start_database(self) -> None:
        began = time.monotonic()
        if self._postgres is not None:
            rotate(self._layout.logs / "postgres.log")
            self._starting_postgres = asyncio.ensure_future(asyncio.to_thread(self._postgres.start))
            await asyncio.shield(self._starting_postgres)  # cut in the middle, it could not be stopped
        database = Database(self._database_url, most=1, application="flyball up")
        await database.open()
        try:
            applied = await migrate(database)
            if self._beyond_loopback:
                await check_somebody_has_a_password(database, self._settings.host)
        finally:
            await database.close()
        what = f"process {self._postgres.pid}" if self._postgres else "the one of FLYBALL_DATABASE_URL"
        changes = f", {len(applied)} migrations applied" if applied else ""
        tell(f"  {'postgres':<10} ready in {time.monotonic() - began:.1f} s ({what}{changes})")

    async def _keep_postgres(self, postgres: EmbeddedPostgres) -> None:
        pause = 0.1
        while True:
            await asyncio.sleep(_LOOK_AT_POSTGRES)
            if postgres.running:
                continue
            tell(f"  {'postgres':<10} ended; starting it again")
            try:
                await asyncio.to_thread(postgres.start)
            except FlyballError as error:
                tell(f"  {error.message}")
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause = 0.1
                self._postgres_starts += 1
                tell(f"  {'postgres':<10} ready again (process {postgres.pid})")

    def _say_ready(self, greeting: Greeting) -> None:
        seconds = time.monotonic() - self._began
        if greeting.configured:
            tell(f"  {'config':<10} {greeting.configured}")
        tell(f"Ready in {seconds:.1f} s: {self._address}")
        if greeting.sign_in and not wants_json():  # what is below goes to who asked; what is here may go to a log
            tell(f"Sign in, once, within the hour: {greeting.sign_in}")
        tell("Stop with Ctrl-C.")
        if wants_json():
            print_json(
                {
                    "address": self._address,
                    "process": os.getpid(),
                    "seconds": round(seconds, 3),
                    "sign_in": greeting.sign_in,
                }
            )
            sys.stdout.flush()

    async def _stop(self, starting: asyncio.Task[None]) -> None:
        """Children first, wave by wave; the database last, since all of them write what they hold."""
        for task in (starting, self._watch):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, FlyballError):
                    await task
        await self._supervisor.stop()
        if self._starting_postgres is not None:
            with suppress(FlyballError):
                await self._starting_postgres
        if self._postgres is not None and self._postgres.running:
            began = time.monotonic()
            await asyncio.to_thread(self._postgres.stop)
            tell(f"  {'postgres':<10} stopped after {time.monotonic() - began:.1f} s")
