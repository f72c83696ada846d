"""Every page, furnished and empty, on a phone and on a desktop, light and dark: what a browser and a reader ask of it."""

import html
import re
from collections import Counter
from pathlib import Path

import pytest

from flyball.web.navigation import SITE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

NAVIGATION = [link.href for stage in SITE.stages for link in stage.items]
ALWAYS_FULL = {
    "/audit",
    "/account",
    "/reference",
    "/members",
    "/roles",
    "/projects",
    "/security",
    "/health",
}  # what a new flyball has as well
INSPECTION = (Path(__file__).parent / "works" / "inspection.js").read_text()
LINK = re.compile(r'<a [^>]*href="([^"]*)"')
OF_MANY = re.compile(r"(?<=/)[^/?]*[0-9a-f]{8}[^/?]*|\?.*")
SIZES = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


def details(works):
    """One page of every kind that a furnished list leads to, and the lists' filters."""
    reports, releases, traces, runs = works.reports, works.releases, works.traces, works.runs
    first, second = (report.id for report in reports["works-quality"])
    return {
        "dataset": "/datasets/handbook",
        "dataset-rows": "/datasets/questions",
        "dataset-declared": "/datasets/letters",
        "row": "/datasets/handbook/versions/1/rows/governor%2Fpurpose.md",
        "row-hostile": "/datasets/handbook/versions/1/rows/hostile.md",
        "row-learned": "/datasets/questions/versions/2/rows/q900",
        "index": "/indexes/handbook",
        "index-search": "/indexes/handbook?query=oil+the+spindle",
        "index-nothing": "/indexes/handbook?query=zzzz",
        "index-declared": "/indexes/letters",
        "function": "/functions/ask-works",
        "function-new": "/functions/triage",
        "prompt": "/prompts/ask",
        "model": "/models/assistant",
        "evaluation": "/evaluations/works-quality",
        "report-pass": f"/reports/{first}",
        "report-inconclusive": f"/reports/{reports['works-glance'][0].id}",
        "comparison": f"/reports/{first}/comparisons/{second}",
        **{f"release-{state}": f"/releases/{id_}" for state, id_ in releases.items()},
        "trace-answer": f"/traces/{traces['answer']}",
        "trace-deep": f"/traces/{traces['deep']}",
        "trace-hostile": f"/traces/{traces['hostile']}",
        "trace-application": f"/traces/{traces['application']}",
        "traces-failed": "/traces?status=error",
        "traces-none": "/traces?function=nothing",
        "logs-bad": "/logs?level=error&last=7d",
        "logs-none": "/logs?service=nothing",
        "logs-of-a-trace": f"/logs?trace={traces['application']}",
        "metric-gauge": "/measurements/boiler.pressure",
        "metric-sum": "/measurements/coal.burnt?last=6h",
        "metric-histogram": "/measurements/shovel.duration",
        "metric-summary": "/measurements/letter.age?last=7d",
        "metric-series": "/measurements/valve.lift",
        "metric-hostile": "/measurements/%3Cscript%3Edocument.title%3D%22taken%20over%22%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D%27taken%20over%27%22%3E",
        "metric-none": "/measurements/nothing",
        "metrics-none": "/measurements?text=nothing&last=30d",
        "why": f"/why/{traces['answer']}",
        "why-hostile": f"/why/{traces['hostile']}",
        **{f"run-{state}": f"/runs/{run.id}" for state, run in runs.items()},
        **{
            f"quota-{name}": f"/{'budgets' if quota.unit == 'nano_usd' else 'limits'}/{quota.id}"
            for name, quota in works.quotas.items()
        },
        "budget-form": "/budgets/new",
        "limit-form": "/limits/new?scope=key&name=my-app",
        "budgets-of-a-key": "/budgets?scope=key+my-app&which=budget",
        "budgets-none": "/budgets?scope=key+nobody",
        "ledger-filtered": "/ledger?state=failed&since=2026-01-01T00:00:00Z",
        "ledger-none": "/ledger?function=nothing",
        "ledger-wrong": "/ledger?since=yesterday",
        "costs-by-function": "/costs?by=function&last=7d",
        "costs-narrowed": "/costs?by=variant&function=ask-works",
        "costs-by-tag": "/costs?by=tag&last=24h",
        "costs-by-key-everywhere": "/costs?by=key&wide=yes&last=month",
        "costs-none": "/costs?function=nothing",
        "costs-wrong": "/costs?since=2026-01-02&until=2026-01-01",
        "ledger-entry": f"/ledger/{works.entry}",
    }


