"""Opening the spool of a process, and keeping it drained while the process lives. Knows names of spools; knows no record."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flyball.kit.layout import Layout

from .drain import Drain
from .errors import SpoolInUseError
from .spool import Spool

_MOST_WORKERS = 64
_logger = logging.getLogger(__name__)


def take_spool(layout: Layout, kind: str, capacity: int, *, adopts: bool = True) -> Spool:
    """The spool of the first name that no other worker bears: what a killed one left is found again."""
    for number in range(1, _MOST_WORKERS):
        try:
            return Spool(layout.spool, f"{kind}-{number}", capacity=capacity, adopts=adopts)
        except SpoolInUseError:
            continue
    raise SpoolInUseError(
        f"{_MOST_WORKERS} workers with a spool of {kind!r} run on {layout.root}", next_step="run fewer workers"
    )


@asynccontextmanager
async def drained(drain: Drain) -> AsyncIterator[None]:
    """The spool is emptied inside the block, and once more at its end."""
    running = asyncio.create_task(_keep_draining(drain))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not await drain.finish():
            _logger.warning("some records wait in the spool; the next start delivers them")


async def _keep_draining(drain: Drain) -> None:
    while True:
        try:
            await drain.run()
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            _logger.exception("emptying the spool failed and begins again")
            await asyncio.sleep(1)
