"""What the control process does for the audit record by itself: signing, pruning, sending. Tasks that never end in silence."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from flyball.infra.context import Context
from flyball.kit.ending import end

from .pruning import Pruner, retention_days
from .sealing import Sealer
from .sinks import sinks_of
from .streaming import Streamer

_PAUSE_SECONDS = 5.0

logger = logging.getLogger("flyball.audit")


@contextlib.asynccontextmanager
async def keeping(ctx: Context) -> AsyncIterator[None]:
    """The tasks, running until the end of the block.

    Raises:
        RetentionTooShortError, SinkUnfitError: a setting cannot be followed; the process does not start.
    """
    retention_days(ctx.settings)
    sinks = await sinks_of(ctx.settings, ctx.layout, ctx.clock)
    runs = [Sealer(ctx).run, Pruner(ctx).run, *Streamer(ctx, sinks).runs()]
    tasks = [asyncio.create_task(_keep(run)) for run in runs]
    try:
        yield
    finally:
        await end(*tasks)


async def _keep(run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            logger.exception("a task of the audit record failed and begins again")
            await asyncio.sleep(_PAUSE_SECONDS)
