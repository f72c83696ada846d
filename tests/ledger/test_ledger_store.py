"""The ledger in PostgreSQL: append-only, behind the wall between projects, and the same in sums."""

import asyncio
import random

import msgspec
import psycopg
import pytest
from declaring import declare, make_projects

from flyball.infra.db.database import DatabaseAwayError, execute, fetch_all, fetch_one
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.kit.clock import SystemClock
from flyball.ledger import quota_store, store, windows
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.records import Charge, Entry, Lease, Quota, Standing, Take, measured
from flyball.ledger.settling import SpooledEntries, deliver_entries, encode_entry

NOON = 1_780_315_200_000_000_000  # 2026-06-01 12:00 UTC, a Monday
HOUR = 3_600_000_000_000
WINDOWS = (*windows.CALENDAR, "total", "rolling:60", "rolling:86399", "rolling:31622400")


def quota(**differently):
    plain = {"id": "q", "organisation": "default", "project": "default", "unit": "nano_usd", "scope_kind": "project"}
    return Quota(**{**plain, "amount": 1_000, "window": "day", "created_ns": NOON} | differently)


def entry(number, **differently):
    plain = {"id": f"{number:016x}", "organisation": "default", "project": "default", "at_ns": NOON, "nano_usd": 1}
    return Entry(**plain | differently)


async def test_the_database_has_the_same_windows_as_the_code(database):
    chance = random.Random(5)
    moments = [0, 1, HOUR * 96 - 1, NOON, NOON - 1] + [chance.randrange(7 * 10**18) for _ in range(2_000)]
    async with database.connection() as connection:
        for window in WINDOWS:
            rows = await fetch_all(
                connection,
                "select at_ns, flyball_window(%s, at_ns) as row, flyball_counts_from(%s, at_ns) as counts, "
                "flyball_window_ends(%s, at_ns) as ends from unnest(%s::bigint[]) as at_ns",
                window, window, window, moments,
            )  # fmt: skip
            found = [(row["at_ns"], row["row"], row["counts"], row["ends"]) for row in rows]

            assert found == [
                (at, windows.window_of(window, at), windows.counts_from_ns(window, at), windows.ends_ns(window, at))
                for at in moments
            ], window


