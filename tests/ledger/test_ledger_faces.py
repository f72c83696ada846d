"""Budgets, limits and the ledger over HTTP and in SQL: what is sent, what comes back, who may."""

import msgspec
import pytest

from flyball.infra.db.database import execute
from flyball.ledger import table
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.records import Entry
from flyball.projects import keys
from flyball.traces import questions
from flyball.web.sql_api import OFFERED

NOON = 1_780_315_200_000_000_000  # 2026-06-01 12:00 UTC
USD = 10**9


@pytest.fixture
async def key(ctx):
    return (await keys.create_key(ctx, "desk")).key


@pytest.fixture
async def settled(ctx, key):
    """Ten attempts, a second apart, of two models; the last has no known price."""
    entries = [
        Entry(
            id=f"{number:016x}", project=ctx.project, organisation="default", at_ns=NOON + number * USD, trace_id=f"t{number // 2}",
            key_id=key.line if number % 2 else None, function="triage", model="fast" if number < 5 else "slow", tags=("team-a",),
            state="complete" if number else "failed", input_tokens=100, output_tokens=number, nano_usd=number if number < 9 else None,
        )
        for number in range(10)
    ]  # fmt: skip
    await PostgresBank(ctx.db).settle(entries)
    return entries


async def test_a_budget_is_set_shown_changed_and_removed_over_the_api(admin, key):
    new = {
        "scope": "key desk",
        "usd": "25.50",
        "per": "month",
        "open_usd": "0.1",
        "when_away": "closed",
        "alerts": [50, 100],
    }
    made = (await admin.post("/api/budgets", new)).json()
    changed = await admin.send("PUT", f"/api/budgets/{made['id']}", json={"usd": "30", "stop": "soft"})
    shown = (await admin.get(f"/api/budgets/{made['id']}")).json()
    listed = (await admin.get("/api/budgets?scope=key%20desk&per=month")).json()["items"]
    gone = await admin.delete(f"/api/budgets/{made['id']}")

    assert (made["amount"], made["open_bound"], made["when_away"], made["free"]) == (
        25_500_000_000,
        10**8,
        "closed",
        25_500_000_000,
    )
    assert (changed.json()["amount"], changed.json()["stop"], changed.json()["when_away"]) == (
        30 * USD,
        "soft",
        "closed",
    )
    assert (shown["quota"]["version"], shown["leases"]) == (2, [])
    assert [one["id"] for one in listed] == [made["id"]]
    assert gone.status == 200
    assert (await admin.get(f"/api/budgets/{made['id']}")).status == 404


