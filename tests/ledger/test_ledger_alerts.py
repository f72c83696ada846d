"""A threshold is told once for each window and amount, however many settle and look, and whatever is killed between."""

import asyncio
import itertools

import pytest

from flyball.infra.db.database import execute, fetch_all, fetch_one
from flyball.ledger import alerts, quota_store, quotas
from flyball.ledger.alerts import tell_passed
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.declared import QuotaChange, QuotaWish
from flyball.ledger.errors import QuotaInvalidError
from flyball.ledger.keeping import keeping
from flyball.ledger.records import Entry
from flyball.notifications import service as notifications

USD = 10**9
SECOND = 10**9
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
_ids = itertools.count()


@pytest.fixture
async def mailbox(ctx):
    """Somebody who is told, of whom it is enough to see what waits."""
    return await notifications.add_receiver(ctx, "mailto:ann@example.com")


@pytest.fixture
async def budget(ctx, mailbox):
    return await quotas.set_quota(
        ctx, QuotaWish(scope="function triage", unit="nano_usd", amount=10 * USD, window="day", alerts=(50, 80, 100))
    )


async def now(ctx):
    async with ctx.db.connection() as connection:
        return (await fetch_one(connection, "select flyball_now_ns() as ns"))["ns"]


async def spend(ctx, nano_usd, *, at_ns=None, function="triage"):
    entry = Entry(
        id=f"{next(_ids):016x}", project=ctx.project, organisation="default", at_ns=at_ns or await now(ctx),
        function=function, nano_usd=nano_usd,
    )  # fmt: skip
    await PostgresBank(ctx.db).settle([entry])


async def told(ctx):
    """Subjects, in the order in which they were passed."""
    found = (await notifications.list_notifications(ctx, limit=100)).items
    return sorted(one.subject for one in found)


async def test_each_threshold_is_told_once_when_it_is_passed(ctx, budget):
    await spend(ctx, 5 * USD - 1)
    assert await tell_passed(ctx) == 0
    await spend(ctx, 1)
    assert await tell_passed(ctx) == 1
    assert await tell_passed(ctx) == 0
    await spend(ctx, 9 * USD)
    assert await tell_passed(ctx) == 2
    assert await tell_passed(ctx) == 0

    assert await told(ctx) == [
        "100 % of the budget of function triage is used",
        "50 % of the budget of function triage is used",
        "80 % of the budget of function triage is used",
    ]


async def test_the_message_says_how_much_of_what_in_which_window(ctx, budget):
    await spend(ctx, 8_500_000_001)
    await tell_passed(ctx)
    async with ctx.db.connection() as connection:
        rows = await fetch_all(connection, "select message from notifications where message->>'subject' like '80 %%'")

    message = rows[0]["message"]
    assert (message["data"]["used"], message["data"]["amount"], message["data"]["threshold_percent"]) == (
        8_500_000_001, 10 * USD, 80,
    )  # fmt: skip
    assert message["data"]["quota"] == {
        "id": budget.id, "family": "budget", "scope": "function triage", "unit": "nano_usd", "window": "day",
        "window_began": message["data"]["quota"]["window_began"], "stop": "hard",
    }  # fmt: skip
    assert "$8.50" in message["text"]
    assert "85 %" in message["text"]
    assert f"flyball budgets show {budget.id}" in message["text"]


