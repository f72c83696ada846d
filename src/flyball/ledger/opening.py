"""Opening the till of a process: a spool for its entries, leases from PostgreSQL, and the tasks that deal with both. Light."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from flyball.infra.db.database import Database
from flyball.infra.events.channels import WANTED
from flyball.infra.events.listen import listen
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.opening import drained, take_spool
from flyball.infra.spool.spool import Spool
from flyball.kit.clock import Clock
from flyball.kit.layout import Layout
from flyball.settings import Settings

from .bank_postgres import PostgresBank
from .lender import Lender
from .settling import SpooledEntries, deliver_entries

SETTLING_SECONDS = (
    0.2  # what was leased counts until it has settled, so nothing waits for it: fewer, larger transactions
)


@asynccontextmanager
async def open_till(layout: Layout, settings: Settings, clock: Clock, *, kind: str = "ledger") -> AsyncIterator[Lender]:
    """What keeps promises of budgets and limits and delivers what calls cost, all in this process.

    `kind` names its spool: what a killed process of the kind left is delivered by the next.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_connections(settings))
        spool = take_spool(layout, kind, settings.ledger_spool_bytes)
        stack.callback(spool.close)
        drain = Drain(spool, database, clock, deliver_entries, pause_seconds=SETTLING_SECONDS)
        await stack.enter_async_context(drained(drain))
        yield await stack.enter_async_context(_at_work(database, spool, clock))


@asynccontextmanager
async def open_till_over(spool: Spool, settings: Settings, clock: Clock) -> AsyncIterator[Lender]:
    """What keeps promises, over a spool that somebody else delivers."""
    async with _connections(settings) as database, _at_work(database, spool, clock) as lender:
        yield lender


@asynccontextmanager
async def _connections(settings: Settings) -> AsyncIterator[Database]:
    """Of its own: reading a snapshot never holds a call up."""
    database = Database(settings.database_url, most=min(3, settings.database_pool), application="flyball ledger")
    try:
        await database.open()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _at_work(database: Database, spool: Spool, clock: Clock) -> AsyncIterator[Lender]:
    worker = f"{spool.writer}-{secrets.token_hex(6)}"
    async with Lender(PostgresBank(database), SpooledEntries(spool), clock, worker).at_work() as lender:
        hearing = asyncio.create_task(_hear_recalls(lender, database.url))
        try:
            yield lender
        finally:
            hearing.cancel()


async def _hear_recalls(lender: Lender, database_url: str) -> None:
    """News is a hint: what was missed comes with the next renewal."""
    async for channel, quota in listen(database_url, WANTED):
        if channel == WANTED:
            lender.recall(quota)
