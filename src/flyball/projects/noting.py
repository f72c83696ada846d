"""Notes that are taken where nothing may be waited for, and written every few seconds, apart: uses of keys, refusals of keys."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import psycopg

from flyball.infra.db.database import Database, DatabaseAwayError
from flyball.kit.clock import Clock
from flyball.kit.ending import end

_PAUSE_SECONDS = 5.0
_LAST_SECONDS = 3.0  # for the last writing, when the process ends

_logger = logging.getLogger(__name__)


class Notes(Protocol):
    """What one process has to write. `about` says for people what it is."""

    about: str

    async def write(self, database: Database, now_ns: int) -> int:
        """Write what was noted; how much. Whatever fails leaves it noted."""
        ...


@asynccontextmanager
async def written(notes: Notes, database: Database, clock: Clock) -> AsyncIterator[None]:
    """Inside the block, notes are written every few seconds, and once more at its end."""
    running = asyncio.create_task(_keep_writing(notes, database, clock))
    try:
        yield
    finally:
        await end(running)
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                await notes.write(database, clock.now_ns())
        except (TimeoutError, DatabaseAwayError, psycopg.Error) as error:
            _logger.warning("some seconds of %s are lost: %s", notes.about, error)


async def _keep_writing(notes: Notes, database: Database, clock: Clock) -> None:
    while True:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            await notes.write(database, clock.now_ns())
        except (DatabaseAwayError, psycopg.Error) as error:
            _logger.warning("%s will be written later: %s", notes.about, error)
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            _logger.exception("%s cannot be written", notes.about)
