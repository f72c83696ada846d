"""News: heard when it commits, and a lost connection is noticed."""

import asyncio

import pytest

from flyball.infra.db.database import execute
from flyball.infra.events.channels import INBOX, RUNS, notify
from flyball.infra.events.listen import RECONNECTED, listen


@pytest.fixture
async def news(database_url):
    heard = listen(database_url, RUNS, INBOX)
    assert await anext(heard) == (RECONNECTED, "")
    yield heard
    await heard.aclose()


async def test_news_is_heard_when_its_transaction_commits(database, news):
    async with database.transaction() as connection:
        await notify(connection, RUNS, "run_1")
        waiting = asyncio.ensure_future(anext(news))
        await asyncio.sleep(0.05)
        assert not waiting.done()

    assert await asyncio.wait_for(waiting, 2) == (RUNS, "run_1")


async def test_news_of_a_transaction_that_rolls_back_is_never_heard(database, news):
    async with database.connection() as connection, connection.transaction(force_rollback=True):
        await notify(connection, RUNS, "run_1")
    async with database.transaction() as connection:
        await notify(connection, INBOX, "after")

    assert await asyncio.wait_for(anext(news), 2) == (INBOX, "after")


async def test_a_lost_connection_is_made_again_and_said(database, news):
    async with database.owner_connection() as connection:
        await execute(
            connection, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'flyball listen' "
            "and datname = current_database()"
        )  # fmt: skip

    assert await asyncio.wait_for(anext(news), 5) == (RECONNECTED, "")
    async with database.transaction() as connection:
        await notify(connection, RUNS, "again")
    assert await asyncio.wait_for(anext(news), 2) == (RUNS, "again")
