"""Sums of the ledger: workers that settle at once do not wait for each other, and what was in the ledger before is in them."""

import asyncio
from contextlib import AsyncExitStack

from flyball.infra.db.database import Database, execute, fetch_all, fetch_one
from flyball.infra.db.migrate import MIGRATIONS, migrate
from flyball.ledger import settling, store, sum_store
from flyball.ledger.records import Entry

NOON = 1_780_315_200_000_000_000  # 2026-06-01 12:00 UTC
HOUR = 3_600_000_000_000
BEFORE = "0025"
TABLES = ("ledger_hours", "ledger_days", "ledger_tag_hours", "ledger_day_models", "ledger_day_keys", "ledger_day_tags")
IN_ORDER = [
    "ledger_hours",
    "ledger_days",
    "ledger_day_models",
    "ledger_day_keys",
    "ledger_tag_hours",
    "ledger_tag_days",
    "ledger_day_tags",
]
WRITTEN = """
    create table written (number int generated always as identity, name text);
    grant all on written to public;
    create function note_written() returns trigger language plpgsql as
        'begin if tg_table_name is distinct from (select name from written order by number desc limit 1) then
        insert into written (name) values (tg_table_name); end if; return null; end'
"""


def entry(number, **differently):
    plain = {"id": f"{number:016x}", "organisation": "default", "project": "default", "at_ns": NOON, "nano_usd": 10}
    return Entry(**plain | {"tags": ("b", "a", "b"), "input_tokens": 3, "key_id": "k"} | differently)


async def stripe_of(connection):
    return (await fetch_one(connection, "select pg_backend_pid() %% 16 as stripe"))["stripe"]


async def test_two_that_settle_the_same_at_once_do_not_wait_for_each_other(database):
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(database.connection()) for _ in range(5)]
        one, other = list({await stripe_of(each): each for each in connections}.values())[:2]
        async with one.transaction():
            await settling.settle(one, [entry(1)], NOON)
            async with other.transaction():
                await asyncio.wait_for(settling.settle(other, [entry(2)], NOON), 5)
        rows = await fetch_all(one, "select count(*) as stripes, sum(nano_usd)::bigint as nano_usd from ledger_days")

    assert rows == [{"stripes": 2, "nano_usd": 20}]


async def test_what_was_in_the_ledger_before_the_sums_by_day_is_in_them(empty_database_url, tmp_path):
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < BEFORE:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    database = Database(empty_database_url, most=2)
    await database.open()
    await migrate(database, tmp_path)
    many = [
        entry(number, at_ns=NOON + number * HOUR, tags=("b", "a")[: number % 3], variant=(None, "v")[number % 2], nano_usd=None if number % 5 else 7)
        for number in range(30)
    ]  # fmt: skip
    async with database.transaction() as connection:
        await store.append(connection, many, NOON)
        await execute(connection, "insert into ledger_hours select project, 0, '', '', '', '', '', 'lost', 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 from ledger limit 1")  # fmt: skip

    await migrate(database)

    async with database.connection() as connection:
        found = await sum_store.differing(connection, "default")
        counts = [(await fetch_one(connection, f"select count(*) as n from {name}"))["n"] for name in TABLES]
    await database.close()
    assert found == ((), ())
    assert counts[0] == 30
    assert counts[1] == 4
    assert counts[2] == 20
    assert counts[3] >= 4
    assert counts[4:] == [2, 4]


async def test_those_who_settle_and_who_fold_write_the_tables_in_the_same_order_so_that_neither_waits_for_the_other(
    database,
):
    async with database.owner_connection() as connection:
        await connection.execute(WRITTEN)
        for name in IN_ORDER:
            await connection.execute(
                f"create trigger noted after insert or update or delete on {name} for each row execute function note_written()"
            )

    async with database.transaction() as connection:
        await settling.settle(connection, [entry(1), entry(2, at_ns=NOON + HOUR)], NOON)
        settled = [row["name"] for row in await fetch_all(connection, "select name from written order by number")]
        await execute(connection, "delete from written")
        for name in IN_ORDER:  # as if another connection had written it
            await execute(connection, f"update {name} set stripe = 1 where stripe = 0")
        await execute(connection, "delete from written")
        await sum_store.fold(connection, "default", NOON - 24 * HOUR, NOON + 24 * HOUR)
        folded = [row["name"] for row in await fetch_all(connection, "select name from written order by number")]

    assert settled == IN_ORDER
    assert folded == IN_ORDER
