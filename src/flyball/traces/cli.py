"""The commands of traces: `flyball traces list|show` and `flyball feedback`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from flyball.kit.money import format_usd
from flyball.surface.console import (
    Column,
    Commands,
    as_ago,
    as_time,
    control,
    follow_run,
    print_json,
    say,
    segment,
    show_list,
    show_table,
    wants_json,
)

app = Commands("traces", help="What happened: every call as a trace with its spans.")
verbs = Commands("verbs", help="Feedback.")

_NANOSECONDS = 1_000_000_000


class Verdict(StrEnum):
    """A thumb."""

    up = "up"
    down = "down"


class Format(StrEnum):
    """What a trace is written in."""

    otlp_json = "otlp-json"
    otlp_json_logs = "otlp-json-logs"


@app.command("list", permission="traces.read")
def list_traces(
    *,
    function: Annotated[str, typer.Option(help="Only of this function.")] = "",
    release: Annotated[str, typer.Option(help="Only served by this release.")] = "",
    status: Annotated[str, typer.Option(help="Only with this status: ok, error or unset.")] = "",
    text: Annotated[str, typer.Option(help="Only with this text in a name or a preview.")] = "",
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
) -> None:
    """List traces, newest first."""
    page = control().get(
        "/api/traces", limit=limit, function=function, release=release, status=status, text=text, cursor=cursor
    )
    columns = (
        Column("trace_id", "trace"),
        Column("start_ns", "started", as_ago),
        Column("name"),
        Column("status"),
        Column("variant"),
        Column("spans", right=True),
        Column("duration", right=True),
        Column("tokens", right=True),
        Column("cost_nano_usd", "cost", _money, right=True),
        Column("input_preview", "input", lambda text: _line(text, 60)),
    )
    if wants_json():
        return print_json(page)
    for row in page["items"]:
        row["duration"] = _duration(row)
        row["tokens"] = row["tokens_in"] + row["tokens_out"]
    show_list(page, columns, empty="No traces yet: call a function through /v1/chat/completions, or use the SDK.")
    return None


@app.command("show", permission="traces.read")
def show(trace: Annotated[str, typer.Argument(help="The trace's id (the header x-flyball-trace-id).")]) -> None:
    """Show one trace: its spans as a tree, and its scores."""
    tree = control().get(f"/api/traces/{segment(trace)}")
    if wants_json():
        return print_json(tree)
    row = tree["trace"]
    say(f"{row['name']}  {row['status']}  {_duration(row)}  started {as_time(row['start_ns'])}")
    facts = {"function": row["function"], "variant": row["variant"], "release": row["release"]}
    if any(facts.values()):
        say("  ".join(f"{name} {value}" for name, value in facts.items() if value))
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("span", "kind", "status", "after", "took", "output"):
        table.add_column(heading, justify="right" if heading in {"after", "took"} else "left")
    for node in tree["nodes"]:
        span = node["span"]
        name = "  " * node["depth"] + span["name"] + (" (parent not recorded)" if node["orphan"] else "")
        after = _milliseconds(span["start_ns"] - row["start_ns"])
        said = _line(span["error"] or span["output_preview"], 70)
        table.add_row(name, span["kind"], span["status"], after, _duration(span), said)
    show_table(table)
    if row["spans"] > len(tree["nodes"]):
        say(f"{len(tree['nodes']):,} of {row['spans']:,} spans are shown")
    for score in tree["scores"]:
        words = [score["name"], score.get("label") or str(score.get("value", "")), score.get("explanation", "")]
        say("score: " + "  ".join(word for word in words if word))
    return None


@app.command("export", permission="traces.read")
def export(
    trace: Annotated[str, typer.Argument(help="The trace's id.")],
    format_: Annotated[Format, typer.Option("--format", help="In which format.")] = Format.otlp_json,
) -> None:
    """Write one trace to standard output: in OTLP's JSON, as any OTLP endpoint takes it.

    Its spans are for /v1/traces; otlp-json-logs are the log records that belong to it, for /v1/logs.
    """
    found = control().get(f"/api/traces/{segment(trace)}/otlp")
    print_json(found["traces" if format_ is Format.otlp_json else "logs"])


@app.command("retention", permission=("traces.read", "traces.erase"))
def retention(
    *,
    days: Annotated[int | None, typer.Option(help="Keep so many days; 0: for ever.")] = None,
    default: Annotated[bool, typer.Option(help="Keep as long as the server's setting says.")] = False,
) -> None:
    """Show, or set, for how many days the project keeps traces, logs, metrics and scores. What is older is gone for good."""
    if days is not None or default:
        found = control().put("/api/traces/retention", {"days": None if default else days})
    else:
        found = control().get("/api/traces/retention")
    if wants_json():
        return print_json(found)
    kept = f"{found['days']:,} days" if found["days"] else "for ever"
    say(f"kept: {kept} ({'as the project says' if found['own'] else 'as the setting says'})")
    return None


@app.command("expire", permission=("traces.erase", "runs.read"))
def expire() -> None:
    """Take out what is older than is kept now, instead of within the hour."""
    client = control()
    ended = follow_run(client, client.post("/api/traces/expirations", {})["id"], title="expire")
    return print_json(ended["result"]) if wants_json() else say(f"{ended['result']['files']:,} files are taken out")


@app.command("renormalise", permission=("traces.erase", "runs.read"))
def renormalise(
    since: Annotated[str, typer.Option(help="Only spans that began on this day (UTC) or later: 2026-11-01.")] = "",
) -> None:
    """Read stored spans of other instrumentors again, by the newest mapping of their dialect."""
    try:
        begin = datetime.fromisoformat(since).replace(tzinfo=UTC) if since else datetime.fromtimestamp(0, UTC)
    except ValueError:
        raise typer.BadParameter(f"{since!r} is no day; write it as 2026-11-01") from None
    client = control()
    run = client.post("/api/traces/renormalisations", {"since_ns": int(begin.timestamp()) * _NANOSECONDS})
    ended = follow_run(client, run["id"], title="renormalise")
    return print_json(ended["result"]) if wants_json() else say(f"{ended['result']['spans']:,} spans were read again")


@app.command("aside", permission="traces.read")
def aside(
    id_: Annotated[int, typer.Argument(metavar="[ID]", help="Only this one, with what it holds.")] = 0,
    *,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
) -> None:
    """List records that cannot be moved into their tables, and why: they were set aside, so that the others get on."""
    if id_:
        return print_json(control().get(f"/api/traces/aside/{id_}"))
    page = control().get("/api/traces/aside", limit=limit, cursor=cursor)
    columns = (
        Column("id", right=True),
        Column("kind"),
        Column("records", right=True),
        Column("received_ns", "received", as_ago),
        Column("aside_ns", "set aside", as_ago),
        Column("error"),
        Column("message", "why", lambda text: _line(text, 100)),
    )
    return show_list(page, columns, empty="Nothing is set aside: what was acknowledged is in the tables.")


@app.command("retry", permission="traces.erase")
def retry(
    id_: Annotated[int, typer.Argument(metavar="[ID]", help="Only this one.")] = 0,
) -> None:
    """Try what was set aside again, after an update say; what still cannot be moved is set aside again."""
    told = control().post("/api/traces/retries", {"id": id_ or None})
    return print_json(told) if wants_json() else say(f"{told['records']:,} records are tried again")


@app.command("erase", permission=("traces.erase", "runs.read"))
def erase(
    *,
    trace: Annotated[str, typer.Option(help="This trace.")] = "",
    session: Annotated[str, typer.Option(help="All traces of this session.")] = "",
    user: Annotated[str, typer.Option(help="All traces of this user.")] = "",
) -> None:
    """Erase traces for good: texts, spans, scores and log records, in every place."""
    given = [(what, named) for what, named in (("trace", trace), ("session", session), ("user", user)) if named]
    if len(given) != 1:
        raise typer.BadParameter("give one of --trace, --session and --user")
    what, named = given[0]
    client = control()
    run = client.post("/api/traces/erasures", {"what": what, "named": named})
    ended = follow_run(client, run["id"], title="erase")
    return print_json(ended["result"]) if wants_json() else say(f"{ended['result']['traces']:,} traces are erased")


@verbs.command("feedback", permission="scores.write")
def feedback(
    trace: Annotated[str, typer.Argument(help="The trace's id.")],
    verdict: Annotated[Verdict, typer.Argument(help="up or down.")],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    correction: Annotated[str, typer.Option(help="What the answer should have been.")] = "",
) -> None:
    """Say what you think of an answer: a score about its trace."""
    value = 1 if verdict is Verdict.up else -1
    said = {"trace_id": trace, "value": value, "comment": comment, "correction": correction}
    score = control().post("/api/feedback", said)
    if wants_json():
        return print_json(score)
    say(f"kept: {verdict.value} for trace {trace}")
    return None


def _duration(row: dict[str, Any]) -> str:
    return _milliseconds(row["end_ns"] - row["start_ns"])


def _milliseconds(ns: int) -> str:
    return f"{ns / 1e6:,.1f} ms" if ns < _NANOSECONDS else f"{ns / 1e9:,.2f} s"


def _money(nano: Any) -> str:
    return "" if nano is None else format_usd(nano)


def _line(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
