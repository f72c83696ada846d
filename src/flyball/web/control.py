"""The control process: its API and pages on two Unix sockets, with what the audit record, the ledger and notifications do by themselves.

The admin socket carries the authority of the operating-system user who owns the data directory; the public one carries
what the gateway passes on, and every caller there proves who they are.
"""

import asyncio
import gc
import logging

import uvloop

from flyball.app import build_context
from flyball.audit.keeping import keeping as keeping_audit
from flyball.health.watching import watching as watching_health
from flyball.infra.processes.handshake import say_ready, wait_to_begin
from flyball.infra.processes.reporting import report
from flyball.infra.processes.vitals import told
from flyball.kit.errors import FlyballError
from flyball.ledger.keeping import keeping as keeping_ledger
from flyball.notifications.delivering import delivering
from flyball.projects.key_refusals import refusals_of
from flyball.projects.key_uses import uses_of
from flyball.projects.noting import written
from flyball.projects.refusing import record_missing_permission, recording_refused_keys
from flyball.settings import Settings, load_settings
from flyball.surface.http.shield import Shield
from flyball.traces.otlp import grpc_server
from flyball.traces.otlp.gate import watching

from .application import build_application
from .listening import Listening

logger = logging.getLogger("flyball.control")


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
    """Open everything, serve until told to stop, and close in the reverse order: requests, database."""
    async with build_context(settings, process="control") as ctx:
        app = build_application(ctx)
        # What was built stays: to look through it for garbage again and again would hold everybody up for a tenth of a second.
        gc.freeze()
        gc.set_threshold(20_000, 50, 50)
        listening = Listening(
            {
                ctx.layout.socket("admin"): Shield(app, door="admin", settings=settings),
                ctx.layout.socket("public"): Shield(app, door="public", settings=settings),
            }
        )
        ready = asyncio.Event()
        announcing = asyncio.create_task(_announce(ready))
        async with (
            told(ctx.layout, "control", ctx.clock, ctx.tally),
            watching_health(ctx),
            keeping_audit(ctx),
            keeping_ledger(ctx),
            delivering(ctx),
            recording_refused_keys(ctx),
            watching(ctx),
            written(uses_of(ctx.db), ctx.db, ctx.clock),
            written(refusals_of(ctx.db), ctx.db, ctx.clock),
            grpc_server.serving(ctx, app.state.prover_of_telemetry, record_missing_permission),
        ):
            await listening.serve_until_told(ready)
        announcing.cancel()


async def _announce(ready: asyncio.Event) -> None:
    await ready.wait()
    logger.info("control listens")
    say_ready()
