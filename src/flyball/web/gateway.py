"""A gateway worker: the raw ASGI application on the public port's socket, which the supervisor has bound and hands down.

Light on purpose: no framework, no tables, no index; a house test watches what it imports.
"""

import argparse
import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import uvloop

from flyball.gateway.admit import Gate
from flyball.gateway.app import GatewayApp
from flyball.gateway.current import CurrentSnapshot
from flyball.gateway.exchange import NO_LINGER, Linger
from flyball.gateway.house import House
from flyball.gateway.read import Limits
from flyball.infra.db.database import Database
from flyball.infra.egress.client import Egress
from flyball.infra.processes.companion import companion
from flyball.infra.processes.handshake import say_ready, wait_to_begin
from flyball.infra.processes.reporting import report
from flyball.infra.processes.vitals import told
from flyball.infra.secrets.keyring import Keyring
from flyball.infra.sockets.guarded import Allowance
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.infra.sockets.serving import Server
from flyball.infra.spool.drain import Drain, dropped_words
from flyball.infra.spool.opening import take_spool
from flyball.infra.spool.spool import Spool
from flyball.kit.addresses import networks_in
from flyball.kit.clock import Clock, SystemClock
from flyball.kit.errors import FlyballError
from flyball.kit.layout import Layout
from flyball.kit.tally import Tally
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.opening import open_till_over
from flyball.ledger.settling import deliver_entries
from flyball.ledger.told import Standings
from flyball.llm.connections import Connections
from flyball.llm.wire import Wire
from flyball.projects.key_refusals import refusals_of
from flyball.projects.key_uses import uses_of
from flyball.projects.noting import written
from flyball.settings import Settings, load_settings
from flyball.traces.spooled import SpooledSpans, deliver_spans

from .courier import SPOOLS, courier_of

_GRACE_SECONDS = 25
_KEPT_SECONDS = 75  # a caller's idle connection
_logger = logging.getLogger("flyball.gateway")


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM or SIGINT; exit code 1 with one line of reason where it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m flyball.web gateway", description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="the listening socket, inherited")
    descriptor = parser.parse_args(arguments).fd
    settings = load_settings()
    report(settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a line per malformed request is for strangers to write
    wait_to_begin()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, socket.socket(fileno=descriptor)))
    except FlyballError as error:
        raise SystemExit(f"gateway: {error}") from None


async def serve(settings: Settings, listening: socket.socket) -> None:
    """Open everything, serve until told to stop, and close in the reverse order: requests, spool, connections."""
    async with open_house(settings, SystemClock()) as house:
        # What is there now stays: the collector need not look at it again, nor at every few hundred objects of a call.
        gc.freeze()
        gc.set_threshold(20_000, 50, 50)
        server = Server(
            GatewayApp(house),
            when_listening=_listens,
            grace_seconds=_GRACE_SECONDS,
            kept_seconds=_KEPT_SECONDS,
            allowance=Allowance(),
            certificate=(settings.tls_certificate, settings.tls_key) if settings.tls_certificate else None,
        )
        await server.serve([listening])


def _listens() -> None:
    _logger.info("gateway listens")
    say_ready()