async def look(page, name, shots, world):
    """What is wrong with the page in both sizes and both schemes."""
    wrong = []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for size, viewport in SIZES.items():
            await page.set_viewport_size(viewport)
            wrong += [f"{name}, {size}, {scheme}: {found}" for found in await page.evaluate(INSPECTION)]
            if shots:
                (shots / world).mkdir(parents=True, exist_ok=True)
                await page.screenshot(path=shots / world / f"{name}-{size}-{scheme}.png", full_page=True)
    return wrong


async def test_every_page_of_a_furnished_flyball_is_fit_to_be_read(works, browse, shots):
    pages = {path.strip("/") or "overview": path for path in NAVIGATION} | details(works.works)
    wrong = []
    async with browse(works) as (page, _):
        for name, path in pages.items():
            answered = await page.goto(path)
            if answered.status != 200:
                wrong.append(f"{name}: {path} answered {answered.status}")
            wrong += await look(page, name, shots, "full")

    assert not wrong, "\n".join(wrong)


async def test_every_page_of_an_empty_flyball_names_the_next_command(empty, browse, shots):
    wrong = []
    async with browse(empty) as (page, _):
        for path in NAVIGATION:
            answered = await page.goto(path)
            wrong += [] if answered.status == 200 else [f"{path} answered {answered.status}"]
            wrong += await look(page, path.strip("/") or "overview", shots, "empty")
            if path not in ALWAYS_FULL:
                command = await page.locator(".empty .command code").first.inner_text()
                wrong += [] if command.startswith("flyball ") else [f"{path} names no command"]

    assert not wrong, "\n".join(wrong)


async def test_what_is_not_there_is_said_in_the_frame_with_the_next_step(works, browse):
    async with browse(works) as (page, seen):
        for path in (
            "/traces/" + "0" * 32,
            "/datasets/nothing",
            "/releases/rel_no",
            "/why/" + "0" * 32,
            "/nowhere",
            "/traces?cursor=x",
        ):
            answered = await page.goto(path)

            assert answered.status in (400, 404)
            assert await look(page, path, None, "") == []
            assert "Next" in await page.get_by_role("alert").inner_text()
        assert {"status of 40" in complaint for complaint in seen.complaints} == {True}
        seen.complaints.clear()


async def test_the_door_is_fit_to_be_read(works, browse, shots):
    async with browse(works, signed_in=False) as (page, _):
        for name, path in {
            "sign-in": "/sign-in",
            "sign-in-link": await works.link(),
            "asked": "/traces?status=ok",
        }.items():
            await page.goto(path)

            assert await look(page, name, shots, "door") == []


async def test_every_link_of_every_page_leads_to_a_page(works, browse):
    dead, asked, kinds, waiting = [], set(), Counter(), ["/"]
    async with browse(works) as (page, _):
        while waiting:
            path = waiting.pop()
            answered = await page.request.get(path, max_redirects=0)
            if answered.status != 200:
                dead.append(f"{path} answered {answered.status}")
            for address in LINK.findall(await answered.text()):
                link = html.unescape(address).partition("#")[0]
                kind = OF_MANY.sub("/…", link)  # of two hundred traces, some
                if link.startswith("/") and link not in asked and kinds[kind] < 12:
                    asked.add(link)
                    kinds[kind] += 1
                    waiting.append(link)

    assert dead == []
    assert len(asked) > 60
