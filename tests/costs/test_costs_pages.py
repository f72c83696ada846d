"""The page of costs: what it shows, how it is narrowed, what it says of what cannot be asked; how bars are drawn."""

import pytest
from spending_calls import DAY, HOUR, NOON, USD, entry, settle

from flyball.costs import charts
from flyball.costs.records import Forecast, Moved, Mover, Point, Spend, Sums, Window
from flyball.ledger.bank_postgres import PostgresBank
from flyball.projects import keys


@pytest.fixture
async def spent(ctx):
    """What a key's calls cost today and forty days ago, of two functions, one attempt at no known price."""
    key = (await keys.create_key(ctx, "desk")).key
    now_ns = ctx.clock.now_ns()
    common = {"key_id": key.line, "model": "fast", "provider": "openai", "tags": ("night",)}
    await PostgresBank(ctx.db).settle(
        [
            entry(at_ns=now_ns - 40 * DAY, function="triage", variant="a", nano_usd=USD, **common),
            entry(at_ns=now_ns - HOUR, function="triage", variant="a", nano_usd=3 * USD, **common),
            entry(at_ns=now_ns - HOUR, function="answer", variant="b", nano_usd=USD // 2, **common),
            entry(at_ns=now_ns - HOUR, function="answer", variant="b", nano_usd=None, **common),
        ]
    )
    return key


async def test_the_page_shows_what_was_spent_by_whom_and_against_the_window_before(admin, spent):
    page = (await admin.get("/costs?by=function")).text

    assert "<dt>Spent</dt><dd>$3.50</dd>" in page
    assert "+$2.50" in page
    assert "+250 % of $1.00" in page
    assert "attempts, counted as nothing" in page
    assert page.index(">triage</a>") < page.index(">answer</a>")
    assert "85.7 %" in page


async def test_why_costs_changed_is_told_in_price_volume_and_mix(admin, spent):
    page = (await admin.get("/costs?by=function")).text
    part = page[page.index("What changed, and why") :]

    row = part[part.index(">triage</a>") :]
    assert 'data-label="Price">+$2.00' in row[: row.index("</tr>")]
    assert "from $1.00" in row[: row.index("</tr>")]
    assert ">new</span>" in part[part.index(">answer</a>") :]


async def test_a_name_leads_to_the_same_page_for_it_alone(admin, spent):
    by_key = (await admin.get("/costs?by=key&last=90d")).text
    narrowed = (await admin.get(f"/costs?by=model&last=90d&key={spent.line}")).text
    function = (await admin.get("/costs?by=variant&function=answer")).text

    assert f"/costs?last=90d&amp;by=model&amp;key={spent.line}" in by_key
    assert f"/keys/{spent.line}" in by_key
    assert "key desk</span>" in narrowed
    assert "all keys</a>" in narrowed
    assert "<dt>Spent</dt><dd>$0.500000</dd>" in function
    assert "/ledger?function=answer&amp;since=" in function


async def test_the_entries_behind_it_are_those_that_it_counts(ctx, admin, spent):
    page = (await admin.get("/costs?by=model&function=answer")).text
    start = page.index("/ledger?function=answer")
    listed = (await admin.get(page[start : page.index('"', start)].replace("&amp;", "&"))).text

    assert listed.count('href="/ledger/') == 2


async def test_units_forecast_and_savings_say_what_nobody_knows(ctx, admin):
    await settle(ctx, entry(at_ns=ctx.clock.now_ns(), function="triage"))
    page = (await admin.get("/costs")).text

    assert "nobody judged" in page
    assert "nobody can say" in page
    assert "flyball has none yet" in page


@pytest.mark.parametrize(
    "asked",
    [
        "since=2026-03-02&until=2026-03-01", "since=yesterday", "last=eternity", "by=weather", "key=nobody", "member=nobody",
        "state=odd", "since=2999-01-01", "since=0001-01-01&until=9999-12-31", "function=" + "x" * 300, "project=other",
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_said_in_the_page_with_the_next_step(admin, spent, asked):
    answer = await admin.get(f"/costs?{asked}")

    assert answer.status == 200
    assert 'role="alert"' in answer.text
    assert "<dt>Spent</dt>" not in answer.text


async def test_a_name_that_no_call_has_named_is_told(admin, spent):
    page = (await admin.get("/costs?function=tirage")).text

    assert "no call has named the function &#39;tirage&#39; yet" in page
    assert "Nothing was called in this window" in page


async def test_the_whole_organisation_is_for_its_owners(ctx, admin, public, spent):
    _, secret = await keys.create_key(ctx, "eyes", "viewer")
    sent = {"authorization": f"Bearer {secret.reveal()}"}

    assert "the organisation</option>" in (await admin.get("/costs")).text
    assert "the organisation</option>" not in (await public.get("/costs", headers=sent)).text
    assert "only an owner of the organisation may" in (await public.get("/costs?wide=yes", headers=sent)).text
    assert "<dt>Spent</dt><dd>$3.50</dd>" in (await admin.get("/costs?wide=yes&by=project")).text


async def test_who_may_not_read_the_ledger_sees_no_costs(ctx, public):
    _, secret = await keys.create_key(ctx, "app", "application")

    assert (await public.get("/costs", headers={"authorization": f"Bearer {secret.reveal()}"})).status == 403


async def test_the_files_are_of_the_window_that_is_shown(admin, spent):
    page = (await admin.get("/costs?since=2026-01-01&until=2026-02-01&last=7d")).text

    assert "/api/costs/export?format=focus&amp;since=2026-01-01&amp;until=2026-02-01" in page


def spend_of(*amounts, step="day"):
    points = tuple(Point(NOON + DAY * number, amount, 1, 1) for number, amount in enumerate(amounts))
    return Spend(
        window=Window(NOON, NOON + DAY), by="model", total=Sums(), rows=(), names=0, others=Sums(), overlapping=False, step=step,
        series=points,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dearest", "lines"),
    [(1, [1]), (4, [1, 2, 3, 4]), (5, [2, 4, 6]), (130, [50, 100, 150]), (10**18, [5 * 10**17, 10**18]), (0, [])],
)
def test_a_grid_stands_at_round_amounts_and_reaches_the_dearest(dearest, lines):
    drawn = charts.chart(spend_of(0, dearest))

    assert [line.nano_usd for line in drawn.lines] == lines
    assert all(0 <= line.y <= charts.HIGH for line in drawn.lines)


def test_bars_are_as_high_as_what_was_spent_and_what_is_little_is_seen():
    none, little, half, whole = charts.chart(spend_of(0, 1, 2 * USD, 4 * USD)).bars

    assert (none.height, little.height, half.height, whole.height) == (0, 1.5, 80, 160)
    assert whole.y == 0
    assert charts.chart(spend_of(0, 0)).most is None
    assert charts.chart(spend_of()).bars == ()


def test_a_change_points_to_its_side_of_none():
    more = Mover(name="a", id="a", moved=Moved(before=0, after=10, delta=10))
    less = Mover(name="b", id="b", moved=Moved(before=5, after=0, delta=-5))

    assert charts.change(more, 10) == (50, 50)
    assert charts.change(less, 10) == (25, 25)


def test_an_outlook_holds_what_is_spent_expected_and_between():
    known = Forecast(
        month="2026-06", window=Window(0, 1), spent=50, unpriced=0, expected=80, low=60, high=100, confidence=0.8,
        method="weekdays", days=20, told="",
    )  # fmt: skip
    drawn = charts.outlook(known)
    nobody = charts.outlook(
        Forecast(
            **{name: getattr(known, name) for name in known.__struct_fields__}
            | dict.fromkeys(("expected", "low", "high"))
        )
    )

    assert drawn.spent.width < drawn.interval.left < drawn.expected < drawn.interval.left + drawn.interval.width < 100
    assert (nobody.interval, nobody.expected) == (None, None)
    assert 90 < nobody.spent.width < 100
