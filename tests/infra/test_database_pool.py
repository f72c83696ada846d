"""The pool of connections: what it asks before it lends one, and whose rows and how much time a borrower has."""

import asyncio
import random

import pytest
from psycopg_pool import AsyncConnectionPool

from flyball.infra.db import database as pooled
from flyball.infra.db.database import Database, DatabaseAwayError, execute, fetch_one


@pytest.fixture
async def narrow(database):
    """A pool of one connection that nobody opened yet."""
    narrow = Database(database.url, most=1)
    yield narrow
    await narrow.close()


@pytest.fixture
async def one_connection(narrow):
    await narrow.open()
    return narrow


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


async def test_a_statement_that_may_take_so_long_is_given_up_and_the_next_borrower_has_the_time_that_is_configured(
    database, narrow
):
    async with database.owner_connection() as connection:
        name = (await fetch_one(connection, "select current_database() as name"))["name"]
        await execute(connection, f"alter database {name} set statement_timeout = '7s'")
    await narrow.open()
    hurried = narrow.answering_within(0.05)

    with pytest.raises(DatabaseAwayError):
        await asks(hurried, "select pg_sleep(10)")

    assert await asks(hurried, "show statement_timeout") == "50ms"
    assert await asks(narrow, "show statement_timeout") == "7s"
    assert await asks(hurried, "select 1") == 1


async def test_whose_rows_and_how_long_are_bound_each_for_itself(one_connection):
    of = "select current_setting('flyball.project') || ' ' || current_setting('statement_timeout')"

    assert await asks(one_connection.bound_to("a").answering_within(1), of) == "a 1s"
    assert await asks(one_connection.answering_within(2), of) == "* 2s"
    assert (await asks(one_connection.bound_to("b"), of)).startswith("b ")


async def test_how_long_and_whose_rows_are_kept_whichever_is_said_first(one_connection):
    of = "select current_setting('flyball.project') || ' ' || current_setting('statement_timeout')"
    hurried = one_connection.answering_within(1)

    assert await asks(hurried.bound_to("a"), of) == "a 1s"
    assert await asks(one_connection.bound_to("a").answering_within(1).bound_to("b"), of) == "b 1s"
    assert await asks(one_connection.bound_to("a").answering_within(1).across_projects(), of) == "* 1s"
    assert await asks(hurried.answering_within(2), of) == "* 2s"
    assert hurried.bound_to("a").across_projects() is hurried
    assert one_connection.bound_to("a").across_projects() is one_connection


async def piped(database, query, *, at_once=False):
    async with database.connection() as connection:
        if at_once:
            asyncio.current_task().cancel()
        async with connection.pipeline(), connection.transaction():
            await fetch_one(connection, query)


async def cancelled(database, query, *, seconds):
    """Ask in a pipeline, and be cancelled after so long; after none: just as it begins."""
    writing = asyncio.create_task(piped(database, query, at_once=not seconds))
    await asyncio.wait([writing], timeout=seconds or None)
    writing.cancel()
    await asyncio.wait([writing])
    assert writing.cancelled()


async def test_whoever_borrows_after_a_pipeline_was_cancelled_sees_its_own_rows_alone(one_connection):
    of = "select current_setting('flyball.project')"
    await cancelled(one_connection.bound_to("another"), "select 1", seconds=0)
    assert await asks(one_connection.bound_to("a"), of) == "a"
    await cancelled(one_connection.bound_to("a"), "select pg_sleep(60)", seconds=0.1)

    assert await asks(one_connection.bound_to("a"), of) == "a"


@pytest.mark.parametrize("seed", range(2))
async def test_no_connection_comes_back_in_a_pipeline_whenever_its_borrower_was_cancelled(one_connection, seed):
    chance = random.Random(seed)
    left = 0
    for _ in range(150):
        query = f"select pg_sleep({chance.random() * 0.003})"
        writing = asyncio.create_task(piped(one_connection, query))
        await asyncio.sleep(chance.random() * 0.006)
        writing.cancel()
        await asyncio.wait([writing])
        async with one_connection.connection() as connection:
            left += connection.pgconn.pipeline_status

    assert left == 0


async def owned(database):
    async with database.owner_connection() as connection:
        await fetch_one(connection, "select pg_sleep(0.001)")


@pytest.mark.parametrize("seed", range(2))
async def test_no_connection_comes_back_with_all_rights_whenever_its_owner_was_cancelled(one_connection, seed):
    chance = random.Random(seed)
    users = {await asks(one_connection, "select current_user")}
    for _ in range(100):
        owning = asyncio.create_task(owned(one_connection))
        await asyncio.sleep(chance.random() * 0.004)
        owning.cancel()
        await asyncio.wait([owning])
        users.add(await asks(one_connection, "select current_user"))

    assert users == {"flyball_app"}


async def test_no_connection_comes_back_with_all_rights_where_they_could_not_be_given_up(one_connection, monkeypatch):
    with monkeypatch.context() as slow:
        slow.setattr(pooled, "_GUARDED_ROLE", "select pg_sleep(60)")
        owning = asyncio.create_task(owned(one_connection))
        await asyncio.wait([owning], timeout=0.2)
        owning.cancel()
        await asyncio.wait([owning])

    assert await asks(one_connection, "select current_user") == "flyball_app"
