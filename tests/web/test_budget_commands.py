"""The commands of budgets, limits and the ledger against a control process that runs."""

import json

import pytest
from test_control_commands import flyball  # noqa: F401 -- a fixture

from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.records import Entry


@pytest.fixture
def run(flyball):  # noqa: F811 -- likewise
    return flyball


async def test_a_budget_is_set_listed_shown_and_removed_by_its_scope(run):
    await run("keys", "create", "backend")

    code, out, _ = await run("budgets", "set", "25", "key", "backend", "--per", "month", "--alert", "80")
    assert code == 0
    assert "$25.00" in out
    await run("budgets", "set", "2", "key:backend", "--per", "day")

    code, out, _ = await run("budgets", "list")
    assert code == 0
    assert "key backend" in out
    assert "per month" in out

    code, _, error = await run("budgets", "show", "key", "backend")
    assert code == 8
    assert "--per" in error
    code, out, _ = await run("budgets", "show", "key", "backend", "--per", "month")
    assert code == 0
    assert "No worker holds any of it." in out

    code, out, _ = await run("budgets", "remove", "key", "backend", "--per", "month", "--json")
    assert code == 0
    code, out, _ = await run("budgets", "remove", json.loads(out)["id"])
    assert code == 7
    code, out, _ = await run("budgets", "list", "key", "backend", "--json")
    assert [one["window"] for one in json.loads(out)["items"]] == ["day"]


async def test_limits_of_one_scope_are_told_apart_by_their_unit(run):
    for unit in ("requests", "tokens", "parallel"):
        code, out, _ = await run("limits", "set", "100", unit, "function", "triage")
        assert code == 0
    assert "no call has named the function 'triage' yet" in out

    code, out, _ = await run("limits", "show", "function", "triage", "--unit", "parallel")
    assert code == 0
    assert "100 parallel calls" in out
    code, out, _ = await run("limits", "remove", "function", "triage", "--unit", "tokens")
    assert code == 0
    code, out, _ = await run("limits", "list", "--json")
    assert sorted(one["unit"] for one in json.loads(out)["items"]) == ["parallel", "requests"]


async def test_an_odd_amount_is_refused_with_the_next_command(run):
    code, _, error = await run("budgets", "set", "lots")
    assert code == 2
    assert "'lots' is no amount in USD" in error
    assert "next: write such as 25" in error

    code, _, error = await run("limits", "set", "5", "requests", "key", "nobody")
    assert code == 7
    assert "flyball keys list" in error


async def test_a_key_is_created_with_its_budget_and_limits(run):
    code, out, _ = await run("keys", "create", "app", "--budget", "20", "--per", "week", "--rpm", "60", "--parallel", "4", "--model", "fast", "--json")  # fmt: skip
    made = json.loads(out)
    assert code == 0
    assert (made["key"][:8], made["models"]) == ("flyball_", ["fast"])

    _, out, _ = await run("limits", "list", "key", "app", "--json")
    assert {one["unit"]: one["amount"] for one in json.loads(out)["items"]} == {"requests": 60, "parallel": 4}
    code, out, _ = await run("keys", "create", "plain", "--function", "triage", "--json")
    assert code == 0
    assert json.loads(out)["functions"] == ["triage"]


async def test_the_ledger_is_listed_and_checked(run, database):
    entry = Entry(
        id="a" * 16, project="default", organisation="default", at_ns=1_780_315_200_000_000_000, model="fast", nano_usd=1_500, trace_id="t"
    )  # fmt: skip
    await PostgresBank(database).settle([entry])

    code, out, _ = await run("ledger", "list", "--model", "fast")
    assert code == 0
    assert "$0.000002" in out
    code, out, _ = await run("ledger", "check")
    assert code == 0
    assert "what the entries add up to" in out

    async with database.owner_connection() as connection:
        await connection.execute("set flyball.project = '*'")
        await connection.execute("update ledger_hours set nano_usd = 7")
    code, out, _ = await run("ledger", "check")
    assert code == 1
    assert "--repair" in out
    code, out, _ = await run("ledger", "check", "--repair")
    assert code == 0
    code, out, _ = await run("ledger", "check", "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)
