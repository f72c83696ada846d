"""The snapshot in force: read at start, replaced as a whole when PostgreSQL says that something changed.

While PostgreSQL is away the last one stays in force. News is a hint, so every few seconds it looks without any.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from flyball.infra.db.database import Database, DatabaseAwayError
from flyball.infra.events import SNAPSHOT
from flyball.infra.events.listen import listen

from .errors import NotReadyError
from .load import load_snapshot
from .snapshot import Snapshot

_LOOK_SECONDS = 10.0
_RETRY_SECONDS = 0.2

_logger = logging.getLogger(__name__)


class CurrentSnapshot:
    """Holds the newest snapshot of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshot: Snapshot | None = None
        self._news = asyncio.Event()

    def in_force(self) -> Snapshot:
        """The newest one. Raises NotReadyError before the first."""
        if self._snapshot is None:
            raise NotReadyError
        return self._snapshot

    async def reload(self) -> None:
        """Read a new one. Raises DatabaseAwayError; the old one stays then."""
        epoch = self._snapshot.epoch + 1 if self._snapshot else 1
        self._snapshot = await load_snapshot(self._database, epoch=epoch)

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Follow the news inside the block."""
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._follow())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self) -> None:
        async for _ in listen(self._database.url, SNAPSHOT):
            self._news.set()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._news.wait()
            self._news.clear()
            try:
                await self.reload()
            except (DatabaseAwayError, psycopg.Error) as error:
                _logger.warning("the snapshot of before stays in force: %s", error)
                self._news.set()
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:  # -- the door of a task that nobody awaits: the snapshot of before stays in force
                _logger.exception("the new snapshot cannot be read; the one of before stays in force")
