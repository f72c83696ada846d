"""What the ledger's entries do not add up to is found and mended."""

import asyncio
from dataclasses import replace

import pytest
from declaring import declare, make_projects

from flyball.audit import service as audit
from flyball.audit.records import Wanted
from flyball.infra.db.database import execute, fetch_all
from flyball.kit.clock import FixedClock
from flyball.ledger import quota_store
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.checking import check, repair
from flyball.ledger.keeping import fold
from flyball.ledger.records import Drift, Entry, Quota

NOON = 1_780_315_200_000_000_000  # 2026-06-01 12:00 UTC, a Monday
HOUR = 3_600_000_000_000
DAY = NOON - 12 * HOUR
TABLES = (
    "ledger_hours", "ledger_days", "ledger_day_models", "ledger_day_keys", "ledger_tag_hours", "ledger_tag_days", "ledger_day_tags",
)  # fmt: skip


def quota(**differently):
    plain = {"id": "q", "organisation": "default", "project": "default", "unit": "nano_usd", "scope_kind": "project"}
    return Quota(**{**plain, "amount": 1_000, "window": "day", "created_ns": NOON} | differently)


def entry(number, **differently):
    plain = {"id": f"{number:016x}", "organisation": "default", "project": "default", "at_ns": NOON, "nano_usd": 10}
    return Entry(**plain | {"tags": ("a",), "input_tokens": 3, "key_id": "k"} | differently)


def at_noon(ctx):
    return replace(ctx, clock=FixedClock(NOON + 3 * HOUR))


async def settled_in_many_ways(ctx):
    """Quotas of every unit, scope and kind of window, made before, between and after what was used."""
    await make_projects(ctx.db.across_projects(), {"sister": "default"})
    bank = PostgresBank(ctx.db)
    scopes = {
        "project": {}, "organisation": {"project": None}, "key": {"scope": "k"}, "member": {"scope": "m"},
        "function": {"scope": "f"}, "model": {"scope": "o"}, "tag": {"scope": "a"},
    }  # fmt: skip
    windows = ("minute", "hour", "day", "week", "month", "total", "rolling:3600")
    number = 0
    for unit in ("nano_usd", "requests", "tokens", "parallel"):
        for (kind, scope), window in zip(scopes.items(), windows, strict=True):
            number += 1
            await declare(
                ctx.db.across_projects(), quota(id=f"{unit}-{kind}", unit=unit, scope_kind=kind, window=window, **scope)
            )
            dimensions = {"member": "m", "function": "f", "model": "o"} if number % 3 else {"tags": (), "key_id": None}
            project = "sister" if number % 4 == 0 else "default"
            at_ns = NOON + (number % 5 - 2) * HOUR
            await bank.settle([entry(number, project=project, at_ns=at_ns, requests=number % 2, **dimensions)], NOON)
    return number


async def test_what_was_settled_adds_up_whenever_the_quotas_were_made(ctx):
    await settled_in_many_ways(ctx)

    assert await check(at_noon(ctx)) == ((), (), ())
    assert await check(at_noon(ctx).within("sister", ctx.actor)) == ((), (), ())


async def test_a_counter_that_drifted_is_found_and_mended_with_an_event(ctx):
    await settled_in_many_ways(ctx)
    bank, names = PostgresBank(ctx.db), ("nano_usd-organisation", "tokens-function", "requests-tag")
    before = await bank.standings(names, NOON)
    async with ctx.db.owner_connection() as connection:
        await execute(connection, "update counters set settled = settled + 5 where quota = 'nano_usd-organisation'")
        await execute(connection, "delete from counters where quota = 'tokens-function'")
        await execute(
            connection,
            "insert into counters values ('requests-tag', %s, 'default', 'default', 9) "
            "on conflict (quota, window_ns) do update set settled = counters.settled + 9",
            NOON,
        )

    found = await check(at_noon(ctx))
    assert {drift.quota for drift in found.counters} == set(names)
    assert not found.ok
    assert await check(at_noon(ctx)) == found  # looking changes nothing
    assert await repair(at_noon(ctx)) == found
    assert (await check(at_noon(ctx))).ok

    assert await bank.standings(names, NOON) == before
    events = (await audit.list_events(at_noon(ctx), wanted=Wanted(action="ledger.repair"))).items
    assert sorted(event.object_id for event in events) == sorted(drift.quota for drift in found.counters)


async def test_a_drift_says_what_was_counted_and_what_it_is(ctx):
    await declare(ctx.db.across_projects(), quota())
    await PostgresBank(ctx.db).settle([entry(1), entry(2)], NOON)
    async with ctx.db.owner_connection() as connection:
        await execute(connection, "update counters set settled = 7")

    assert (await check(at_noon(ctx))).counters == (Drift("q", DAY, 7, 20),)


