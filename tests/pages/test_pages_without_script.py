"""The pages with JavaScript switched off: whatever a person can do, a plain form does."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]
PASSWORD = "brass weights turn slowly"  # noqa: S105 -- of a flyball that lives for one test


async def press(page, name):
    await page.get_by_role("button", name=name, exact=True).click()


async def test_a_person_signs_in_by_link_sets_a_password_and_comes_back_with_it_to_the_page_that_they_asked_for(
    empty, browse
):
    async with browse(empty, signed_in=False, java_script_enabled=False) as (page, _):
        await page.goto("/traces?status=error")
        await expect(page).to_have_url(re.compile("/sign-in"))
        await page.goto(await empty.link())
        await press(page, "Sign in by this link")
        await page.get_by_label("New password", exact=True).fill(PASSWORD)
        await page.get_by_label("New password again").fill(PASSWORD)
        await press(page, "Set the password")
        await expect(page.get_by_role("status")).to_contain_text("The password is set")
        await page.get_by_role("button", name="Sign out", exact=True).click()
        await expect(page).to_have_url(re.compile("/sign-in$"))

        await page.goto("/traces?status=error")
        await page.get_by_label("Name").fill("administrator")
        await page.get_by_label("Password").fill("not this one")
        await press(page, "Sign in")
        await expect(page.get_by_role("alert")).to_contain_text("the name or the password is wrong")
        await page.get_by_label("Name").fill("administrator")
        await page.get_by_label("Password").fill(PASSWORD)
        await press(page, "Sign in")

        await expect(page).to_have_url(f"{empty.url}/traces?status=error")
        await page.goto("/")
        await expect(page.get_by_role("heading", name="The loop")).to_be_visible()


async def test_a_used_link_says_how_to_get_another(empty, browse):
    link = await empty.link()
    async with browse(empty, signed_in=False, java_script_enabled=False) as (page, _):
        for _ in range(2):
            await page.context.clear_cookies()
            await page.goto(link)
            await press(page, "Sign in by this link")

        await expect(page.get_by_role("alert")).to_contain_text("flyball members sign-in-link")


@pytest.mark.parametrize(
    "elsewhere", ["//evil.invalid/", "/\\evil.invalid", "https://evil.invalid/", "javascript:alert(1)", "\t//x"]
)
async def test_the_page_to_come_back_to_is_always_one_of_ours(works, browse, elsewhere):
    async with browse(works, signed_in=False, java_script_enabled=False) as (page, _):
        await page.goto("/sign-in?next=" + elsewhere.replace("\\", "%5C").replace("\t", "%09"))

        assert await page.locator("input[name=next]").get_attribute("value") == ""


async def test_a_key_is_made_shown_once_and_revoked(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/keys")
        await page.get_by_role("textbox", name="Name").fill("gauge-reader")
        await press(page, "Create a key")
        notice = page.get_by_role("status")
        await expect(notice).to_contain_text("it is shown this once")
        secret = await notice.locator(".id span").inner_text()
        await page.goto("/keys")
        row = page.get_by_role("row", name=re.compile("gauge-reader"))
        await expect(row).to_contain_text("active")
        assert secret not in await page.content()
        await row.get_by_role("button", name="Revoke gauge-reader").click()

        await expect(page.get_by_role("status")).to_contain_text("The key gauge-reader is revoked.")
        await expect(page.get_by_role("row", name=re.compile("gauge-reader"))).to_contain_text("revoked")


async def test_a_budget_is_set_raised_and_removed_and_asks_before_it_stops_calls(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/budgets")
        await page.get_by_role("link", name="Set a budget").click()
        await page.get_by_label("Calls of").select_option("tag")
        await page.get_by_label("Its name").fill("night-shift")
        await page.get_by_label("USD", exact=True).fill("0.001")
        await press(page, "Set the budget")
        await expect(page.get_by_role("alert")).to_contain_text("This stops calls")
        await expect(page.get_by_label("Its name")).to_have_value("night-shift")
        await press(page, "Set it all the same")

        await expect(page.locator(".head .pill")).to_have_text("used up")
        await page.get_by_label("USD per month").fill("1,000")
        await press(page, "Change it")
        await expect(page.get_by_role("alert")).to_contain_text("is no amount in USD")
        await page.get_by_label("USD per month").fill("1000")
        await press(page, "Change it")
        await expect(page.locator(".head .pill")).to_have_text("0 % used")
        await press(page, "Remove this budget")
        await expect(page.get_by_role("alert")).to_contain_text("come in at once")
        await press(page, "Yes, remove the budget")
        await expect(page.get_by_role("status")).to_contain_text("The budget of tag night-shift is removed.")


async def test_somebody_is_told_tested_and_told_no_more(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/notifications")
        await page.get_by_role("link", name="Tell somebody").click()
        await page.get_by_label("Webhook or mailbox").fill("https://10.0.0.1/hook")
        await press(page, "Tell it")
        await expect(page.get_by_role("status")).to_contain_text("is not called: it leads to a private network")
        await page.get_by_label("Webhook or mailbox").fill("bob@example.com")
        await press(page, "Tell it")
        row = page.get_by_role("row", name=re.compile("bob@example.com")).first
        await expect(page.locator(".notice.warn")).to_contain_text("This server sends no e-mail")
        await row.get_by_role("button", name="Send a test to bob@example.com").click()
        await expect(page.get_by_role("cell", name="A test of flyball's notifications")).to_be_visible()
        await row.get_by_role("button", name="Tell bob@example.com no more").click()
        await expect(page.get_by_role("status")).to_contain_text("bob@example.com is told no more.")


async def test_entries_of_the_ledger_are_filtered_paged_and_lead_to_their_traces(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/ledger")
        await page.get_by_label("Model").fill("assistant")
        await press(page, "Filter")
        rows = page.locator("tbody tr")
        await expect(rows).to_have_count(50)
        first = await rows.first.locator("a").first.get_attribute("href")
        await page.get_by_role("link", name="Older").click()
        await expect(rows).to_have_count(50)
        assert await rows.first.locator("a").first.get_attribute("href") != first
        await expect(page.get_by_label("Model")).to_have_value("assistant")
        await page.goto(f"/ledger/{works.works.entry}")
        await page.get_by_role("link", name="The ledger").click()

        await page.locator("tbody tr a[href^='/traces/']").first.click()
        await expect(page).to_have_url(re.compile("/traces/[0-9a-f]{32}"))


async def test_costs_are_asked_by_another_name_narrowed_and_taken_along_as_a_file(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/costs")
        whole = await page.locator("dl.figures dd").first.inner_text()
        await page.locator("select[name=by]").select_option("function")
        await press(page, "Show")
        await page.get_by_role("link", name="ask-works").first.click()
        await expect(page.locator(".narrowed")).to_contain_text("function ask-works")
        assert await page.locator("dl.figures dd").first.inner_text() != whole
        await expect(page.locator("select[name=by]")).to_have_value("variant")
        await page.get_by_role("link", name="Not only the function ask-works").click()
        await expect(page.locator("dl.figures dd").first).to_have_text(whole)
        await page.get_by_text("In numbers").click()
        await expect(page.locator("details[open] tbody tr").first).to_be_visible()
        assert await page.locator("details[open] tbody tr").count() in {
            30,
            31,
        }  # late in the day the first has no entry
        async with page.expect_download() as taken:
            await page.get_by_role("link", name="Export FOCUS").click()

        lines = Path(await (await taken.value).path()).read_text().splitlines()
        assert "BilledCost" in lines[0]
        assert len(lines) > 100


async def test_traces_are_filtered_paged_and_opened(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/traces")
        await page.get_by_label("State").select_option("error")
        await press(page, "Filter")
        rows = page.locator("tbody tr")
        states = await rows.locator("td[data-label=State]").all_inner_texts()
        assert set(states) == {"error"}
        await page.get_by_role("link", name="Clear").click()
        await expect(rows).to_have_count(50)
        first = await rows.first.locator("a").get_attribute("href")
        await page.get_by_role("link", name="Older").click()
        await expect(rows).to_have_count(50)
        assert await rows.first.locator("a").get_attribute("href") != first
        await page.get_by_label("Text").fill("night shift")
        await press(page, "Filter")
        await rows.first.locator("a").click()

        await expect(page.get_by_role("heading", name="Spans")).to_be_visible()


async def test_a_span_of_a_trace_is_chosen_and_feedback_is_given(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto(f"/traces/{works.works.called[2]}")
        await page.get_by_role("link", name="retrieve handbook").click()
        await expect(page.locator("tr[aria-current]")).to_contain_text("retrieve handbook")
        await page.get_by_label("Comment").fill("the wrong wick")
        await page.get_by_label("What the answer should have been").fill("Trim it each month.")
        await press(page, "Bad answer")

        await expect(page.get_by_role("status")).to_contain_text("The feedback is kept.")
        await expect(page.locator("aside .lines")).to_contain_text("the wrong wick")
        await page.goto("/scores?name=feedback")
        await expect(page.locator("tbody")).to_contain_text("Trim it each month.")


async def test_a_report_leads_to_a_release_that_is_approved_served_and_rolled_back(works, browse):
    first = works.works.releases["live"]
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto(f"/reports/{works.works.reports['works-quality'][-1].id}")
        await press(page, "Propose best-passage")
        await expect(page.get_by_role("status")).to_contain_text("it waits for an approval")
        await page.get_by_label("Comment").fill("read it twice")
        await press(page, "Approve these bytes")
        await expect(page.locator(".head .pill")).to_have_text("approved")
        await press(page, "Serve it")
        await expect(page.locator(".head .pill")).to_have_text("live")
        await page.goto(f"/releases/{first}")
        await expect(page.locator(".head .pill")).to_have_text("superseded")
        await press(page, "Roll back to it")

        await expect(page.get_by_role("status")).to_contain_text("Version 2 is back")
        await expect(page.locator(".head .pill")).to_have_text("live")


async def test_an_import_a_build_and_an_evaluation_are_queued(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        for path, fill, button in (
            ("/datasets", {"Name": "attic-2", "Path on flyball's machine": "/nowhere/attic"}, "Import"),
            ("/indexes/handbook", {}, "Build again"),
            ("/evaluations/works-glance", {}, "Run"),
        ):
            await page.goto(path)
            for label, value in fill.items():
                await page.get_by_label(label).fill(value)
            await press(page, button)

            await expect(page).to_have_url(re.compile("/runs/run_"))
            await expect(page.locator(".head .pill")).to_have_text("queued")


async def test_the_chain_of_the_audit_record_is_verified(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/audit")
        await press(page, "Verify the chain")

        await expect(page.get_by_role("status")).to_contain_text("The chain holds")


async def test_nothing_that_needs_a_script_is_shown(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto(f"/traces/{works.works.called[0]}")

        assert await page.locator("button.copy:visible, button[data-theme-toggle]:visible").count() == 0


async def test_the_menu_of_a_phone_opens_and_leads_on(works, browse):
    async with browse(works, java_script_enabled=False, viewport={"width": 390, "height": 844}) as (page, _):
        await page.goto("/")
        await page.get_by_label("Menu", exact=True).click()
        await page.get_by_role("navigation", name="The loop, folded").get_by_role("link", name="Releases").click()

        await expect(page.get_by_role("heading", name="Releases")).to_be_visible()


async def test_log_records_are_narrowed_opened_and_led_to_their_span_by_plain_forms_and_keys(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/logs")
        await page.get_by_label("Text").fill("gauge 3")
        await page.get_by_label("As bad as").select_option("info")
        await press(page, "Filter")
        record = page.locator("details.log")
        await expect(record).to_have_count(1)
        await record.locator("summary").focus()
        await page.keyboard.press("Enter")
        await expect(record.locator("pre")).to_contain_text("boiler-house")
        await page.locator("td a.mono").click()
        await expect(page).to_have_url(re.compile(f"/traces/{works.works.traces['application']}"))
        await expect(page.get_by_role("heading", name="Log records")).to_be_visible()


async def test_a_metric_is_found_by_its_name_and_looked_at_over_another_time(works, browse):
    async with browse(works, java_script_enabled=False) as (page, _):
        await page.goto("/measurements")
        await page.get_by_label("Name").fill("shovel")
        await press(page, "Filter")
        await page.get_by_role("link", name="shovel.duration").click()
        await page.get_by_label("When").select_option("6h")
        await press(page, "Show")
        await expect(page.get_by_role("img", name=re.compile("Quantiles of shovel.duration"))).to_be_visible()
        await page.get_by_text("In numbers").click()
        await expect(page.locator("details table")).to_contain_text("% below")
