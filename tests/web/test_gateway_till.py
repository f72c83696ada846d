"""What a gateway worker keeps budgets and limits with, over a real database."""

import asyncio

import pytest
from declaring import declare

from flyball.kit.clock import SystemClock
from flyball.ledger.bank import SECOND
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.opening import open_till
from flyball.ledger.records import Demand, Lease, Quota, Standing, Take


@pytest.mark.timeout(60)
async def test_a_worker_hears_that_another_was_refused_and_gives_back_what_is_idle_at_once(ctx, settings, monkeypatch):
    monkeypatch.setattr("flyball.ledger.lender.RENEW_NS", 3_600 * SECOND)  # so that only the news can tell it
    quota = Quota(
        id="calls", organisation="default", project="default", unit="requests", scope_kind="project", amount=10,
        window="month",
    )  # fmt: skip
    await declare(ctx.db.across_projects(), quota)
    asks = Take(quota.id, 10, 10)
    async with open_till(ctx.layout, settings, SystemClock()) as till:
        till.settle(await till.admit([Demand(quota, 10)]), [])
        bank = PostgresBank(ctx.db)

        first = await bank.take("another", [asks])
        async with asyncio.timeout(30):
            while not isinstance((await bank.take("another", [asks]))[quota.id], Lease):
                await asyncio.sleep(0.02)

    assert isinstance(first[quota.id], Standing)