async def test_sums_that_drifted_are_derived_again(ctx):
    await settled_in_many_ways(ctx)
    before = [await without_stripes(ctx, name) for name in TABLES]
    async with ctx.db.owner_connection() as connection:
        await execute(connection, "update ledger_hours set nano_usd = nano_usd + 1 where hour_ns = %s", NOON)
        await execute(connection, "delete from ledger_tag_hours where hour_ns = %s", NOON + HOUR)
        await execute(connection, "update ledger_tag_days set requests = requests + 1")

    assert (await check(at_noon(ctx))).hours_ns == (NOON, NOON + HOUR)
    assert (await repair(at_noon(ctx))) == ((), (NOON, NOON + HOUR), (DAY,))
    assert (await repair(at_noon(ctx).within("sister", ctx.actor))).hours_ns == (NOON, NOON + HOUR)
    assert [await without_stripes(ctx, name) for name in TABLES] == before


@pytest.mark.parametrize("table", [name for name in TABLES if "_day" in name])
async def test_a_sum_by_the_day_that_drifted_is_told_and_derived_again(ctx, table):
    await settled_in_many_ways(ctx)
    before = await without_stripes(ctx, table)
    async with ctx.db.owner_connection() as connection:
        await execute(connection, f"update {table} set entries = entries + 1 where project = 'default'")

    assert await check(at_noon(ctx)) == ((), (), (DAY,))
    assert await repair(at_noon(ctx)) == ((), (), (DAY,))
    assert await without_stripes(ctx, table) == before


async def without_stripes(ctx, table):
    """What a table of sums says, whichever connections wrote it."""
    async with ctx.db.across_projects().connection() as connection:
        rows = await fetch_all(connection, f"select * from {table}")
    names = [name for name, value in rows[0].items() if not isinstance(value, int) or name.endswith("_ns")]
    summed = {}
    for row in rows:
        key = tuple(str(row[name]) for name in names)
        sums = [value for name, value in row.items() if name not in (*names, "stripe")]
        summed[key] = [one + more for one, more in zip(summed.get(key, [0] * len(sums)), sums, strict=True)]
    return summed


async def test_stripes_are_brought_together_and_the_sums_stay(ctx):
    await settled_in_many_ways(ctx)
    async with ctx.db.owner_connection() as connection:  # as if other connections had written some of it
        for table in TABLES:
            await execute(connection, f"update {table} set stripe = 1 where stripe <> 1")
    await PostgresBank(ctx.db).settle([entry(number, id=f"late{number}") for number in range(5)], NOON)
    async with ctx.db.owner_connection() as connection:
        for table in TABLES:
            await execute(connection, f"update {table} set stripe = 2 where stripe <> 1")
    before = [await without_stripes(ctx, name) for name in TABLES]

    async with ctx.db.across_projects().connection() as connection:
        await fold(replace(ctx, clock=FixedClock(NOON + 24 * HOUR)), connection)
        striped = [
            name
            for name in TABLES
            if "_day" in name
            if await fetch_all(connection, f"select 1 from {name} where project = %s and stripe <> 0", "default")
        ]

    assert striped == []
    assert [await without_stripes(ctx, name) for name in TABLES] == before
    assert (await check(at_noon(ctx))).ok


async def test_stripes_are_not_brought_together_while_sums_are_derived_again(ctx):
    await settled_in_many_ways(ctx)
    database = ctx.db.across_projects()
    async with database.connection() as connection:
        async with database.transaction() as repairing:
            await quota_store.hold_settling(repairing)
            folding = asyncio.create_task(fold(replace(ctx, clock=FixedClock(NOON + 24 * HOUR)), connection))
            await asyncio.wait([folding], timeout=0.3)
            waits = not folding.done()
        await asyncio.wait_for(folding, 10)

    assert waits


async def test_another_organisations_drift_is_left_alone(ctx):
    await make_projects(ctx.db.across_projects(), {"stranger": "elsewhere"})
    foreign = {"organisation": "elsewhere", "project": None, "scope_kind": "organisation"}
    await declare(ctx.db.across_projects(), quota(id="foreign", **foreign))
    async with ctx.db.owner_connection() as connection:
        await execute(connection, "insert into counters values ('foreign', %s, 'elsewhere', null, 5)", DAY)

    assert (await repair(at_noon(ctx))).ok
    assert not (await check(at_noon(ctx).within("stranger", ctx.actor))).ok


async def test_a_tag_that_cannot_be_kept_as_it_is_counts_for_what_it_is_kept_as(ctx):
    async with ctx.db.across_projects().transaction() as connection:
        await quota_store.insert(connection, quota(scope_kind="tag", scope="a\ufffd"))

    await PostgresBank(ctx.db).settle([entry(1, tags=("a\x00",))], NOON)

    assert await check(at_noon(ctx)) == ((), (), ())
    assert (await PostgresBank(ctx.db).standings(["q"], NOON))["q"].settled == 10
