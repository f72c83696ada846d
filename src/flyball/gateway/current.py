"""The snapshot in force: read at start, replaced as a whole when PostgreSQL says that something changed.

News is a hint, so it looks without any as well: at keys twice a second, because a revocation counts within a second,
whatever becomes of the news of it and however long the rest takes to read; at the rest every few seconds. While
PostgreSQL is away the last one stays in force.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import psycopg

from flyball.infra.db.database import Database, DatabaseAwayError
from flyball.infra.events import SNAPSHOT
from flyball.infra.events.listen import RECONNECTED, listen
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.ending import end

from .errors import NotReadyError
from .load import load_projects
from .load_keys import KnownKeys, load_keys, newer_keys
from .snapshot import Snapshot

_LOOK_SECONDS = 10.0
_LOOK_AT_KEYS_SECONDS = 0.4
_PATIENCE_SECONDS = 30.0  # with a connection on which nothing comes any more
_RETRY_SECONDS = 0.2

_logger = logging.getLogger(__name__)


class CurrentSnapshot:
    """Holds the newest snapshot of this process."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database.across_projects()
        self._keyring = keyring
        self._snapshot: Snapshot | None = None
        self._keys: KnownKeys | None = None
        self._reading_keys = asyncio.Lock()
        self._news = asyncio.Event()
        self._news_of_keys = asyncio.Event()

    def in_force(self) -> Snapshot:
        """The newest one. Raises NotReadyError before the first."""
        if self._snapshot is None:
            raise NotReadyError
        return self._snapshot

    async def reload(self) -> None:
        """Read a new one. Raises DatabaseAwayError; the old one stays then."""
        await self.look_at_keys()
        projects = await load_projects(self._database, self._keyring)
        assert self._keys is not None  # noqa: S101 -- read above
        epoch = self._snapshot.epoch + 1 if self._snapshot else 1
        self._snapshot = Snapshot(epoch=epoch, keys=self._keys.keys, projects=projects)

    async def look_at_keys(self) -> None:
        """Put changed keys into force, and nothing else. Raises DatabaseAwayError."""
        async with self._reading_keys:
            before = self._keys
            self._keys = await newer_keys(self._database, before) if before else await load_keys(self._database)
            now = self._snapshot
            if now is not None and now.keys is not self._keys.keys:
                self._snapshot = msgspec.structs.replace(now, epoch=now.epoch + 1, keys=self._keys.keys)

    async def _look_at_all_keys(self) -> None:
        async with self._reading_keys:
            self._keys = None
        await self.look_at_keys()

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Follow the news inside the block."""
        self._keyring.when_changed = self._news.set
        tasks = [
            asyncio.create_task(self._hear()),
            asyncio.create_task(_follow(self._news, self.reload, _LOOK_SECONDS)),
            asyncio.create_task(_follow(self._news_of_keys, self.look_at_keys, _LOOK_AT_KEYS_SECONDS)),
        ]
        try:
            yield
        finally:
            await end(*tasks)

    async def _hear(self) -> None:
        connected = False
        async for channel, _ in listen(self._database.url, SNAPSHOT):
            if channel == RECONNECTED and connected:
                # Who answers may be another server, or an older state of it, which counts its transactions otherwise.
                with contextlib.suppress(DatabaseAwayError, psycopg.Error):
                    await self._look_at_all_keys()
            connected = True
            self._news_of_keys.set()
            self._news.set()


async def _follow(news: asyncio.Event, look: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Look when there is news, and every so many seconds without."""
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await news.wait()
        news.clear()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await look()
        except (DatabaseAwayError, psycopg.Error, TimeoutError) as error:
            _logger.warning("the snapshot of before stays in force: %s", str(error) or "PostgreSQL does not answer")
            news.set()
            await asyncio.sleep(_RETRY_SECONDS)
        except Exception:  # -- the door of a task that nobody awaits: the snapshot of before stays in force
            _logger.exception("the new snapshot cannot be read; the one of before stays in force")
