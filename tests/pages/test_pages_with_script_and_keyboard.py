"""The little script, the keyboard, and text that means harm: what is live, what can be reached, what stays inert."""

import re

import pytest
from playwright.async_api import expect

from flyball.ledger import quotas
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.declared import QuotaWish
from flyball.ledger.records import Take

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

FOCUS = """() => {
  const e = document.activeElement, s = getComputedStyle(e), box = e.getBoundingClientRect();
  return {tag: e.tagName, text: (e.getAttribute("aria-label") || e.innerText || e.name || "").trim().slice(0, 40),
          ring: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2, seen: box.width > 0 && box.right > 0,
          place: [...document.querySelectorAll("*")].indexOf(e)};
}"""


async def tab_through(page, most=200):
    """Every stop of the Tab key, in order, until it leaves the page."""
    stops = []
    for _ in range(most):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(FOCUS)
        if stop["tag"] == "BODY" or (stops and stop["place"] == stops[0]["place"]):
            break
        stops.append(stop)
    return stops


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/", "/keys", "/releases", "trace", "/budgets", "/budgets/new", "/ledger?state=lost", "/costs"]
)
async def test_the_tab_key_reaches_everything_in_the_order_of_the_page_with_a_visible_focus(
    works, browse, path, scheme
):
    path = f"/traces/{works.works.called[0]}" if path == "trace" else path
    async with browse(works, color_scheme=scheme) as (page, _):
        await page.goto(path)
        stops = await tab_through(page)
        controls = await page.locator(
            "a:visible, button:visible, input:visible, select:visible, textarea:visible"
        ).count()

        assert stops[0]["text"] == "Skip to the content"
        assert [stop for stop in stops if not (stop["ring"] and stop["seen"])] == []
        assert [stop["place"] for stop in stops] == sorted(stop["place"] for stop in stops)
        assert len(stops) >= controls


async def test_the_skip_link_leads_past_the_navigation(works, browse):
    async with browse(works) as (page, _):
        await page.goto("/datasets")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")

        stop = await page.evaluate(FOCUS)
        assert (stop["tag"], stop["text"]) == ("A", "attic")


async def test_a_person_goes_from_the_overview_to_a_release_and_approves_it_with_the_keyboard_alone(works, browse):
    async with browse(works) as (page, _):
        await page.goto("/")
        await reach(page, "Releases")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/releases")
        await page.goto(f"/releases/{works.works.releases['proposed']}")
        await reach(page, "comment")
        await page.keyboard.type("by keyboard")
        await reach(page, "Approve these bytes")
        await page.keyboard.press("Enter")

        await expect(page.locator(".head .pill")).to_have_text("approved")
        await expect(page.locator("tbody").last).to_contain_text("by keyboard")


async def reach(page, text):
    for _ in range(100):
        await page.keyboard.press("Tab")
        if (await page.evaluate(FOCUS))["text"] == text:
            return
    raise AssertionError(f"the Tab key never reaches {text!r}")


async def test_the_theme_is_switched_kept_and_set_before_the_page_is_drawn(works, browse):
    async with browse(works, color_scheme="light") as (page, _):
        await page.goto("/")
        background = "getComputedStyle(document.body).backgroundColor"
        light = await page.evaluate(background)
        await page.locator(".side [data-theme-toggle]").click()
        dark = await page.evaluate(background)
        await page.goto("/datasets")

        assert light != dark
        assert await page.evaluate(background) == dark


async def test_an_identifier_is_copied(works, browse):
    async with browse(works, permissions=["clipboard-read", "clipboard-write"]) as (page, _):
        trace_id = works.works.called[0]
        await page.goto(f"/traces/{trace_id}")
        await page.get_by_role("button", name=f"Copy {trace_id}").click()

        await expect(page.locator("[data-said=copied]")).to_have_count(1)
        assert await page.evaluate("navigator.clipboard.readText()") == trace_id


