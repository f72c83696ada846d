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
from flyball.kit.clock import Clock
from flyball.kit.layout import Layout
from flyball.settings import Settings

from .bank_postgres import PostgresBank
from .lender import Lender
from .settling import SpooledEntries, deliver_entries

_SETTLING_SECONDS = (
    0.2  # what was leased counts until it has settled, so nothing waits for it: fewer, larger transactions
)


@asynccontextmanager
async def open_till(layout: Layout, settings: Settings, clock: Clock, *, kind: str = "ledger") -> AsyncIterator[Lender]:
    """What keeps promises of budgets and limits, on connections of its own: reading a snapshot never holds a call up.

    `kind` names its spool: what a killed process of the kind left is delivered by the next.
    """
    async with AsyncExitStack() as stack:
        database = Database(settings.database_url, most=min(3, settings.database_pool), application="flyball ledger")
        stack.push_async_callback(database.close)
        await database.open()
        spool = take_spool(layout, kind, settings.ledger_spool_bytes)
        stack.callback(spool.close)
        await stack.enter_async_context(
            drained(Drain(spool, database, clock, deliver_entries, pause_seconds=_SETTLING_SECONDS))
        )
        worker = f"{spool.writer}-{secrets.token_hex(6)}"
        lender = Lender(PostgresBank(database), SpooledEntries(spool), clock, worker)
        await stack.enter_async_context(lender.at_work())
        hearing = asyncio.create_task(_hear_recalls(lender, settings.database_url))
        stack.callback(hearing.cancel)
        yield lender


async def _hear_recalls(lender: Lender, database_url: str) -> None:
    """News is a hint: what was missed comes with the next renewal."""
    async for channel, quota in listen(database_url, WANTED):
        if channel == WANTED:
            lender.recall(quota)
