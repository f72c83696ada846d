"""The first page: the loop with what lies at each stage, and the one command that leads on. Reads a little of every room."""

import msgspec

from flyball.datasets import service as datasets
from flyball.evaluations import service as evaluations
from flyball.evaluations.reports import ReportLine
from flyball.functions import service as functions
from flyball.indexes import service as indexes
from flyball.releases import service as releases
from flyball.releases.records import Release
from flyball.surface.html import Pages
from flyball.surface.http import ContextDep
from flyball.traces import service as traces
from flyball.traces.records import TraceCounts, TraceRow

pages = Pages(tag="overview", section="/")


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of the loop: its verb, where it is, how much lies there, and a word about its state."""

    verb: str
    label: str
    href: str
    figure: str
    word: str


class OverviewPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/overview.html shows. `command` is the next one to run, empty when the loop is closed."""

    stops: tuple[Stop, ...]
    command: str
    sentence: str
    live: tuple[Release, ...]
    reports: tuple[ReportLine, ...]
    traces: tuple[TraceRow, ...]
    counts: TraceCounts


@pages.get("/", permission="traces.read", template="web/overview.html")
async def overview(ctx: ContextDep) -> OverviewPage:
    """The loop at a glance."""
    counts = await traces.count_traces(ctx)
    recent = await traces.list_traces(ctx, limit=5)
    reports = (await evaluations.list_reports(ctx, None, "", 5)).items
    shown = (await releases.list_releases(ctx, None, "", 50)).items
    live = tuple(release for release in shown if release.status == "live")
    scores = (await traces.list_scores(ctx, limit=200)).items
    stops = (
        _stop("Collect", "Datasets", "/datasets", len(await datasets.list_datasets(ctx)), "versioned rows"),
        _stop("Prepare", "Indexes", "/indexes", len(await indexes.list_indexes(ctx)), "for retrieval"),
        _stop("Adapt", "Functions", "/functions", len(await functions.list_functions(ctx)), "with variants"),
        _stop("Evaluate", "Reports", "/evaluations", len(reports), reports[0].verdict if reports else "none yet"),
        _stop("Release", "Live", "/releases", len(live), "approved, on evidence"),
        _stop("Observe", "Traces", "/traces", counts.traces, f"{counts.errors:,} failed"),
        _stop("Learn", "Scores", "/scores", len(scores), "by people, models, code"),
    )
    command, sentence = _next(stops)
    return OverviewPage(
        stops=stops,
        command=command,
        sentence=sentence,
        live=live,
        reports=reports,
        traces=recent.items,
        counts=counts,
    )


def _stop(verb: str, label: str, href: str, count: int, word: str) -> Stop:
    return Stop(verb=verb, label=label, href=href, figure=f"{count:,}", word=word)


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