async def test_entries_come_back_as_they_were_settled_and_never_change(database):
    full = entry(
        1, trace_id="t", key_id="k", member="m", function="f", variant="v", release="r", model="o", provider="p", upstream_model="u",
        tags=("a", "b"), state="cancelled", input_tokens=1, cache_read_tokens=2, cache_write_tokens=3, cache_write_1h_tokens=4,
        audio_input_tokens=5, output_tokens=6, reasoning_tokens=7, audio_output_tokens=8, web_searches=9, estimated=True,
        nano_usd=None, price_version="w", requests=0, charges=(Charge("q", "l", 7),),
    )  # fmt: skip
    assert all(value != field.default for value, field in zip(msgspec.structs.astuple(full), msgspec.structs.fields(Entry), strict=True) if field.name != "nano_usd")  # fmt: skip
    await PostgresBank(database).settle([full, entry(2, at_ns=NOON + 1)], NOON)

    async with database.connection() as connection:
        assert await store.newest(connection, "default", most=5) == [entry(2, at_ns=NOON + 1), full]
    for deed in ("update ledger set nano_usd = 0", "delete from ledger", "truncate ledger"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            async with database.owner_connection() as connection:
                await execute(connection, deed)


async def test_the_sums_by_the_hour_and_the_day_are_those_of_the_entries(database):
    chance = random.Random(11)
    bank = PostgresBank(database)
    made = [an_entry(chance) for _ in range(400)]
    for start in range(0, 400, 40):
        await bank.settle(chance.sample(made, 40) + made[start : start + 40], NOON)  # some come twice

    async with database.connection() as connection:
        for sums, source in SAME:
            for one, other in ((sums, source), (source, sums)):
                row = await fetch_one(connection, f"select count(*) as n from (({one}) except ({other})) as different")
                assert row["n"] == 0, one


def an_entry(chance):
    return entry(
        chance.randrange(10**12),
        at_ns=NOON + chance.randrange(3 * HOUR),
        key_id=chance.choice([None, "k1", "k2"]),
        model=chance.choice([None, "big"]),
        variant=chance.choice([None, "v1", "v2"]),
        price_version=chance.choice([None, "p1"]),
        state=chance.choice(["complete", "failed"]),
        tags=tuple(chance.choices(["a", "b", "c"], k=chance.randrange(4))),
        input_tokens=chance.randrange(100),
        reasoning_tokens=chance.randrange(100),
        nano_usd=chance.choice([None, 5, 7]),
        estimated=chance.random() < 0.5,
        requests=chance.choice([0, 1]),
    )


SAME = [
    (
        f"""
        select project, {period}, key_id, variant, model, price_version, state, sum(entries), sum(requests), sum(input_tokens),
            sum(reasoning_tokens), sum(tokens), sum(estimated), sum(nano_usd), sum(unpriced)
        from {table} where {where} group by 1, 2, 3, 4, 5, 6, 7
        """,
        f"""
        select project, at_ns / {length} * {length}, coalesce(key_id, ''), coalesce(variant, ''), coalesce(model, ''),
            coalesce(price_version, ''), state, count(*), sum(requests), sum(input_tokens), sum(reasoning_tokens), sum(tokens),
            count(*) filter (where estimated), coalesce(sum(nano_usd), 0), count(*) filter (where nano_usd is null)
        from ledger where {where} group by 1, 2, 3, 4, 5, 6, 7
        """,
    )
    for table, period, length, where in (
        ("ledger_hours", "hour_ns", HOUR, "true"),
        ("ledger_days", "day_ns", 24 * HOUR, "true"),
        ("ledger_tag_hours", "hour_ns", HOUR, "'a' = any(tags)"),
        ("ledger_tag_days", "day_ns", 24 * HOUR, "tags <@ array['b', 'c'] and tags <> '{}'"),
    )
]


async def test_a_project_sees_its_own_and_its_organisations_quotas_and_no_others(database):
    await make_projects(database, {"sister": "default", "stranger": "elsewhere"})
    whole = {"scope_kind": "organisation", "project": None}
    await declare(database, quota(id="own"))
    await declare(database, quota(id="whole", **whole))
    await declare(database, quota(id="sister", project="sister"))
    await declare(database, quota(id="foreign", organisation="elsewhere", **whole))
    bank = PostgresBank(database)
    await bank.take("w", [Take(name, 1, 1) for name in ("own", "whole", "sister", "foreign")], NOON)
    await bank.settle(
        [entry(1), entry(2, project="sister"), entry(3, project="stranger", organisation="elsewhere")], NOON
    )

    async with database.bound_to("default").connection() as connection:
        assert {quota.id for quota in await quota_store.every(connection)} == {"own", "whole"}
        for table, column in (("counters", "quota"), ("leases", "quota")):
            rows = await fetch_all(connection, f"select {column} as name from {table}")
            assert {row["name"] for row in rows} == {"own", "whole"}
        assert [row["id"] for row in await fetch_all(connection, "select id from ledger")] == [entry(1).id]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await execute(connection, "update quotas set organisation = 'elsewhere' where id = 'whole'")


async def test_a_quota_is_declared_once_per_scope_unit_and_window(database):
    async with database.transaction() as connection:
        assert await quota_store.insert(connection, quota())
        assert not await quota_store.insert(connection, quota(id="another"))
        assert await quota_store.insert(connection, quota(id="another", window="month"))
        assert await quota_store.remove(connection, "q", NOON)
        assert await quota_store.insert(connection, quota(id="third"))
        assert await quota_store.find(connection, "q") is None


async def test_a_change_of_a_quota_that_somebody_else_has_changed_is_refused(database):
    await declare(database, quota())
    async with database.transaction() as connection:
        assert await quota_store.update(connection, quota(amount=5, alerts=(80, 100), version=2))
        assert not await quota_store.update(connection, quota(amount=7, version=2))
        assert await quota_store.find(connection, "q") == quota(amount=5, alerts=(80, 100), version=2)


async def test_a_quota_that_is_made_while_entries_settle_misses_none(database):
    bank = PostgresBank(database)

    async def settle(first):
        for number in range(first, first + 40):
            await bank.settle([entry(number)], NOON)

    settling = [asyncio.create_task(settle(first)) for first in (0, 1_000, 2_000)]
    for number in range(10):
        await asyncio.sleep(0.02)
        await declare(database, quota(id=f"q{number}", scope_kind="project", window=f"rolling:{1_000 + number}"))
    await asyncio.gather(*settling)
    standings = await bank.standings([f"q{number}" for number in range(10)], NOON)

    assert {standing.settled for standing in standings.values()} == {120}


async def test_many_takes_at_once_never_grant_more_than_there_is(database):
    await declare(database, quota(amount=100))
    await declare(database, quota(id="r", unit="requests", amount=60, window="rolling:60"))
    bank = PostgresBank(database)
    asks = [
        bank.take(f"w{number % 5}", [Take("r", 1, 3), Take("q", 1, 4, 2)][:: number % 2 * 2 - 1])
        for number in range(200)
    ]
    answers = await asyncio.gather(*asks)
    granted = {"q": 0, "r": 0}
    for answer in answers:
        for name, found in answer.items():
            granted[name] += found.amount if isinstance(found, Lease) else 0

    assert granted == {"q": 100, "r": 60}
    assert {name: one.leased for name, one in (await bank.standings(["q", "r"])).items()} == granted


async def test_a_bank_that_takes_too_long_is_away_and_the_connection_stays_good(database):
    await declare(database, quota())
    bank = PostgresBank(database, timeout_seconds=0.05)
    async with database.transaction() as connection:
        await execute(connection, "select from quotas where id = 'q' for update")
        with pytest.raises(DatabaseAwayError):
            await bank.take("w", [Take("q", 1, 1)])

    assert isinstance((await bank.take("w", [Take("q", 1, 1)]))["q"], Lease)


async def test_a_refusal_is_heard_of_by_whoever_listens(database):
    await declare(database, quota(amount=0))
    async with database.connection() as connection:
        await execute(connection, "listen flyball_wanted")
        for _ in range(2):
            assert isinstance((await PostgresBank(database).take("w", [Take("q", 1, 1)]))["q"], Standing)
        heard = [note.payload async for note in connection.notifies(timeout=0.2)]
        await execute(connection, "unlisten *")

    assert heard == ["q"]


async def test_entries_of_a_spool_settle_once_and_what_is_refused_is_set_aside(database, tmp_path):
    await declare(database, quota())
    with Spool(tmp_path, "ledger-1", capacity=1 << 16) as spool:
        kept, drain = SpooledEntries(spool), Drain(spool, database, SystemClock(), deliver_entries)
        odd = entry(3, tags=("half \ud800", "no\x00thing"), model="\x00", charges=(Charge("q\x00", "l\ud800", 1),))
        for one in (entry(1), entry(1), entry(2, project="nobody"), odd):
            assert kept.append(one)
        assert await drain.finish()
        assert drain.refused == 1

    async with database.connection() as connection:
        found = await store.newest(connection, "default", most=5)
    assert [one.id for one in found] == [entry(3).id, entry(1).id]
    assert found[0].tags == ("half ?", "no\ufffdthing")
    assert (await PostgresBank(database).standings(["q"], NOON))["q"].settled == 2


async def test_old_counters_are_given_up_and_those_that_count_stay(database):
    for window in ("minute", "month", "total", "rolling:86400"):
        await declare(database, quota(id=window, window=window, created_ns=0))
    bank = PostgresBank(database)
    await bank.settle([entry(1), entry(2, at_ns=NOON - 24 * HOUR)], NOON)
    later = NOON + 100 * 24 * HOUR
    await bank.settle([entry(3, at_ns=later)], later)
    async with database.transaction() as connection:
        assert await quota_store.forget_old(connection, later) == 2 + 2 + 2

    standings = await bank.standings(["minute", "month", "total", "rolling:86400"], later)
    assert {name: one.settled for name, one in standings.items()} == {
        "minute": 1,
        "month": 1,
        "total": 3,
        "rolling:86400": 1,
    }


def test_every_entry_is_a_record_of_its_size():
    assert len(encode_entry(entry(1, charges=tuple(Charge("q" * 30, "l" * 30, 10**9) for _ in range(8))))) < 1_500
    assert measured("tokens", entry(1, input_tokens=3, audio_output_tokens=4)) == 7