async def test_many_that_settle_and_look_at_once_tell_once(ctx, budget):
    async def work():
        for _ in range(10):
            await spend(ctx, USD // 2)
            await tell_passed(ctx)

    await asyncio.gather(*(work() for _ in range(4)))

    assert len(await told(ctx)) == 3


async def test_a_look_that_is_killed_before_its_commit_tells_with_the_next(ctx, budget, monkeypatch):
    await spend(ctx, 5 * USD)

    async def killed(*_, **__):
        raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr(alerts, "tell", killed)
        with pytest.raises(asyncio.CancelledError):
            await tell_passed(ctx)
    assert await told(ctx) == []

    assert await tell_passed(ctx) == 1
    assert len(await told(ctx)) == 1


async def test_a_raised_limit_tells_again_and_the_same_one_set_back_does_not(ctx, budget):
    await spend(ctx, 10 * USD)
    await tell_passed(ctx)
    await quotas.change_quota(ctx, "budget", budget.id, QuotaChange(amount=20 * USD))
    assert await tell_passed(ctx) == 1, "50 % of the new one"
    await quotas.change_quota(ctx, "budget", budget.id, QuotaChange(amount=10 * USD))
    assert await tell_passed(ctx) == 0


async def test_a_lowered_limit_is_told_without_any_call(ctx, budget):
    await spend(ctx, 4 * USD)
    assert await tell_passed(ctx) == 0
    await quotas.change_quota(ctx, "budget", budget.id, QuotaChange(amount=4 * USD))

    assert await tell_passed(ctx) == 3


async def test_what_settles_after_its_window_ended_is_told_of_that_window_alone(ctx, budget):
    at_ns = await now(ctx)
    await spend(ctx, 6 * USD)
    tomorrow = at_ns - at_ns % DAY + DAY + 60 * SECOND

    assert await tell_passed(ctx, now_ns=tomorrow) == 1
    await spend(ctx, 6 * USD, at_ns=tomorrow)
    assert await tell_passed(ctx, now_ns=tomorrow) == 1, "another day is another window"


async def test_a_window_that_ended_is_not_judged_by_what_was_decided_after(ctx, budget):
    yesterday = await now(ctx) - DAY
    await spend(ctx, 3 * USD, at_ns=yesterday)
    async with ctx.db.connection() as connection:
        await execute(
            connection, "update quotas set created_ns = %s, alerts_since_ns = %s", yesterday - DAY, yesterday - DAY
        )
        await execute(
            connection,
            "insert into counters (quota, window_ns, organisation, project, settled) values (%s, %s, 'default', %s, %s)",
            *(budget.id, yesterday - yesterday % DAY, ctx.project, 3 * USD),
        )
    await quotas.change_quota(ctx, "budget", budget.id, QuotaChange(amount=3 * USD))

    assert await tell_passed(ctx, back_ns=2 * DAY) == 0


async def test_a_rolling_window_tells_once_in_its_length_and_then_again(ctx, mailbox):
    await quotas.set_quota(
        ctx, QuotaWish(scope="project", unit="nano_usd", amount=10 * USD, window="rolling:3600", alerts=(80,))
    )
    start = await now(ctx)
    await spend(ctx, 9 * USD, at_ns=start)
    assert await tell_passed(ctx, now_ns=start) == 1
    await spend(ctx, 9 * USD, at_ns=start + HOUR // 2)
    assert await tell_passed(ctx, now_ns=start + HOUR // 2) == 0
    assert await tell_passed(ctx, now_ns=start + HOUR + 1) == 1, "it is still passed an hour later"
    await spend(ctx, 9 * USD, at_ns=start + 3 * HOUR)
    assert await tell_passed(ctx, now_ns=start + 3 * HOUR) == 1


async def test_sums_near_the_largest_amount_do_not_overflow(ctx, mailbox):
    await quotas.set_quota(
        ctx, QuotaWish(scope="project", unit="nano_usd", amount=10**18, window="total", alerts=(1, 1_000))
    )
    await spend(ctx, 10**17)

    assert await tell_passed(ctx) == 1


async def test_an_amount_of_nothing_tells_once_something_is_used(ctx, mailbox):
    await quotas.set_quota(
        ctx, QuotaWish(scope="project", unit="nano_usd", amount=0, window="total", stop="soft", alerts=(100,))
    )
    assert await tell_passed(ctx) == 0
    await spend(ctx, 1)

    assert await tell_passed(ctx) == 1


async def test_a_quota_of_the_organisation_is_told_to_whom_the_organisation_tells(ctx, mailbox):
    wide = await notifications.add_receiver(ctx, "mailto:owner@example.com", organisation_wide=True)
    await quotas.set_quota(
        ctx, QuotaWish(scope="organisation", unit="nano_usd", amount=USD, window="month", alerts=(100,))
    )
    await spend(ctx, USD)
    await tell_passed(ctx)

    assert [one.receiver for one in (await notifications.list_notifications(ctx)).items] == [wide.id]


async def test_showing_a_budget_tells_what_was_passed_whom_it_was_told_and_whether_it_arrived(ctx, admin, budget):
    await spend(ctx, 5 * USD)
    await tell_passed(ctx)

    (passed,) = (await admin.get(f"/api/budgets/{budget.id}")).json()["passed"]
    assert (passed["threshold"], passed["amount"], passed["used"]) == (50, 10 * USD, 5 * USD)
    assert [(one["address"], one["state"]) for one in passed["told"]] == [("ann@example.com", "waiting")]


async def test_a_threshold_with_nobody_to_tell_is_kept_and_shown(ctx, admin):
    budget = await quotas.set_quota(
        ctx, QuotaWish(scope="project", unit="nano_usd", amount=USD, window="day", alerts=(100,))
    )
    await spend(ctx, USD)
    await tell_passed(ctx)

    (passed,) = (await admin.get(f"/api/budgets/{budget.id}")).json()["passed"]
    assert passed["told"] == []


async def test_thresholds_that_nobody_would_be_told_of_say_so(ctx):
    wish = QuotaWish(scope="project", unit="nano_usd", amount=USD, window="day", alerts=(80,))
    alone = await quotas.set_quota(ctx, wish)
    assert [note for note in alone.notes if "notifications add ADDRESS`" in note]
    await notifications.add_receiver(ctx, "mailto:owner@example.com", organisation_wide=True)
    assert [note for note in (await quotas.set_quota(ctx, wish)).notes if "nobody is told" in note]
    await notifications.add_receiver(ctx, "mailto:ann@example.com")

    told = (await quotas.get_quota(ctx, "budget", alone.id)).quota.notes
    assert ["FLYBALL_SMTP_SERVER" in note for note in told] == [True]


async def test_parallel_calls_have_no_threshold(ctx):
    with pytest.raises(QuotaInvalidError, match="no threshold"):
        await quotas.set_quota(ctx, QuotaWish(unit="parallel", amount=3, window="", alerts=(80,)))


async def test_the_control_process_tells_and_forgets_by_itself(ctx, budget):
    long_ago = await now(ctx) - 70 * DAY
    async with ctx.db.connection() as connection:
        await execute(
            connection,
            "insert into counters (quota, window_ns, organisation, project, settled) values (%s, %s, 'default', %s, 1)",
            *(budget.id, long_ago - long_ago % DAY, ctx.project),
        )
        await execute(
            connection,
            "insert into alerts values (%s, %s, 50, 1, 'default', %s, 1, %s)",
            *(budget.id, long_ago, ctx.project, await now(ctx) - 500 * DAY),
        )
    await spend(ctx, 5 * USD)
    async with keeping(ctx, look_seconds=0.02), asyncio.timeout(10):
        while not await told(ctx) or await _count(ctx, "counters") > 1 or await _count(ctx, "alerts") > 1:
            await asyncio.sleep(0.02)

    async with ctx.db.connection() as connection:
        assert await quota_store.forget_old(connection, await now(ctx)) == 0, "nothing that counts was forgotten"
    assert (await quotas.get_quota(ctx, "budget", budget.id)).quota.settled == 5 * USD


async def _count(ctx, table):
    async with ctx.db.connection() as connection:
        return (await fetch_one(connection, f"select count(*) as rows from {table}"))["rows"]
