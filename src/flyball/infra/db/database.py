"""One pool of connections to PostgreSQL per process. Rows are dicts; JSON goes through msgspec; time is UTC.

A connection sees the rows of one project, or of all: row-level security asks the setting `flyball.project`, and where
the server's user would pass it by, connections take a role that does not.
"""

import asyncio
import copy
import select
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
# A timeout of null is the one that the server is configured with.
_BIND = "select set_config('flyball.project', %s, false), set_config('statement_timeout', %s, false)"
_SILENT_SECONDS = 5.0  # a server that ends says so on the connection's socket; one that is cut off says nothing


class _Connection(psycopg.AsyncConnection[DictRow]):
    bound: tuple[str, str | None] | None = None  # whose rows it sees now, and a statement's time in milliseconds
    lent_at = 0.0  # by the loop's time; it worked then


class Database:
    """A pool, opened once per process, and whose rows its connections see: every project's, until it is bound to one."""

    def __init__(self, url: str, *, most: int = 8, application: str = "flyball") -> None:
        self.url = url
        self._whole = self
        self._project = EVERY_PROJECT
        self._milliseconds: str | None = None
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=most,
            open=False,
            timeout=10,
            reconnect_timeout=3,  # then whoever needs a connection tries at once, instead of waiting for a long pause to end
            check=_check,
            configure=_guard,
            connection_class=_Connection,
            kwargs={"row_factory": dict_row, "autocommit": True, "application_name": application},
        )

    def bound_to(self, project: str) -> "Database":
        """The same pool and time, seeing the rows of one project alone."""
        bound = copy.copy(self._whole)
        bound._project = project  # noqa: SLF001 -- a copy of this very object
        return bound

    def across_projects(self) -> "Database":
        """The pool itself, seeing every project's rows: for machinery, and for credentials whose project is not known yet."""
        return self._whole

    def answering_within(self, seconds: float) -> "Database":
        """The same pool and rows, for statements that PostgreSQL gives up when they take longer: DatabaseAwayError, as if it were away."""
        whole = copy.copy(self._whole)
        whole._whole = whole  # noqa: SLF001 -- a copy of this very object
        whole._milliseconds = str(max(1, int(seconds * 1_000)))  # noqa: SLF001 -- the same copy
        return whole if self._project == EVERY_PROJECT else whole.bound_to(self._project)

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
                finally:
                    if connection.pgconn.pipeline_status:
                        # Its end was cancelled. What the next one binds could be rolled back later, so nobody gets it.
                        await connection.close()
        except psycopg.errors.ProgramLimitExceeded:
            raise  # a value that is too large for an index: the caller's, not the server's
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise _away(error) from error

    @asynccontextmanager
    async def owner_connection(self) -> AsyncIterator[Connection]:
        """A connection with all rights of the server's user, who may change tables. For migrations."""
        async with self._whole.connection() as connection:
            try:
                await connection.execute("reset role")
                yield connection
            finally:
                await _give_up_rights(connection)

    async def _bind(self, connection: _Connection) -> None:
        wanted = self._project, self._milliseconds
        if connection.bound != wanted:
            connection.bound = None
            await connection.execute(_BIND, wanted)
            connection.bound = wanted

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


async def _give_up_rights(connection: Connection) -> None:
    """Guard it as it was, or close it: whoever borrows it next would see every project's rows."""
    try:
        if not connection.broken:
            await _guard(connection)
    except BaseException:  # -- cancelled or failed, nobody gets it
        await connection.close()
        raise


async def _check(connection: _Connection) -> None:
    """Whether a connection of the pool still works; asks the server only where there is a doubt, for a question costs a round trip."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    now = asyncio.get_running_loop().time()
    if poll.poll(0) or now - connection.lent_at > _SILENT_SECONDS:
        await AsyncConnectionPool.check_connection(connection)
    connection.lent_at = now


def _away(error: Exception) -> DatabaseAwayError:
    """What the caller may repeat: no connection, or PostgreSQL's own "not now" (a full disk, a deadlock, a shutdown)."""
    state = getattr(error, "sqlstate", None) or ""
    reached = state and state[:2] not in {"08", "57"}
    return DatabaseAwayError(
        f"PostgreSQL {'cannot do it now' if reached else 'cannot be reached'} ({error})",
        next_step="run `flyball doctor`, which checks the database and the disk",
    )
