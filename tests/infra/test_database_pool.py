"""The pool of connections: what it asks before it lends one, and whose rows and how much time a borrower has."""

import pytest
from psycopg_pool import AsyncConnectionPool

from flyball.infra.db import database as pooled
from flyball.infra.db.database import Database, DatabaseAwayError, fetch_one


@pytest.fixture
async def one_connection(database):
    narrow = Database(database.url, most=1)
    await narrow.open()
    yield narrow
    await narrow.close()


@pytest.fixture
def checks(monkeypatch):
    """How often a server was asked whether a connection still works."""
    asked = []
    check = AsyncConnectionPool.check_connection

    async def counted(connection):
        asked.append(connection)
        await check(connection)

    monkeypatch.setattr(AsyncConnectionPool, "check_connection", counted)
    return asked


async def asks(database, query, *parameters):
    async with database.connection() as connection:
        row = await fetch_one(connection, query, *parameters)
    return next(iter(row.values()))


async def test_a_connection_that_was_used_a_moment_ago_is_lent_without_a_question(one_connection, checks):
    await asks(one_connection, "select 1")
    checks.clear()

    for number in range(20):
        assert await asks(one_connection, "select %s::int", number) == number
    assert not checks


async def test_a_connection_that_was_silent_for_long_is_asked_first(one_connection, checks, monkeypatch):
    await asks(one_connection, "select 1")
    checks.clear()
    monkeypatch.setattr(pooled, "_SILENT_SECONDS", -1)

    assert await asks(one_connection, "select 1") == 1
    assert len(checks) == 1


async def test_a_connection_that_the_server_ended_is_replaced_before_anybody_uses_it(database, one_connection):
    for _ in range(3):
        backend = await asks(one_connection, "select pg_backend_pid()")
        async with database.owner_connection() as connection:
            await fetch_one(connection, "select pg_terminate_backend(%s, 5000)", backend)

        assert await asks(one_connection, "select pg_backend_pid()") != backend


async def test_a_statement_that_may_take_so_long_is_given_up_and_the_next_borrower_has_its_own_time(one_connection):
    hurried = one_connection.answering_within(0.05)
    configured = await asks(one_connection, "show statement_timeout")

    with pytest.raises(DatabaseAwayError):
        await asks(hurried, "select pg_sleep(10)")

    assert await asks(hurried, "show statement_timeout") == "50ms"
    assert await asks(one_connection, "show statement_timeout") == configured
    assert await asks(hurried, "select 1") == 1


async def test_whose_rows_and_how_long_are_bound_each_for_itself(one_connection):
    of = "select current_setting('flyball.project') || ' ' || current_setting('statement_timeout')"

    assert await asks(one_connection.bound_to("a").answering_within(1), of) == "a 1s"
    assert await asks(one_connection.answering_within(2), of) == "* 2s"
    assert (await asks(one_connection.bound_to("b"), of)).startswith("b ")
