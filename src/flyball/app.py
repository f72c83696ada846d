"""The composition root: opens what a process needs and puts it into one context. Knows every piece of machinery, no noun.

For the processes that need all of it (control, worker, runner). The gateway keeps to the database alone, and does not
import this.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flyball.infra.blobs.store import Blobs
from flyball.infra.context import DEFAULT_PROJECT, Actor, Context
from flyball.infra.db.database import Database
from flyball.infra.db.migrate import missing
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.kit.errors import UnavailableError
from flyball.settings import Settings


class NotMigratedError(UnavailableError):
    """The database lacks tables that this flyball works with."""

    code = "not_migrated"


@asynccontextmanager
async def build_context(settings: Settings, *, process: str) -> AsyncIterator[Context]:
    """The context of a process, named in the audit record as `system:<process>`, open until the end of the block.

    Raises:
        DatabaseAwayError: PostgreSQL cannot be reached.
        NotMigratedError: its migrations are not all applied; `flyball up` applies them before it starts anything.
    """
    layout, clock = Layout(settings.data_path), SystemClock()
    layout.create()
    database = Database(settings.database_url, most=settings.database_pool, application=f"flyball {process}")
    try:
        await database.open()
        await _refuse_unmigrated(database)
        yield Context(
            db=database,
            lake=Lake(settings.lake_url or layout.lake.as_uri(), copies=layout.lake),
            blobs=Blobs(settings.blobs_url or layout.blobs.as_uri()),
            layout=layout,
            clock=clock,
            settings=settings,
            keyring=Keyring(settings, layout, clock),
            project=DEFAULT_PROJECT,
            actor=Actor(id=f"system:{process}", kind="system", name=process),
        )
    finally:
        await database.close()


async def _refuse_unmigrated(database: Database) -> None:
    names = await missing(database)
    if names:
        raise NotMigratedError(
            f"the database lacks {len(names)} migrations, the first is {names[0]}",
            next_step="start flyball with `flyball up`, which applies them",
        )
