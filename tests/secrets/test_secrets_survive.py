"""SIGKILL in the middle of setting secrets and exchanging keys: every secret still opens, and the audit chain verifies."""

import asyncio
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flyball.audit.verifying import verify
from flyball.infra.db.database import fetch_all
from flyball.infra.secrets.files import master_file
from flyball.infra.secrets.keyring import Keyring
from flyball.secrets import rotation, store

EXCHANGER = Path(__file__).with_name("exchanging.py")


async def until_killed(ctx, begin, chance):
    """Run the exchanger from this number on, and kill it at some moment; what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXCHANGER),
        str(ctx.layout.root),
        ctx.settings.database_url,
        str(begin),
        stdout=asyncio.subprocess.PIPE,
    )
    assert await process.stdout.readline() == b"ready\n"
    await asyncio.sleep(chance.uniform(0, 0.15))
    process.kill()
    said = (await process.stdout.read()).decode().split("\n")
    await process.wait()
    return said


async def values(ctx):
    """What a new process finds, by name."""
    keyring = Keyring(ctx.settings, ctx.layout, ctx.clock)
    async with ctx.db.connection() as connection:
        rows = await store.sealed_of_project(connection, ctx.project)
    return {row.name: (await keyring.safe.open(row)).reveal() for row in rows}


async def kill_again_and_again(ctx, times, seed):
    chance = random.Random(seed)
    number, done, expected = 0, 0, {}
    for _ in range(times):
        said = await until_killed(ctx, number, chance)
        done += len(said)
        begun = [int(line.split()[1]) for line in said if line.startswith("begin ")]
        acknowledged = [int(line.split()[1]) for line in said if line.startswith("set ")]
        for one in acknowledged:
            expected[f"s{one % 3}"] = f"value-number-{one}"
        found = await values(ctx)
        for one in begun:  # the last one may have been committed without a word
            if one not in acknowledged and found.get(f"s{one % 3}") == f"value-number-{one}":
                expected[f"s{one % 3}"] = f"value-number-{one}"
        assert found == expected
        number = max([number - 1, *begun]) + 1
    return done


async def after_all(ctx):
    """One more exchange by a process that lives: nothing is left of the interrupted ones."""
    fresh = replace(ctx, keyring=Keyring(ctx.settings, ctx.layout, ctx.clock))
    before = await values(ctx)
    await rotation.rotate_master(fresh)
    await rotation.rotate_master(fresh)
    await rotation.rotate_data_key(fresh)
    assert await values(ctx) == before
    state = await rotation.master_key_state(fresh)
    assert (state.earlier, state.foreign, state.data_keys) == (0, (), 1)
    assert len(master_file(ctx.layout).read_text().split()) == 1
    async with ctx.db.connection() as connection:
        keys = await fetch_all(connection, "select distinct data_key from secrets where sealed is not null")
    assert len(keys) == 1


async def chain_holds(ctx):
    found = await verify(ctx)
    assert found.ok, found
    assert found.events > 3


async def test_a_kill_at_any_moment_loses_no_secret_and_no_event(ctx):
    assert await kill_again_and_again(ctx, 15, seed=4711) > 40

    await after_all(ctx)
    await chain_holds(ctx)


@pytest.mark.long
@pytest.mark.timeout(3000)
async def test_three_hundred_kills_lose_no_secret_and_no_event(ctx):
    assert await kill_again_and_again(ctx, 300, seed=4712) > 800

    await after_all(ctx)
    await chain_holds(ctx)
