"""One pool of connections to PostgreSQL per process. Rows are dicts; JSON goes through msgspec; time is UTC."""

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


class Database:
    """A pool, opened once per process."""

    def __init__(self, url: str, *, most: int = 8, application: str = "flyball") -> None:
        self.url = url
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=most,
            open=False,
            timeout=10,
            reconnect_timeout=3,  # then whoever needs a connection tries at once, instead of waiting for a long pause to end
            check=AsyncConnectionPool.check_connection,
            connection_class=psycopg.AsyncConnection[DictRow],
            kwargs={"row_factory": dict_row, "autocommit": True, "application_name": application},
        )

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


def _away(error: Exception) -> DatabaseAwayError:
    """What the caller may repeat: no connection, or PostgreSQL's own "not now" (a full disk, a deadlock, a shutdown)."""
    state = getattr(error, "sqlstate", None) or ""
    reached = state and state[:2] not in {"08", "57"}
    return DatabaseAwayError(
        f"PostgreSQL {'cannot do it now' if reached else 'cannot be reached'} ({error})",
        next_step="run `flyball doctor`, which checks the database and the disk",
    )
