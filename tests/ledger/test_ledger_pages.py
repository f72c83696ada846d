"""The pages of budgets, limits and the ledger: what they show, what their forms do, what they ask for twice, who may."""

import re

import pytest

from flyball.infra.db.database import execute
from flyball.ledger import foreseeing, gauges, quotas
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.declared import QuotaWish
from flyball.ledger.records import Charge, Entry, Take
from flyball.projects import keys

USD = 10**9


@pytest.fixture
async def key(ctx):
    return (await keys.create_key(ctx, "desk")).key


@pytest.fixture
async def spent(ctx, key):
    """Ten dollars and three requests of the key, this minute."""
    entries = [
        Entry(
            id=f"{number:016x}", project=ctx.project, organisation="default", at_ns=ctx.clock.now_ns(), trace_id=f"{number:032x}",
            key_id=key.line, function="triage", model="fast", tags=("night",), state="complete" if number else "failed",
            input_tokens=1_000, cache_read_tokens=234, output_tokens=number, nano_usd=5 * USD if number else None,
        )
        for number in range(3)
    ]  # fmt: skip
    await PostgresBank(ctx.db).settle(entries)
    return entries


@pytest.fixture
def submit(admin):
    """Send a form as a page does."""

    async def submit(path, **fields):
        return await admin.post(path, form=fields)

    return submit


async def set_budget(ctx, scope="key desk", usd=25, **more):
    return await quotas.set_quota(
        ctx, QuotaWish(scope=scope, unit="nano_usd", amount=usd * USD, window=more.pop("window", "month"), **more)
    )


async def test_the_list_shows_what_is_used_held_and_left_of_budgets_and_limits(ctx, admin, spent):
    await set_budget(ctx)
    await quotas.set_quota(ctx, QuotaWish(scope="model fast", unit="requests", amount=4, window="day"))

    page = (await admin.get("/budgets")).text

    assert '<span class="count">2</span>' in page
    assert "$10.00 used, $0 held by workers, $15.00 left of $25.00" in page
    assert "3 requests used, 0 requests held by workers, 1 request left of 4 requests" in page
    assert "40 % used" in page
    assert "model fast" not in (await admin.get("/budgets?which=budget")).text
    assert "key desk" not in (await admin.get("/limits")).text


async def test_the_list_is_narrowed_to_what_somebody_names_and_says_what_cannot_be_named(ctx, admin, key):
    await set_budget(ctx)
    await set_budget(ctx, "project")

    assert '<td class="name"><a class="clip" href="/budgets/' in (await admin.get("/budgets?scope=key+desk")).text
    assert ">project</a>" not in (await admin.get("/budgets?scope=key+desk")).text
    wrong = await admin.get("/budgets?scope=key+dusk")
    assert wrong.status == 200
    assert "did you mean &#39;desk&#39;" in wrong.text