@asynccontextmanager
async def open_house(settings: Settings, clock: Clock) -> AsyncIterator[House]:
    """The machinery of one worker. Raises DatabaseAwayError where there is nothing yet to serve from."""
    layout = Layout(settings.data_path)
    layout.create()
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url, most=min(2, settings.database_pool), application="flyball gateway")
        stack.push_async_callback(database.close)
        await database.open()
        snapshots = CurrentSnapshot(database, Keyring(settings, layout, clock))
        await snapshots.reload()
        spans, entries = await stack.enter_async_context(_spools(layout, settings, clock, database))
        till = await stack.enter_async_context(open_till_over(entries, settings, clock))
        standings = Standings(PostgresBank(database), clock)
        await stack.enter_async_context(standings.at_work())
        await stack.enter_async_context(snapshots.kept_fresh())
        await stack.enter_async_context(written(uses_of(database), database, clock))
        await stack.enter_async_context(written(refusals_of(database), database, clock))
        connections = Connections(settings.connect_timeout_seconds, guard=Egress.of(settings).numbers)
        wire = Wire(clock, idle_seconds=settings.idle_timeout_seconds, connections=connections)
        await stack.enter_async_context(wire)
        runner, control = HttpOverUnix(layout.socket("runner")), HttpOverUnix(layout.socket("public"))
        stack.callback(runner.close)
        stack.callback(control.close)
        gate, tally = Gate(most_calls=settings.most_calls, most_bytes=settings.most_body_bytes), Tally()
        await stack.enter_async_context(
            told(layout, spans.writer, clock, tally, partial(_look, tally, gate, (spans, entries)))
        )
        yield House(
            clock=clock,
            snapshots=snapshots,
            gate=gate,
            limits=Limits(settings.max_body_bytes, settings.max_json_depth),
            deadline_seconds=settings.request_deadline_seconds,
            keep_alive_seconds=settings.keep_alive_seconds,
            early_keep_alive_seconds=settings.early_keep_alive_seconds,
            first_byte_seconds=settings.first_byte_timeout_seconds,
            first_content_seconds=settings.first_content_timeout_seconds,
            linger=_linger(settings),
            wire=wire,
            runner=runner,
            control=control,
            recorder=SpooledSpans(spans),
            till=till,
            standings=standings,
            proxies=networks_in(settings.trusted_proxies, knob="trusted_proxies"),
            uses=uses_of(database),
            refusals=refusals_of(database),
        )


@asynccontextmanager
async def _spools(
    layout: Layout, settings: Settings, clock: Clock, database: Database
) -> AsyncIterator[tuple[Spool, Spool]]:
    """What this worker records into, spans and entries of the ledger; a process beside it delivers both."""
    with (
        take_spool(layout, "gateway", settings.spool_bytes, adopts=False) as spans,
        take_spool(layout, "ledger", settings.ledger_spool_bytes, adopts=False) as entries,
    ):
        async with companion(courier_of(spans, entries, settings, layout), layout.logs):
            telling = asyncio.create_task(_tell_dropped(spans, entries))
            try:
                yield spans, entries
            finally:
                telling.cancel()
        # The courier may have died or never begun; what cannot be delivered now waits for the next start.
        for spool, deliver in ((spans, deliver_spans), (entries, deliver_entries)):
            if not await Drain(spool, database, clock, deliver).finish(seconds=1):
                _logger.warning("some records of %s wait in the spool; the next start delivers them", spool.writer)


async def _tell_dropped(*spools: Spool) -> None:
    """Say aloud how much was lost, whenever it has become more."""
    told = [0 for _ in spools]
    while True:
        await asyncio.sleep(1)
        for number, spool in enumerate(spools):
            if spool.dropped > told[number]:
                told[number] = spool.dropped
                _logger.error("%s", dropped_words(spool))


def _look(tally: Tally, gate: Gate, spools: Sequence[Spool]) -> None:
    """What this worker tells of itself: numbers that are kept anyhow, read apart from every call."""
    tally.total("calls", gate.admitted)
    tally.total("calls_refused", gate.refused)
    tally.level("calls_in_flight", gate.calls)
    tally.level("body_bytes", gate.bytes)
    for of, spool in zip(SPOOLS, spools, strict=True):
        tally.total("spool_dropped", spool.dropped, of=of)
        tally.level("spool_bytes", spool.waiting_bytes, of=of)
        tally.level("spool_room", spool.capacity, of=of)


def _linger(settings: Settings) -> Linger:
    """What becomes of answers whose caller has left."""
    drains = settings.cancelled_calls == "drain"
    return Linger(max(0, settings.drain_seconds), max(0, settings.drain_bytes)) if drains else NO_LINGER
