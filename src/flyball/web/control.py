"""The control process: its API and pages on two Unix sockets, with the flusher and what the audit record, the ledger and notifications do by themselves.

The admin socket carries the authority of the operating-system user who owns the data directory; the public one carries
what the gateway passes on, and every caller there proves who they are.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import uvloop

from flyball.app import build_context
from flyball.audit.keeping import keeping as keeping_audit
from flyball.infra.context import Context
from flyball.infra.processes.handshake import say_ready, wait_to_begin
from flyball.infra.processes.reporting import report
from flyball.kit.errors import FlyballError
from flyball.ledger.keeping import keeping as keeping_ledger
from flyball.notifications.delivering import delivering
from flyball.projects.key_refusals import refusals_of
from flyball.projects.key_uses import uses_of
from flyball.projects.noting import written
from flyball.projects.refusing import recording_refused_keys
from flyball.settings import Settings, load_settings
from flyball.surface.http.shield import Shield
from flyball.traces.flusher import Flusher

from .application import build_application
from .listening import Listening

logger = logging.getLogger("flyball.control")

_PAUSE_SECONDS = 5.0


def main() -> None:
    """Run until SIGTERM or SIGINT; exit code 1 with one line of reason where it cannot start."""
    settings = load_settings()
    report(settings.log_level)
    wait_to_begin()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except FlyballError as error:
        raise SystemExit(f"control: {error}") from None


async def serve(settings: Settings) -> None:
    """Open everything, serve until told to stop, and close in the reverse order: requests, flusher, database."""
    async with build_context(settings, process="control") as ctx:
        app = build_application(ctx)
        listening = Listening(
            {
                ctx.layout.admin_socket: Shield(app, door="admin", settings=settings),
                ctx.layout.public_socket: Shield(app, door="public", settings=settings),
            }
        )
        ready = asyncio.Event()
        announcing = asyncio.create_task(_announce(ready))
        async with (
            keeping_audit(ctx),
            keeping_ledger(ctx),
            delivering(ctx),
            _flushing(ctx),
            recording_refused_keys(ctx),
            written(uses_of(ctx.db), ctx.db, ctx.clock),
            written(refusals_of(ctx.db), ctx.db, ctx.clock),
        ):
            await listening.serve_until_told(ready)
        announcing.cancel()


async def _announce(ready: asyncio.Event) -> None:
    await ready.wait()
    logger.info("control listens")
    say_ready()


@contextlib.asynccontextmanager
async def _flushing(ctx: Context) -> AsyncIterator[None]:
    flusher = Flusher(ctx)
    running = asyncio.create_task(_keep_flushing(flusher))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not await flusher.finish():
            logger.warning("some spans or scores wait in the inbox; the next start moves them into the tables")


async def _keep_flushing(flusher: Flusher) -> None:
    while True:
        try:
            await flusher.run()
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            logger.exception("the flusher failed and begins again")
            await asyncio.sleep(_PAUSE_SECONDS)
