"""Every page, furnished and empty, on a phone and on a desktop, light and dark: what a browser and a reader ask of it."""

import pytest

from flyball.web.navigation import SITE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]

NAVIGATION = [link.href for stage in SITE.stages for link in stage.items]
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
        "why": f"/why/{traces['answer']}",
        "why-hostile": f"/why/{traces['hostile']}",
        **{f"run-{state}": f"/runs/{run.id}" for state, run in runs.items()},
        "not-found": "/traces/" + "0" * 32,
    }


async def look(page, name, shots, world):
    """The page in both sizes and both schemes."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for size, viewport in SIZES.items():
            await page.set_viewport_size(viewport)
            if shots:
                (shots / world).mkdir(parents=True, exist_ok=True)
                await page.screenshot(path=shots / world / f"{name}-{size}-{scheme}.png", full_page=True)


async def test_every_page_of_a_furnished_flyball(works, browse, shots):
    async with browse(works) as (page, seen):
        for path in NAVIGATION:
            await page.goto(path)
            await look(page, path.strip("/") or "overview", shots, "full")
        for name, path in details(works.works).items():
            answered = await page.goto(path)
            if answered.status != 200:
                print(name, path, answered.status)
            await look(page, name, shots, "full")
        print("\n".join(seen.complaints), seen.elsewhere)
        seen.complaints.clear()


async def test_every_page_of_an_empty_flyball(empty, browse, shots):
    async with browse(empty) as (page, _):
        for path in NAVIGATION:
            await page.goto(path)
            await look(page, path.strip("/") or "overview", shots, "empty")
