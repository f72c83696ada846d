"""The process of the flusher: it alone moves what was acknowledged into the tables, so that nobody who answers waits for it.

Knows how the process lives and ends; how records are moved is `traces.flusher`'s business.
"""

import asyncio
import gc
import logging
import signal

from flyball.app import build_context
from flyball.infra.processes.handshake import say_ready, wait_to_begin
from flyball.infra.processes.vitals import told
from flyball.kit.ending import end
from flyball.settings import Settings
from flyball.traces.flusher import Flusher

from .prices import DeclaredPrices

_PAUSE_SECONDS = 5.0
_YOUNG = 500_000  # objects between two looks for garbage: a batch is hundreds of thousands, none of them in a ring
logger = logging.getLogger(__name__)


def main(settings: Settings) -> None:
    """The process `python -m flyball.worker flusher`: flush until SIGTERM or SIGINT, then what is left."""
    wait_to_begin()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 100)
    asyncio.run(serve(settings))


async def serve(settings: Settings) -> None:
    """Flush until told to stop. Whatever waits then is moved, if that is done soon."""
    stop = asyncio.Event()
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_, stop.set)
    async with (
        build_context(settings, process="flusher") as ctx,
        told(ctx.layout, "flusher", ctx.clock, ctx.tally),
    ):
        prices = DeclaredPrices(ctx)
        await prices.read()
        following = asyncio.create_task(prices.follow())
        flusher = Flusher(ctx, prices.understand)
        running = asyncio.create_task(_keep(flusher))
        say_ready()
        await stop.wait()
        await end(running, following)
        if not await flusher.finish():
            logger.warning("some spans or scores wait in the inbox; the next start moves them into the tables")


async def _keep(flusher: Flusher) -> None:
    while True:
        try:
            await flusher.run()
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            logger.exception("the flusher failed and begins again")
            await asyncio.sleep(_PAUSE_SECONDS)
