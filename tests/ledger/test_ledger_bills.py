"""The proof: after a mixed run with everything that goes wrong, the ledger is what the provider bills, line by line."""

import asyncio

import pytest
from billing import CHAT, FUNCTION, VENDORS, ask, billed, entries, kept, leave, question_of, run, world

from flyball.infra.db.database import fetch_all
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.checking import check
from flyball.testing import Turn


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("MOCK_KEY", "sk-mock")


async def _assert_the_ledger_is_the_bill(ctx, calls, **how):
    async with world(ctx) as there:
        told = await run(there, calls, **how)
        attempts = len(there.provider.requests)
        lines, untold = billed(there.provider)
    found = await kept(ctx)
    guessed = sum(found.guessed.values())
    print(  # noqa: T201 -- the figures of the long run are worth reading
        f"\n{calls} calls, answered {dict(told)}; {attempts} attempts, {sum(lines.values())} billed and told, "
        f"{sum(untold.values())} billed and not told, {guessed} guessed, {found.free} free; entries {dict(found.states)}"
    )

    # Line by line, so per model and in total: what was told is in the ledger once, and nothing else is there for sure.
    assert found.lines == lines
    assert {line.upstream_model for line in lines} == {model for _, model, _ in VENDORS.values()}
    # What nobody was told says of itself that it is a guess, or unknown, and none is missing.
    assert all(found.guessed[model] >= count for model, count in untold.items())
    assert sum(found.lines.values()) + guessed + found.free == attempts
    assert {"complete", "failed", "cancelled", "retried"} <= set(found.states)
    # Counters, sums and leases are what the entries make.
    assert (await check(ctx)).ok
    async with ctx.db.connection() as connection:
        ids = [row["id"] for row in await fetch_all(connection, "select id from quotas")]
    standings = await PostgresBank(ctx.db).standings(ids)
    assert len(standings) == 7
    assert {standing.leased for standing in standings.values()} == {0}
    return told


async def test_the_ledger_of_a_mixed_run_is_what_the_provider_bills(ctx):
    told = await _assert_the_ledger_is_the_bill(ctx, 1_000)

    assert told[200] > 500
    assert told["left"] > 50
    assert told[429] > 50


@pytest.mark.long
@pytest.mark.timeout(3_600)
async def test_the_ledger_of_a_hundred_thousand_calls_is_what_the_provider_bills(ctx):
    await _assert_the_ledger_is_the_bill(ctx, 100_000, at_once=64)


async def test_what_a_function_asked_of_models_is_settled_though_its_caller_has_left(ctx):
    async with world(ctx, faulty=0, cancelled_calls="cut") as there:
        there.provider.take_turn = lambda _: Turn(fault="stall")
        path, body = question_of(CHAT, FUNCTION, [], stream=False)
        await leave(there, path, body, seconds=0.5)
        await asyncio.sleep(0.1)
    rows = await entries(ctx)

    assert [(row["function"], row["state"], row["requests"]) for row in rows] == [
        (FUNCTION, "cancelled", 1),
        (FUNCTION, "cancelled", 0),
    ]
    assert rows[1]["estimated"]
    assert rows[1]["nano_usd"] > 0


async def test_each_attempt_of_a_functions_variant_is_an_entry(ctx):
    async with world(ctx, faulty=0) as there:
        turns = [Turn(fault="status", status=503), Turn(fault="status", status=429), Turn()]
        there.provider.take_turn = lambda _: turns.pop(0) if turns else Turn()
        path, body = question_of(CHAT, FUNCTION, [], stream=False)
        assert await ask(there, path, body) == 200
    rows = await entries(ctx)

    assert [(row["state"], row["requests"], bool(row["nano_usd"])) for row in rows] == [
        ("complete", 1, False),
        ("retried", 0, False),
        ("retried", 0, False),
        ("complete", 0, True),
    ]
    assert len({row["trace_id"] for row in rows}) == 1
