"""Every project's stored secrets in a process that asks no SQL for its calls: read at start, and again with the news.

While PostgreSQL is away what was read last stays in force.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

import psycopg

from flyball.infra.db.database import Database, DatabaseAwayError
from flyball.infra.events import SNAPSHOT
from flyball.infra.events.listen import listen
from flyball.infra.secrets.keyring import Keyring
from flyball.infra.secrets.references import Found, LookUp, Missing
from flyball.kit.ending import end

from . import store

_LOOK_SECONDS = 10.0
_FIRST_SECONDS = 5.0

_logger = logging.getLogger(__name__)


class FollowedSecrets:
    """Looks references up, for all projects."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._stored: Mapping[tuple[str, str], Found | Missing] = {}
        self._read = asyncio.Event()
        self._news = asyncio.Event()

    async def look_up(self, project: str, texts: Collection[str]) -> LookUp:
        """What references stand for in a project. Only before the first reading it is waited for, a little."""
        if any(text.startswith("secret:") for text in texts):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FIRST_SECONDS):
                    await self._read.wait()
        stored = {name: found for (of, name), found in self._stored.items() if of == project}
        return await self._keyring.look_up(texts, stored=stored)

    async def read(self) -> None:
        """Read them anew. Raises DatabaseAwayError; what was read before stays then."""
        async with self._database.connection() as connection:
            rows = await store.sealed_of_all(connection)
        self._stored = await self._keyring.safe.open_all(rows)
        self._read.set()

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Follow the news inside the block."""
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._follow())]
        try:
            yield
        finally:
            await end(*tasks)

    async def _hear(self) -> None:
        async for _ in listen(self._database.url, SNAPSHOT):
            self._news.set()

    async def _follow(self) -> None:
        while True:
            self._news.clear()
            try:
                await self.read()
            except (DatabaseAwayError, psycopg.Error) as error:
                _logger.warning("the secrets of before stay in force: %s", error)
            except Exception:  # -- the door of a task that nobody awaits: what was read before stays in force
                _logger.exception("the secrets cannot be read; those of before stay in force")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._news.wait()
