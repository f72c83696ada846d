"""The courier: a process beside each gateway worker that brings what it recorded (spans, and what calls cost) to PostgreSQL.

The worker starts it, keeps it alive and stops it. It shares nothing with it but the spools' files, so that a call pays for no
delivery, and may be killed at any moment: how far it came is known to the database alone. Light, as the worker is.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

import uvloop

from flyball.infra.db.database import Database, DatabaseAwayError
from flyball.infra.processes.child import ChildSpec
from flyball.infra.processes.handshake import say_ready, wait_to_begin
from flyball.infra.processes.reporting import report
from flyball.infra.processes.vitals import told as told_vitals
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.following import FollowedSpool
from flyball.infra.spool.opening import drained
from flyball.infra.spool.spool import Spool, spool_name
from flyball.kit.clock import SystemClock
from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.kit.tally import Tally
from flyball.ledger.opening import SETTLING_SECONDS
from flyball.ledger.settling import deliver_entries
from flyball.settings import Settings, load_settings
from flyball.traces.spooled import deliver_spans

SPOOLS = ("spans", "entries")  # how what is told of the two is called
_SPANS_SECONDS = 0.05  # what comes within it shares a transaction
_LOOK_SECONDS = 1.0  # how often it looks whether its worker still lives, where no kernel tells
_logger = logging.getLogger("flyball.courier")


def courier_of(spans: Spool, entries: Spool, settings: Settings, layout: Layout) -> ChildSpec:
    """The courier of a worker with these spools."""
    spools = [f"{spool.writer}/{spool_name(spool.own)}" for spool in (spans, entries)]
    return ChildSpec(
        name=f"courier-of-{spans.writer}",
        command=(sys.executable, "-m", "flyball.web", "courier", "--spans", spools[0], "--entries", spools[1]),
        knobs={
            "FLYBALL_DATA": str(layout.root),
            "FLYBALL_DATABASE_URL": settings.database_url,
            "FLYBALL_LOG_LEVEL": settings.log_level,
        },
        later=True,
    )


def main(arguments: list[str]) -> None:
    """Deliver until SIGTERM, then what is left; exit code 1 with one line of reason where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m flyball.web courier", description=__doc__)
    parser.add_argument("--spans", required=True, metavar="WRITER/FILE", help="the spool of spans to follow")
    parser.add_argument("--entries", required=True, metavar="WRITER/FILE", help="the spool of ledger entries to follow")
    options = parser.parse_args(arguments)
    settings = load_settings()
    report(settings.log_level)
    wait_to_begin()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(deliver(settings, options.spans, options.entries))
    except FlyballError as error:
        raise SystemExit(f"courier: {error}") from None


async def deliver(settings: Settings, spans: str, entries: str) -> None:
    """Follow both spools until told to stop, or until the worker is gone."""
    told = _when_told()
    async with AsyncExitStack() as stack:
        folder = Layout(settings.data_path).spool
        followed = [stack.enter_context(FollowedSpool(folder, *name.split("/"))) for name in (spans, entries)]
        say_ready()
        opening = asyncio.create_task(_opened(settings))
        await asyncio.wait([opening, asyncio.create_task(told.wait())], return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            return  # what is there is delivered by the next
        database = opening.result()
        stack.push_async_callback(database.close)
        clock, tally = SystemClock(), Tally()
        drains = [
            Drain(followed[0], database, clock, deliver_spans, pause_seconds=_SPANS_SECONDS),
            Drain(followed[1], database, clock, deliver_entries, pause_seconds=SETTLING_SECONDS),
        ]
        for drain in drains:
            await stack.enter_async_context(drained(drain))
        role = f"courier-of-{followed[0].writer}"
        await stack.enter_async_context(
            told_vitals(Layout(settings.data_path), role, clock, tally, partial(_look, tally, drains))
        )
        gc.freeze()
        await told.wait()


def _when_told() -> asyncio.Event:
    told = asyncio.Event()
    loop, worker = asyncio.get_running_loop(), os.getppid()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    loop.add_signal_handler(signal.SIGINT, told.set)

    def look() -> None:
        if os.getppid() == worker:
            loop.call_later(_LOOK_SECONDS, look)
        else:
            told.set()

    look()
    return told


async def _opened(settings: Settings) -> Database:
    while True:
        database = Database(settings.database_url, most=min(2, settings.database_pool), application="flyball courier")
        try:
            await database.open()
        except DatabaseAwayError as error:
            _logger.warning("the spools wait: %s", error)
        else:
            return database


def _look(tally: Tally, drains: Sequence[Drain]) -> None:
    for of, drain in zip(SPOOLS, drains, strict=True):
        tally.total("delivered", drain.delivered, of=of)
        tally.total("set_aside", drain.refused, of=of)
