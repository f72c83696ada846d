"""How tests start workers that spend, kill them, and look whether everything adds up."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from flyball.infra.db.database import fetch_all, fetch_one
from flyball.ledger.checking import check

_PROGRAM = Path(__file__).with_name("spending_processes.py")


class Workers:
    """The processes, as a test speaks to them."""

    def __init__(self, process):
        self._process = process
        self.kills = 0

    async def tell(self):
        """What all have done so far: calls, their cost, refusals, faults."""
        return await self._ask("tell")

    async def kill(self, number):
        self.kills += 1
        return await self._ask(f"kill {number}")

    async def end(self):
        return await self._ask("end")

    async def _ask(self, line):
        self._process.stdin.write(f"{line}\n".encode())
        return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def workers(url, folder, *, workers, tasks=4, count=10**9, lease_seconds, call_seconds=0.001):
    command = [
        sys.executable,
        str(_PROGRAM),
        url,
        str(folder),
        str(workers),
        str(tasks),
        str(count),
        str(lease_seconds),
        str(call_seconds),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Workers(process)
    finally:
        process.stdin.close()  # then it kills those that are left
        await process.wait()


async def sums(ctx):
    """How many entries the ledger has, and what they cost."""
    async with ctx.db.connection() as connection:
        row = await fetch_one(
            connection, "select count(*) as calls, coalesce(sum(nano_usd), 0)::bigint as cost from ledger"
        )
    return row["calls"], row["cost"]


async def leases(ctx):
    async with ctx.db.connection() as connection:
        return await fetch_all(connection, "select * from leases")


async def assert_nothing_is_overspent(bank, quotas):
    for name, standing in (await bank.standings([quota.id for quota in quotas])).items():
        assert standing.settled + standing.leased <= standing.limit, (name, standing)


async def assert_it_adds_up(ctx, told, kills):
    """Counters are what the ledger says, and the ledger has all that was kept: at most one call for each kill more."""
    assert (await check(ctx)).ok
    calls, cost = await sums(ctx)
    assert told["faults"] == 0
    assert told["calls"] <= calls <= told["calls"] + kills
    assert told["cost"] <= cost <= told["cost"] + 4 * kills
