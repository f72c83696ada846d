"""The commands of metrics: `flyball metrics list|show|export`."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from flyball.surface.console import (
    Column,
    Commands,
    OptionGroup,
    as_ago,
    as_time,
    as_words,
    control,
    print_json,
    print_json_line,
    say,
    show_list,
    wants_json,
)

from .log_cli import ns_of, pages_of

app = Commands("metrics", help="Metrics that applications sent by OpenTelemetry.")

_SHOWS = {
    "level": "the last value of each step",
    "increase": "by how much it grew in each step",
    "distribution": "what was measured in each step; quantiles are estimated from buckets",
    "summary": "as the process told it",
}


@dataclass(frozen=True, slots=True)
class Window(OptionGroup):
    """Which points."""

    service: Annotated[str, typer.Option(help="Only of this service.")] = ""
    since: Annotated[str, typer.Option(help="From this date or time on, in UTC: 2026-11-21T13:00.")] = ""
    until: Annotated[str, typer.Option(help="Up to this date or time, in UTC.")] = ""


@app.command("list", permission="traces.read")
def list_metrics(
    *,
    window: Window,
    text: Annotated[str, typer.Option(help="Only with this text in the name.")] = "",
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
) -> None:
    """List the names of metrics that were told of, in the last day unless times are given."""
    columns = (
        Column("name"),
        Column("kind"),
        Column("unit"),
        Column("services", "services", as_words),
        Column("series", right=True),
        Column("points", right=True),
        Column("newest_ns", "newest", as_ago),
        Column("description"),
    )
    page = control().get("/api/metrics", text=text, cursor=cursor, limit=limit, **_asked(window))
    show_list(page, columns, empty="No metric in this time: point an OpenTelemetry exporter here, with `flyball keys create my-app`.")  # fmt: skip


@app.command("show", permission="traces.read")
def show(
    name: Annotated[str, typer.Argument(help="The metric's name.")],
    *,
    window: Window,
    steps: Annotated[int, typer.Option(help="Into how many steps the time is cut.")] = 24,
) -> None:
    """Show the series of one metric step by step, in the last day unless times are given."""
    found = control().get("/api/metrics/series", name=name, steps=steps, **_asked(window))
    if wants_json():
        return print_json(found)
    say(f"{found['name']}  {found['description']}".rstrip())
    for series in found["series"]:
        said = "  ".join(f"{key}={value}" for key, value in series["attributes"].items())
        unit = f" in {series['unit']}" if series["unit"] else ""
        say(f"\n{series['service'] or 'no service'}  {said}\n{series['kind']}{unit}: {_SHOWS[series['shows']]}")
        show_list(series["moments"], _columns(series["shows"]), empty="Nothing is known of any step.")
    if found["hidden"]:
        say(f"\n{found['hidden']:,} more series are not shown")
    if found["cut"]:
        say("\nThere are more points than are read; the oldest are left out.")
    return None


@app.command("export", permission="traces.read")
def export(
    *,
    window: Window,
    name: Annotated[str, typer.Option(help="Only of this metric.")] = "",
    trace: Annotated[str, typer.Option(help="Only points with an exemplar of this trace.")] = "",
) -> None:
    """Write points to standard output, oldest first: each line is a request in OTLP's JSON, for any endpoint's /v1/metrics."""
    client, asked = control(), _asked(window) | {"name": name, "trace": trace}
    for page in pages_of(lambda cursor: client.get("/api/metrics/otlp", cursor=cursor, timeout=600, **asked)):
        if page["records"]:
            print_json_line(page["request"])


def _asked(window: Window) -> dict[str, Any]:
    asked = {name: value for name, value in asdict(window).items() if value}
    times = {f"{name}_ns": ns_of(asked.pop(name)) for name in ("since", "until") if name in asked}
    return asked | times


def _columns(shows: str) -> tuple[Column, ...]:
    at = Column("at_ns", "from", as_time)
    if shows in ("level", "increase"):
        return (at, Column("value", "value", _number, right=True))
    return (
        at,
        Column("count", "count", _number, right=True),
        Column("sum", "sum", _number, right=True),
        Column("quantiles", "quantiles", _quantiles),
    )


def _quantiles(told: Any) -> str:
    return "  ".join(f"{each['quantile']:.4g}: {_number(each['value'])}" for each in told)


def _number(value: Any) -> str:
    return "" if value is None else f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