async def test_a_new_trace_appears_by_itself_within_five_seconds(works, browse, furnished):
    async with browse(works) as (page, _):
        await page.goto("/traces")
        before = await page.locator("h1 + .count").inner_text()
        spans = furnished.application(works.works)
        async with works.ctx.db.transaction() as connection:
            items = [furnished.inbox.span_item(span) for span in spans]
            await furnished.inbox.append_once(connection, items, now_ns=works.ctx.clock.now_ns())

        await expect(page.locator(f"#traces a[href='/traces/{spans[0].trace_id}']")).to_be_visible(timeout=5_000)
        assert await page.locator("h1 + .count").inner_text() == before  # the head is not live; a reload counts again


async def test_a_running_run_shows_how_far_it_is_without_a_reload(works, browse, furnished):
    run = works.works.runs["running"]
    ledger = furnished.RunLedger(works.ctx)
    async with browse(works) as (page, _):
        await page.goto(f"/runs/{run.id}")
        await expect(page.locator("#run")).to_contain_text("11 of 25")
        await ledger.progress(run.id, 20, 25, "nearly there")

        await expect(page.locator("#run")).to_contain_text("20 of 25", timeout=5_000)
        await ledger.progress(run.id, 11, 25, "asking")


async def test_what_workers_take_of_a_budget_shows_without_a_reload(works, browse):
    limit = works.works.quotas["parallel"]
    bank = PostgresBank(works.ctx.db)
    async with browse(works) as (page, _):
        await page.goto(f"/limits/{limit.id}")
        await expect(page.locator("#now tbody tr")).to_have_count(2)
        await bank.take("gateway-3-just-started", [Take(limit.id, 1, 1, 1)])

        await expect(page.locator("#now")).to_contain_text("gateway-3-just-started", timeout=5_000)
        await expect(page.locator("#now .figures")).to_contain_text("3 parallel calls")


async def test_a_person_lowers_a_budget_below_what_is_used_with_the_keyboard_alone(works, browse):
    budget = await quotas.set_quota(
        works.ctx, QuotaWish(scope="model assistant", unit="nano_usd", amount=10**12, window="total")
    )
    async with browse(works) as (page, _):
        await page.goto(f"/budgets/{budget.id}")
        await reach(page, "amount")
        await page.keyboard.press("Control+A")
        await page.keyboard.type("0.01")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("This stops calls")
        await reach(page, "Change it all the same")
        await page.keyboard.press("Enter")

        await expect(page.locator("#now .head .pill")).to_have_text("used up")
    await quotas.remove_quota(works.ctx, "budget", budget.id)


async def test_hostile_texts_are_shown_and_do_nothing(works, browse, furnished):
    hostile = works.works.traces["hostile"]
    async with browse(works) as (page, _):
        for path in (
            f"/traces/{hostile}",
            f"/why/{hostile}",
            "/traces",
            "/keys",
            "/scores",
            "/budgets",
            "/ledger",
            "/costs?by=key",
            "/costs?by=model",
            "/",
            "/datasets/handbook",
            "/datasets/handbook/versions/1/rows/hostile.md",
            "/indexes/handbook?query=taken",
        ):
            answered = await page.goto(path)
            body = (await answered.body()).decode()

            assert "<script>document" not in body
            assert "<img" not in body
            assert 'href="javascript' not in body
            assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e]", body)
            assert "taken over" not in await page.title() or "<" in await page.title()
            assert await page.locator("main script, main img, main iframe").count() == 0


async def test_a_hostile_filter_is_text_too(works, browse, furnished):
    async with browse(works) as (page, _):
        await page.goto("/traces")
        await page.get_by_label("Text").fill(furnished.MARKUP)
        await page.get_by_role("button", name="Filter", exact=True).click()

        await expect(page.get_by_label("Text")).to_have_value(furnished.MARKUP)
        assert await page.locator("tbody tr").count() == 1


async def test_the_notice_of_a_page_says_what_a_hostile_name_says_and_nothing_more(works, browse, furnished):
    async with browse(works) as (page, _):
        await page.goto("/keys")
        name = '<b onmouseover="alert(1)">`</b>'
        await page.get_by_role("textbox", name="Name").fill(name)
        await page.get_by_role("button", name="Create a key").click()
        await page.get_by_role("button", name=f"Revoke {name}").click()

        await expect(page.get_by_role("status")).to_contain_text(f"The key {name} is revoked.")
        assert await page.locator("main b").count() == 0
