"""The first page: the loop with what lies at each stage, and the one command that leads on. Reads a little of every room."""

import asyncio
from typing import Any

import msgspec

from flyball.datasets import service as datasets
from flyball.evaluations import service as evaluations
from flyball.evaluations.reports import Metric, ReportLine
from flyball.functions import service as functions
from flyball.health import service as health
from flyball.indexes import service as indexes
from flyball.infra.context import Context
from flyball.kit.clock import NANOSECONDS
from flyball.kit.paging import Page
from flyball.releases import service as releases
from flyball.releases.records import Release
from flyball.surface.html import Pages
from flyball.surface.http import ContextDep
from flyball.traces import service as traces
from flyball.traces.records import Activity, TraceCounts, TraceRow

pages = Pages(tag="overview", section="/")

_MINUTE = 60 * NANOSECONDS
# How far the chart looks back: the first line whose reach covers all traces, else the last. (stretch, how many, in words)
_WINDOWS = ((_MINUTE, 60, "an hour"), (30 * _MINUTE, 48, "a day"), (180 * _MINUTE, 56, "a week"))
_MOST_COUNTED = 200  # scores, reports, releases; beyond it the figure says so
_MOST_REPORTS = 5  # shown


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the loop: its verb, where it is, how much lies there, and a word about its state."""

    verb: str
    href: str
    figure: str
    word: str


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """A live release, and what its evidence says of the variant that serves most: None where there is no evidence."""

    release: Release
    metric: Metric | None


class OverviewPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/overview.html shows. `command` is the next one to run, empty when the loop is closed; `lag` what is wrong with it."""

    stops: tuple[Stop, ...]
    command: str
    sentence: str
    live: tuple[Serving, ...]
    reports: tuple[ReportLine, ...]
    traces: tuple[TraceRow, ...]
    activity: Activity
    window: str
    lag: str


@pages.get("/", permission="traces.read", template="web/overview.html")
async def overview(ctx: ContextDep) -> OverviewPage:
    """The loop at a glance."""
    counts, recent = await asyncio.gather(traces.count_lately(ctx), traces.list_traces(ctx, limit=6))
    reports = await evaluations.list_reports(ctx, None, "", _MOST_COUNTED)
    shown = (await releases.list_releases(ctx, None, "", _MOST_COUNTED)).items
    live = tuple([await _serving(ctx, release) for release in shown if release.status == "live"])
    activity, window = await _activity(ctx, counts)
    stops = await _stops(ctx, counts, reports, live)
    command, sentence = _next(stops)
    return OverviewPage(
        stops=stops,
        command=command,
        sentence=sentence,
        live=live,
        reports=reports.items[:_MOST_REPORTS],
        traces=recent.items,
        activity=activity,
        window=window,
        lag=await health.warning_of(ctx),
    )


async def _stops(
    ctx: Context, counts: TraceCounts, reports: Page[ReportLine], live: tuple[Serving, ...]
) -> tuple[Stop, ...]:
    versions = await datasets.list_datasets(ctx)
    rows = sum(dataset.newest.rows for dataset in versions if dataset.newest)
    built = await indexes.list_indexes(ctx)
    chunks = sum(index.newest.chunks for index in built if index.newest)
    scores = await traces.list_scores(ctx, limit=_MOST_COUNTED)
    judged, reported = _counted(scores), _counted(reports)
    last = f"the last: {reports.items[0].verdict}" if reports.items else "none yet"
    return (
        _stop("Collect", "/datasets", len(versions), "dataset", f"{rows:,} rows"),
        _stop("Prepare", "/indexes", len(built), "index", f"{chunks:,} chunks"),
        _stop("Adapt", "/functions", len(await functions.list_functions(ctx)), "function", "with variants"),
        Stop(
            verb="Evaluate",
            href="/evaluations",
            figure=reported,
            word=f"{'report' if reported == '1' else 'reports'}, {last}",
        ),
        _stop("Release", "/releases", len(live), "live release", "on evidence"),
        _stop("Observe", "/traces", counts.traces, "trace", f"{counts.errors:,} failed"),
        Stop(verb="Learn", href="/scores", figure=judged, word="score" if judged == "1" else "scores"),
    )


def _counted(page: Page[Any]) -> str:
    """How many, as far as one page counts."""
    return f"{len(page.items)}+" if page.next else str(len(page.items))


def _stop(verb: str, href: str, count: int, noun: str, word: str) -> Stop:
    plural = noun if count == 1 else f"{noun}es" if noun.endswith("x") else f"{noun}s"
    return Stop(verb=verb, href=href, figure=f"{count:,}", word=f"{plural}, {word}")


async def _serving(ctx: Context, release: Release) -> Serving:
    """The release with the primary metric of its leading variant, from the first report that judged it."""
    leading = max(release.bundle.shares, key=lambda share: share.percent)
    for evidence in release.bundle.evidence:
        report = await evaluations.get_report(ctx, evidence.report_id)
        for variant in report.findings.variants:
            if variant.variant.hash == leading.variant_hash:
                return Serving(release=release, metric=variant.metric(report.spec.primary_metric))
    return Serving(release=release, metric=None)


async def _activity(ctx: Context, counts: TraceCounts) -> tuple[Activity, str]:
    """Traces over the shortest window that shows them all, up to now; and the window in words."""
    age = ctx.clock.now_ns() - counts.first_ns
    stretch, stretches, window = next((line for line in _WINDOWS if age < line[0] * line[1]), _WINDOWS[-1])
    return await traces.activity_lately(ctx, stretch_ns=stretch, stretches=stretches), window


def _next(stops: tuple[Stop, ...]) -> tuple[str, str]:
    steps = (
        (
            "flyball apply flyball.yaml",
            "Nothing is declared yet. Describe a function, its dataset and its index, and apply it.",
        ),
        ("flyball index build NAME", "There is a dataset and no index over it."),
        ("flyball apply flyball.yaml", "There is an index and no function that uses it."),
        ("flyball eval run NAME", "A function is declared; judge its variants."),
        ("flyball release propose FUNCTION --evidence REPORT", "There is a report; propose its winner as a release."),
        ("flyball keys create my-app", "A release is live; make a key and call it."),
        ("flyball feedback TRACE down", "Calls are observed; say what an answer was worth, and the loop learns."),
    )
    for stop, step in zip(stops, steps, strict=True):
        if stop.figure == "0":
            return step
    return "", ""
