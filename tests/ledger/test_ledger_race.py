"""Many processes reserve at once, and some are killed: nothing is overspent, nobody is refused falsely, no lease is left.

The amounts leave room for what killed workers hold until it expires; a counter that leaked would run out of it. Of a quota that is
too small for everybody, in the end exactly all is spent.
"""

import asyncio
import random

import pytest
from declaring import declare
from spending import assert_it_adds_up, assert_nothing_is_overspent, leases, sums, workers

from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.records import Lease, Quota, Standing, Take

_PLAIN = {"organisation": "default", "project": "default", "scope_kind": "project", "window": "month"}


@pytest.mark.timeout(60)
async def test_8_processes_reserve_300_times_each_and_4_are_killed(ctx, database_url):
    await race(ctx, database_url, processes=8, count=300, kills=4, lease_seconds=2)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_64_processes_reserve_10_000_times_each_and_one_in_a_hundred_is_killed_ten_times(ctx, database_url):
    await race(ctx, database_url, processes=64, count=10_000, kills=10, lease_seconds=10)


@pytest.mark.timeout(60)
async def test_a_quota_too_small_for_everybody_is_spent_to_the_last_and_no_further(ctx, database_url):
    await exhaust(ctx, database_url, processes=6, amount=1_000, kills=3, lease_seconds=2)


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_a_large_quota_too_small_for_everybody_is_spent_to_the_last_and_no_further(ctx, database_url):
    await exhaust(ctx, database_url, processes=32, amount=200_000, kills=30, lease_seconds=10)


async def race(ctx, url, *, processes, count, kills, lease_seconds):
    total = processes * count
    held = max(
        total // 5, kills * count
    )  # by the killed, until it expires: at most what one does in all, where that is a second's work
    quotas = (
        Quota(id="money", unit="nano_usd", amount=4 * total, **_PLAIN),  # half of it is reserved and not used
        Quota(id="calls", unit="requests", amount=total + held, **_PLAIN),
    )
    for quota in quotas:
        await declare(ctx.db.across_projects(), quota)
    bank = PostgresBank(ctx.db)
    async with workers(url, ctx.layout.spool, workers=processes, count=count, lease_seconds=lease_seconds) as racing:
        await kill_some(racing, bank, quotas, kills=kills, calls=total)
        while (told := await racing.tell())["calls"] < total:
            assert told["faults"] == 0
            await assert_nothing_is_overspent(bank, quotas)
            await asyncio.sleep(0.05)
        told = await racing.end()
    await asyncio.sleep(lease_seconds)

    assert told["refusals"] == 0
    assert total <= told["calls"] < total + 4 * processes
    await assert_it_adds_up(ctx, told, kills)
    await assert_all_the_rest_is_free(ctx, bank, quotas)


async def exhaust(ctx, url, *, processes, amount, kills, lease_seconds):
    quotas = (Quota(id="calls", unit="requests", amount=amount, **_PLAIN),)
    await declare(ctx.db.across_projects(), quotas[0])
    bank = PostgresBank(ctx.db)
    async with workers(url, ctx.layout.spool, workers=processes, lease_seconds=lease_seconds) as racing:
        await kill_some(racing, bank, quotas, kills=kills, calls=amount)
        while (await sums(ctx))[0] < amount:  # what the killed held is spent by the others, after its lease
            await assert_nothing_is_overspent(bank, quotas)
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        told = await racing.end()

    assert told["refusals"] > 0
    await assert_it_adds_up(ctx, told, kills)
    assert (await sums(ctx))[0] == amount
    await asyncio.sleep(lease_seconds)
    await assert_all_the_rest_is_free(ctx, bank, quotas)


async def kill_some(racing, bank, quotas, *, kills, calls):
    """Kill random workers, spread over the first half of what they do."""
    chance = random.Random(20261121)
    for number in range(kills):
        while (await racing.tell())["calls"] < calls * (number + 1) // (2 * kills + 2):
            await assert_nothing_is_overspent(bank, quotas)
            await asyncio.sleep(0.01)
        await racing.kill(chance.randrange(4))


async def assert_all_the_rest_is_free(ctx, bank, quotas):
    """No lease is left, and what is not spent can be taken, to the last and no more."""
    await bank.reap()
    assert await leases(ctx) == []
    for name, standing in (await bank.standings([quota.id for quota in quotas])).items():
        assert standing.leased == 0
        if standing.free:
            assert isinstance((await bank.take("last", [Take(name, standing.free, standing.free)]))[name], Lease)
        assert isinstance((await bank.take("last", [Take(name, 1, 1)]))[name], Standing)