async def test_a_thousand_budgets_are_paged_and_counted(ctx, admin):
    for number in range(53):
        await set_budget(ctx, f"tag t{number}")

    first = (await admin.get("/budgets")).text
    older = re.search(r'href="(/budgets\?cursor=[^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    second = (await admin.get(older)).text

    assert '<span class="count">53</span>' in first
    assert (first.count('class="gauge"'), second.count('class="gauge"')) == (50, 3)
    assert "data-live" not in second


async def test_a_budget_is_set_changed_and_removed_by_forms(ctx, admin, submit, key):
    made = await submit(
        "/budgets/new", scope="key", name="desk", amount="25.50", per="rolling", rolling="24h", stop="hard",
        when_away="closed", open="0.1", alerts="80, 50",
    )  # fmt: skip
    (where,) = made.headers["location"]
    (budget,) = (await quotas.list_quotas(ctx, "budget")).items
    changed = await submit(where, amount="30", stop="soft", when_away="open", open="", alerts="")
    shown = (await admin.get(where)).text
    asked = await submit(f"{where}/removal")
    gone = await submit(f"{where}/removal", sure=budget.id)

    assert (made.status, where) == (303, f"/budgets/{budget.id}")
    assert (budget.amount, budget.window, budget.when_away, budget.open_bound, budget.alerts) == (
        25_500_000_000, "rolling:86400", "closed", USD // 10, (50, 80),
    )  # fmt: skip
    assert changed.status == 303
    assert "$30.00" in shown
    assert "nothing is stopped (soft)" in shown
    assert asked.status == 200
    assert "Calls that it refuses come in at once" in asked.text
    assert gone.status == 303
    assert (await quotas.list_quotas(ctx, "budget")).items == ()
    assert (await admin.get(where)).status == 404


async def test_what_stops_calls_at_once_is_asked_for_twice(ctx, submit, spent):
    fields = {"scope": "key", "name": "desk", "amount": "9.99", "per": "month"}
    asked = await submit("/budgets/new", **fields)
    sure = re.search(r'name="sure" value="([^"]*)"', asked.text)[1]
    other = await submit("/budgets/new", **fields | {"amount": "5"}, sure=sure)
    before = (await quotas.list_quotas(ctx, "budget")).items
    made = await submit("/budgets/new", **fields, sure=sure)

    assert asked.status == 200
    assert "$10.00 are used already: every call that it counts is refused at once" in asked.text
    assert "This stops calls" in other.text  # another amount is another question
    assert before == ()
    assert made.status == 303
    assert len((await quotas.list_quotas(ctx, "budget")).items) == 1


async def test_a_change_below_what_is_used_is_asked_for_twice_and_one_that_lets_calls_in_is_not(ctx, submit, spent):
    budget = await set_budget(ctx)
    where = f"/budgets/{budget.id}"
    asked = await submit(where, amount="10", stop="hard")
    sure = re.search(r'name="sure" value="([^"]*)"', asked.text)[1]

    assert "refused at once" in asked.text
    assert (await quotas.get_quota(ctx, "budget", budget.id)).quota.amount == 25 * USD
    assert (await submit(where, amount="10", stop="hard", sure=sure)).status == 303
    assert (await submit(where, amount="9", stop="hard")).status == 303  # calls are refused already
    assert (await submit(where, amount="1", stop="soft")).status == 303
    assert "refused at once" in (await submit(where, amount="2", stop="hard")).text


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("/budgets/new", {"scope": "key", "name": "dusk", "amount": "1", "per": "day"}, "did you mean &#39;desk&#39;"),
        ("/budgets/new", {"scope": "project", "amount": "-1", "per": "day"}, "is no amount in USD"),
        ("/budgets/new", {"scope": "project", "amount": "1", "per": "rolling", "rolling": "1s"}, "rolling"),
        ("/budgets/new", {"scope": "project", "amount": "1", "per": "day", "alerts": "often"}, "is no threshold"),
        ("/budgets/new", {"scope": "nation", "amount": "1", "per": "day"}, "nothing that a budget or limit can be of"),
        ("/budgets/new", {}, "is no amount in USD"),
        ("/limits/new", {"scope": "project", "unit": "requests", "amount": "1,5", "per": "day"}, "no whole number"),
        ("/limits/new", {"scope": "project", "unit": "nano_usd", "amount": "1", "per": "day"}, "is no unit of a limit"),
        ("/limits/new", {"scope": "project", "unit": "parallel", "amount": "1", "stop": "soft"}, "soft"),
        ("/limits/new", {"scope": "project", "unit": "tokens", "amount": "9" * 20, "per": "day"}, "no amount of tokens"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("key")
async def test_what_cannot_be_set_is_said_above_the_form_as_it_was_filled_in(ctx, submit, path, fields, said):
    answer = await submit(path, **fields)

    assert answer.status == 200
    assert said in answer.text
    assert fields.get("alerts", "") in answer.text
    assert (await quotas.list_quotas(ctx, None)).items == ()


async def test_leases_and_who_holds_them_are_shown(ctx, admin, key):
    budget = await set_budget(ctx)
    await PostgresBank(ctx.db).take("gateway-1-abc", [Take(budget.id, USD, 2 * USD, 2 * USD)])

    page = (await admin.get(f"/budgets/{budget.id}")).text

    assert "gateway-1-abc" in page
    assert "$0 used, $2.00 held by workers, $23.00 left of $25.00" in page
    assert f"/traces?status=error&amp;text={budget.id}" in page


async def test_history_is_for_who_may_read_the_audit_record(ctx, admin, public, key):
    budget = await set_budget(ctx)
    await set_budget(ctx, usd=30)
    _, secret = await keys.create_key(ctx, "eyes", "viewer")
    seen = await public.get(f"/budgets/{budget.id}", headers={"authorization": f"Bearer {secret.reveal()}"})

    assert (await admin.get(f"/budgets/{budget.id}")).text.count("set it") == 2
    assert "Who may read the audit record" in seen.text
    assert "Change it" not in seen.text


async def test_who_may_set_nothing_gets_no_form_and_is_refused(ctx, public, key):
    budget = await set_budget(ctx)
    _, secret = await keys.create_key(ctx, "eyes", "viewer")
    sent = {"authorization": f"Bearer {secret.reveal()}"}

    assert "Set a budget" not in (await public.get("/budgets", headers=sent)).text
    for path in ("/budgets/new", f"/budgets/{budget.id}", f"/budgets/{budget.id}/removal", "/limits/new"):
        assert (await public.post(path, form={"amount": "0", "sure": budget.id}, headers=sent)).status == 403
    assert (await quotas.get_quota(ctx, "budget", budget.id)).quota == budget


async def test_a_limit_is_no_budget(ctx, admin, key):
    budget = await set_budget(ctx)

    assert (await admin.get(f"/limits/{budget.id}")).status == 404


async def test_entries_are_filtered_and_lead_to_their_traces(admin, spent):
    page = (await admin.get("/ledger?state=failed&key=desk&tag=night&model=fast")).text

    assert page.count("/ledger/") == 1
    assert f"/traces/{spent[0].trace_id}" in page
    assert "unknown" in page
    assert "No entry fits" in (await admin.get("/ledger?function=other")).text


@pytest.mark.parametrize(
    "asked", ["since=yesterday", "state=odd", "key=nobody", "member=nobody", "since=0001-01-01", "until=9999-12-31"]
)
async def test_what_cannot_be_asked_of_the_ledger_is_said_in_the_page(admin, spent, asked):
    answer = await admin.get(f"/ledger?{asked}")

    assert answer.status == 200
    assert 'role="alert"' in answer.text


async def test_entries_are_paged_with_the_filter_kept(ctx, admin, key):
    entries = [
        Entry(id=f"{n:016x}", project=ctx.project, organisation="default", at_ns=USD * (n + 1), model="fast", state="complete")
        for n in range(55)
    ]  # fmt: skip
    await PostgresBank(ctx.db).settle(entries)

    assert '<span class="count">55</span>' in (await admin.get("/ledger")).text
    first = (await admin.get("/ledger?model=fast")).text
    assert 'class="count"' not in first
    older = re.search(r'href="(/ledger\?cursor=[^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    second = (await admin.get(older)).text

    shown = [re.findall(r'href="/ledger/([0-9a-f]{16})"', page) for page in (first, second)]
    assert "model=fast" in older
    assert shown[0] + shown[1] == [entry.id for entry in reversed(entries)]


async def test_an_entry_shows_what_it_used_and_of_which_budgets(ctx, admin, key):
    budget = await set_budget(ctx)
    entry = Entry(
        id="00000000000000aa", project=ctx.project, organisation="default", at_ns=ctx.clock.now_ns(), key_id=key.line,
        input_tokens=1_000, cache_read_tokens=234, nano_usd=1_500, charges=(Charge(budget.id, "", 1_000), Charge(budget.id, "x", 500)),
    )  # fmt: skip
    await PostgresBank(ctx.db).settle([entry])

    page = (await admin.get(f"/ledger/{entry.id}")).text

    assert "234 tokens" in page
    assert "(1,500 nano-dollars)" in page
    assert page.count(f'href="/budgets/{budget.id}"') == 1
    assert "$0.000002" in page
    assert (await admin.get("/ledger/none")).status == 404


async def test_another_projects_entry_is_not_there(ctx, admin):
    async with ctx.db.across_projects().transaction() as connection:
        await execute(
            connection,
            "insert into projects (id, name, name_key, organisation, created_ns) values ('o', 'o', 'o', 'default', 1)",
        )
    entry = Entry(id="00000000000000bb", project="o", organisation="default", at_ns=USD, nano_usd=1)
    await PostgresBank(ctx.db).settle([entry])

    assert (await admin.get(f"/ledger/{entry.id}")).status == 404
    assert entry.id not in (await admin.get("/ledger")).text


async def test_what_a_quota_would_count_is_what_it_counts_once_it_is_made(ctx, spent):
    for scope, unit, window in (
        ("key desk", "nano_usd", "month"),
        ("model fast", "requests", "rolling:3600"),
        ("tag night", "tokens", "total"),
        ("organisation", "requests", "day"),
        ("function other", "requests", "day"),
    ):
        wish = QuotaWish(scope=scope, unit=unit, amount=10**15, window=window)
        foreseen = await foreseeing.foresee_set(ctx, wish)
        made = await quotas.set_quota(ctx, wish)

        assert foreseen.used == made.settled
        assert foreseen.stops == ""
        assert foreseen.before is None


async def test_a_bar_ends_where_the_amount_does_or_what_is_used_where_that_is_more(ctx, spent):
    within = gauges.gauge(await set_budget(ctx, usd=40, alerts=(50, 200)), ctx.clock.now_ns())
    beyond = gauges.gauge(await set_budget(ctx, usd=5), ctx.clock.now_ns())
    soft = gauges.gauge(await set_budget(ctx, usd=5, stop="soft"), ctx.clock.now_ns())
    nothing = gauges.gauge(await set_budget(ctx, usd=0), ctx.clock.now_ns())

    assert (within.settled_to, within.limit_at, within.marks, within.word) == (25, 100, (50,), "25 % used")
    assert (beyond.settled_to, beyond.limit_at, beyond.word, beyond.tone) == (100, 50, "used up", "bad")
    assert (soft.word, soft.tone) == ("200 % used", "warn")
    assert (nothing.word, nothing.limit_at) == ("lets nothing in", 0)
