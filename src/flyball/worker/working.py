"""The jobs worker: hears of queued runs, starts each once, continues what an earlier worker left unfinished.

Knows how a worker lives and ends; knows no kind of run.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg

from flyball.app import build_context
from flyball.infra.events.channels import RUNS
from flyball.infra.events.listen import listen
from flyball.infra.jobs import Job
from flyball.infra.jobs.engine import JobEngine
from flyball.infra.lake.schema import TableSchema
from flyball.infra.processes.handshake import say_ready
from flyball.infra.processes.vitals import told
from flyball.kit.ending import end
from flyball.kit.errors import UnavailableError
from flyball.runs.ledger import RunLedger
from flyball.settings import Settings

from .retaining import retain
from .upkeep import keep_in_order

_LOCK = 0x666C790001  # one worker per database, for pg_advisory_lock
_POLL_SECONDS = 5.0
_log = logging.getLogger(__name__)


async def work(settings: Settings, jobs: tuple[Job, ...], tables: tuple[TableSchema, ...] = ()) -> None:
    """Work until SIGTERM or SIGINT; then finish the steps that are running and leave the rest to the next start."""
    stop = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    async with (
        build_context(settings, process="worker") as ctx,
        told(ctx.layout, "worker", ctx.clock, ctx.tally),
        _the_only_one(settings.database_url),
    ):
        ledger = RunLedger(ctx)
        engine = JobEngine(ctx, ledger, jobs)
        await engine.open()
        news = asyncio.Event()
        tasks = [
            asyncio.create_task(_hear(settings.database_url, news)),
            asyncio.create_task(_serve(ledger, engine, news)),
            asyncio.create_task(keep_in_order(ctx.lake, tables, ctx.tally, ctx.clock)),
            asyncio.create_task(retain(ctx)),
        ]
        say_ready()
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # it never ends by itself: raise what ended it, and let the supervisor start anew
        finally:
            await end(stopped, *tasks)
            await engine.close()


async def _hear(database_url: str, news: asyncio.Event) -> None:
    async for _ in listen(database_url, RUNS):
        news.set()


async def _serve(ledger: RunLedger, engine: JobEngine, news: asyncio.Event) -> None:
    """Start what is unfinished, whenever there is news and every few seconds besides."""
    started: set[str] = set()
    while True:
        news.clear()
        try:
            unfinished = {run_id for run_id, _ in await ledger.unfinished()}
            for run_id in sorted(unfinished - started):  # ids sort by time
                await engine.start(run_id)
                started.add(run_id)
            started &= unfinished
        except UnavailableError as error:
            _log.warning("looking for runs waits: %s", error)
        # Not wait_for: in Python 3.11 it swallows a cancellation that comes in the moment of the news, and this never ends.
        with suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await news.wait()


@asynccontextmanager
async def _the_only_one(database_url: str) -> AsyncIterator[None]:
    """Wait until no other worker works on this database: two would do the same steps. A killed one is gone at once."""
    held = asyncio.Event()
    holding = asyncio.create_task(_hold_the_lock(database_url, held))
    try:
        await held.wait()
        yield
    finally:
        await end(holding)


async def _hold_the_lock(database_url: str, held: asyncio.Event) -> None:
    """Hold it on a connection of its own, and take it again after PostgreSQL was away."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                database_url, autocommit=True, application_name="flyball worker lock", connect_timeout=10
            ) as connection:
                await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
                held.set()
                while True:
                    await asyncio.sleep(_POLL_SECONDS)
                    await connection.execute("select 1")
        except psycopg.OperationalError as error:
            _log.warning("the worker's lock is lost and taken again: %s", error)
            await asyncio.sleep(1)