@pytest.mark.parametrize(
    ("path", "new", "status", "code"),
    [
        ("/api/budgets", {"usd": "-1"}, 400, "quota_invalid"),
        ("/api/budgets", {"usd": 5}, 400, "invalid_input"),
        ("/api/budgets", {"usd": "1", "scope": "key nobody"}, 404, "key_not_found"),
        ("/api/budgets", {"usd": "1", "scope": "member nobody"}, 404, "member_not_found"),
        ("/api/budgets", {"usd": "1", "per": "fortnight"}, 400, "quota_invalid"),
        ("/api/budgets", {"usd": "1", "unit": "tokens"}, 400, "invalid_input"),
        ("/api/limits", {"unit": "nano_usd", "amount": 1}, 400, "invalid_input"),
        ("/api/limits", {"unit": "requests", "amount": 1.5}, 400, "invalid_input"),
        ("/api/limits", {"unit": "requests", "amount": 10**19}, 400, "quota_invalid"),
        ("/api/capped-keys", {"name": "k"}, 400, "quota_invalid"),
        ("/api/capped-keys", {"name": "k", "budget": "x"}, 400, "quota_invalid"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_next_step(admin, path, new, status, code):
    answer = await admin.post(path, new)

    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert (await admin.get("/api/budgets")).json()["items"] == (await admin.get("/api/limits")).json()["items"] == []
    assert (await admin.get("/api/keys?text=k&state=usable")).json()["items"] == []


async def test_another_window_is_another_budget(admin):
    made = (await admin.post("/api/budgets", {"usd": "1"})).json()

    answer = await admin.send("PUT", f"/api/budgets/{made['id']}", json={"per": "day"})

    assert (answer.status, answer.json()["error"]["code"]) == (409, "quota_fixed")
    assert "budgets set" in answer.json()["error"]["next_step"]


async def test_a_limit_has_a_minute_unless_it_is_told_otherwise(admin):
    for unit, window in (("requests", "minute"), ("tokens", "minute"), ("parallel", "total")):
        assert (await admin.post("/api/limits", {"unit": unit, "amount": 3})).json()["window"] == window

    assert len((await admin.get("/api/limits")).json()["items"]) == 3


async def test_a_viewer_reads_and_sets_nothing_and_an_application_does_neither(ctx, public):
    async def statuses(role):
        _, secret = await keys.create_key(ctx, role, role)
        sent = {"authorization": f"Bearer {secret.reveal()}"}
        budgets = await public.get("/api/budgets", headers=sent)
        made = await public.post("/api/limits", {"unit": "requests", "amount": 1}, headers=sent)
        entries = await public.get("/api/ledger", headers=sent)
        repaired = await public.post("/api/ledger/repairs", headers=sent)
        return [budgets.status, made.status, entries.status, repaired.status]

    assert await statuses("viewer") == [200, 403, 200, 403]
    assert await statuses("application") == [403, 403, 403, 403]
    assert await statuses("maintainer") == [200, 200, 200, 403]
    assert await statuses("owner") == [200, 200, 200, 200]


async def test_a_key_with_caps_is_made_over_the_api(admin):
    new = {"name": "app", "budget": "20", "per": "week", "requests_per_minute": 60, "models": ["fast"]}
    made = (await admin.post("/api/capped-keys", new)).json()
    budgets = (await admin.get("/api/budgets?scope=key%20app")).json()["items"]

    assert made["key"].startswith("flyball_")
    assert made["models"] == ["fast"]
    assert [(one["amount"], one["window"], one["scope_id"]) for one in budgets] == [(20 * USD, "week", made["id"])]


async def test_entries_are_listed_newest_first_page_by_page(admin, settled):
    found, cursor = [], ""
    while True:
        page = (await admin.get(f"/api/ledger?limit=3&cursor={cursor}")).json()
        found += page["items"]
        if not (cursor := page["next"] or ""):
            break

    assert [one["id"] for one in found] == [one.id for one in reversed(settled)]
    assert [one["nano_usd"] for one in found[:2]] == [None, 8]
    assert found[0]["key_name"] == "desk"
    assert found[0]["tokens"] == 109


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("model=slow&key=desk", [9, 7, 5]),
        ("state=failed", [0]),
        ("trace=t2", [5, 4]),
        ("tag=team-a&limit=2", [9, 8]),
        ("tag=team-b", []),
        ("function=other", []),
        ("since=2026-06-01T12:00:07Z", [9, 8, 7]),
        ("until=2026-06-01T12:00:02Z", [1, 0]),
        ("until=2026-05-31", []),
    ],
)
async def test_entries_are_narrowed_by_whatever_they_say(admin, settled, asked, numbers):
    found = (await admin.get(f"/api/ledger?{asked}")).json()["items"]

    assert [int(one["id"], 16) for one in found] == numbers


@pytest.mark.parametrize(
    ("asked", "status"),
    [("state=odd", 400), ("key=nobody", 404), ("member=nobody", 404), ("since=soon", 400), ("since=0001-01-01", 400), ("cursor=x", 400)],
)  # fmt: skip
async def test_what_entries_cannot_be_asked_for_is_refused(admin, asked, status):
    assert (await admin.get(f"/api/ledger?{asked}")).status == status


async def test_the_ledger_is_checked_and_repaired_over_the_api(ctx, admin, settled):
    made = (await admin.post("/api/budgets", {"usd": "1", "per": "total"})).json()
    assert (await admin.get("/api/ledger/check")).json() == {
        "ok": True,
        "repaired": False,
        "counters": [],
        "hours_ns": [],
        "days_ns": [],
    }
    async with ctx.db.owner_connection() as connection:
        await execute(connection, "set flyball.project = '*'")
        await execute(connection, "update counters set settled = 99")

    drifted = (await admin.get("/api/ledger/check")).json()
    repaired = (await admin.post("/api/ledger/repairs")).json()

    assert not drifted["ok"]
    assert [(quota, counted, derived) for quota, _, counted, derived in drifted["counters"]] == [(made["id"], 99, 36)]
    assert repaired["repaired"]
    assert (await admin.get("/api/ledger/check")).json()["ok"]


async def test_the_ledger_is_a_table_for_questions_in_sql(ctx, admin, settled):
    asked = "select model, count(*) as n, sum(nano_usd) as cost, max(tags[1]) as tag from LEDGER group by 1 order by 1"
    answer = await admin.post("/api/sql", {"sql": asked})

    assert answer.json()["rows"] == [
        {"model": "fast", "n": 5, "cost": 10, "tag": "team-a"},
        {"model": "slow", "n": 5, "cost": 26, "tag": "team-a"},
    ]


async def test_every_field_of_an_entry_is_a_column_but_its_project_and_its_charges(ctx, settled):
    columns = set((await table.newest_entries(ctx)).column_names)
    named = {field.name for field in msgspec.structs.fields(Entry)} - {"project", "organisation", "charges", "member"}

    assert columns - named == {"member_id", "settled_ns", "tokens"}
    assert named <= columns


async def test_who_may_not_read_the_ledger_has_no_such_table(ctx, settled):
    from flyball.infra.context import Actor
    from flyball.infra.lake.errors import QuestionError

    reader = ctx.acting_as(Actor(id="r", kind="key", name="r", permissions=frozenset({"traces.read"})))

    with pytest.raises(QuestionError, match="ledger"):
        await questions.ask(reader, "select * from ledger", offered=OFFERED)
