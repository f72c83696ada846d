"""SIGKILL in the middle of taking, settling and giving back, again and again: the ledger, counters and leases add up after each."""

import asyncio
import random

import pytest
from declaring import declare
from spending import assert_it_adds_up, assert_nothing_is_overspent, leases, workers

from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.checking import check
from flyball.ledger.records import Quota

LEASE_SECONDS = 2.0
_PLAIN = {"organisation": "default", "project": "default", "scope_kind": "project"}
QUOTAS = (
    Quota(id="money", unit="nano_usd", amount=10**9, window="month", **_PLAIN),
    Quota(id="calls", unit="requests", amount=10**9, window="rolling:3600", **{**_PLAIN, "scope_kind": "key", "scope": "k"}),
    Quota(id="organisation", unit="requests", amount=10**9, window="total", **{**_PLAIN, "project": None, "scope_kind": "organisation"}),
    Quota(id="at-once", unit="parallel", amount=40, window="total", **_PLAIN),
)  # fmt: skip


@pytest.mark.timeout(120)
async def test_everything_adds_up_after_each_of_20_kills(ctx, database_url):
    await kill_again_and_again(ctx, database_url, kills=20, seed=0)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(1, 16))
async def test_everything_adds_up_after_each_of_300_kills(ctx, database_url, seed):
    await kill_again_and_again(
        ctx, database_url, kills=20, seed=seed
    )  # a ledger of its own: all of it is checked each time


async def kill_again_and_again(ctx, url, *, kills, seed):
    chance = random.Random(f"20261121 {seed}")
    bank = PostgresBank(ctx.db)
    for quota in QUOTAS:
        await declare(ctx.db.across_projects(), quota)
    # No faster than all of it can be checked again and again.
    async with workers(url, ctx.layout.spool, workers=3, lease_seconds=LEASE_SECONDS, call_seconds=0.05) as busy:
        for number in range(kills):
            before = (await busy.tell())["calls"]
            while (await busy.tell())["calls"] < before + 5:
                await asyncio.sleep(0.01)
            await asyncio.sleep(chance.uniform(0, 0.3))
            await busy.kill(number % 3)
            assert (await check(ctx)).ok, f"after kill {number + 1}"
            await assert_nothing_is_overspent(bank, QUOTAS)
        told = await busy.end()
    await asyncio.sleep(LEASE_SECONDS)

    await assert_it_adds_up(ctx, told, kills)
    assert told["refusals"] == 0
    assert told["calls"] > 20 * kills
    await bank.reap()
    assert await leases(ctx) == []
    standings = await bank.standings([quota.id for quota in QUOTAS])
    assert {name: one.leased for name, one in standings.items()} == dict.fromkeys(standings, 0)
