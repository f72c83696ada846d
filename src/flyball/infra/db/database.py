"""One pool of connections to PostgreSQL per process. Rows are dicts; JSON goes through msgspec; time is UTC.

A connection sees the rows of one project, or of all: row-level security asks the setting `flyball.project`, and where
the server's user would pass it by, connections take a role that does not.
"""

import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import msgspec
import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from flyball.kit.errors import UnavailableError

Connection: TypeAlias = psycopg.AsyncConnection[DictRow]
Row: TypeAlias = dict[str, Any]

set_json_dumps(msgspec.json.encode)
set_json_loads(msgspec.json.decode)


class DatabaseAwayError(UnavailableError):
    """PostgreSQL cannot be reached."""

    code = "database_away"
    retry_after = 5


EVERY_PROJECT = "*"
_GUARDED_ROLE = """
    select set_config('role', 'flyball_app', false) from pg_roles me, pg_roles guarded
    where me.rolname = session_user and (me.rolsuper or me.rolbypassrls) and guarded.rolname = 'flyball_app'
"""  # made by the migrations; until then there is nothing to guard


class _Connection(psycopg.AsyncConnection[DictRow]):
    sees = ""  # whose rows it sees now


class Database:
    """A pool, opened once per process, and whose rows its connections see: every project's, until it is bound to one."""

    def __init__(self, url: str, *, most: int = 8, application: str = "flyball") -> None:
        self.url = url
        self._whole = self
        self._project = EVERY_PROJECT
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=most,
            open=False,
            timeout=10,
            reconnect_timeout=3,  # then whoever needs a connection tries at once, instead of waiting for a long pause to end
            check=AsyncConnectionPool.check_connection,
            configure=_guard,
            connection_class=_Connection,
            kwargs={"row_factory": dict_row, "autocommit": True, "application_name": application},
        )

    def bound_to(self, project: str) -> "Database":
        """The same pool, seeing the rows of one project alone."""
        bound = copy.copy(self._whole)
        bound._project = project  # noqa: SLF001 -- a copy of this very object
        return bound

    def across_projects(self) -> "Database":
        """The pool itself, seeing every project's rows: for machinery, and for credentials whose project is not known yet."""
        return self._whole

    async def open(self) -> None:
        """Open the pool and wait for its first connection; raises DatabaseAwayError after ten seconds."""
        try:
            await self._pool.open(wait=True, timeout=10)
        except PoolTimeout as error:
            raise _away(error) from error

    async def close(self) -> None:
        """Give every connection back."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection in autocommit: each statement is its own transaction. For reading."""
        try:
            async with self._pool.connection() as connection:
                try:
                    await self._bind(connection)
                    yield connection
                except psycopg.Error as error:  # a connection that breaks is told by several kinds of errors
                    if connection.broken:
                        raise _away(error) from error
                    raise
        except psycopg.errors.ProgramLimitExceeded:
            raise  # a value that is too large for an index: the caller's, not the server's
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise _away(error) from error

    @asynccontextmanager
    async def owner_connection(self) -> AsyncIterator[Connection]:
        """A connection with all rights of the server's user, who may change tables. For migrations."""
        async with self._whole.connection() as connection:
            await connection.execute("reset role")
            try:
                yield connection
            finally:
                if not connection.broken:
                    await _guard(connection)

    async def _bind(self, connection: _Connection) -> None:
        if connection.sees != self._project:
            connection.sees = ""
            await connection.execute("select set_config('flyball.project', %s, false)", (self._project,))
            connection.sees = self._project

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside one transaction: commits at the end, rolls back on any exception. For changing."""
        async with self.connection() as connection, connection.transaction():
            yield connection


async def fetch_all(connection: Connection, query: str, *parameters: Any) -> list[Row]:
    """All rows of a query whose placeholders are `%s`."""
    cursor = await connection.execute(query, parameters)
    return await cursor.fetchall()


async def fetch_one(connection: Connection, query: str, *parameters: Any) -> Row | None:
    """The first row of a query, or None."""
    cursor = await connection.execute(query, parameters)
    return await cursor.fetchone()


async def execute(connection: Connection, query: str, *parameters: Any) -> int:
    """Run a statement; how many rows it touched."""
    cursor = await connection.execute(query, parameters)
    return cursor.rowcount


async def _guard(connection: Connection) -> None:
    await connection.execute(_GUARDED_ROLE)


def _away(error: Exception) -> DatabaseAwayError:
    """What the caller may repeat: no connection, or PostgreSQL's own "not now" (a full disk, a deadlock, a shutdown)."""
    state = getattr(error, "sqlstate", None) or ""
    reached = state and state[:2] not in {"08", "57"}
    return DatabaseAwayError(
        f"PostgreSQL {'cannot do it now' if reached else 'cannot be reached'} ({error})",
        next_step="run `flyball doctor`, which checks the database and the disk",
    )
