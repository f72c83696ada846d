"""`flyball ledger`: what every attempt used and cost, and whether everything adds up to it."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from flyball.kit.money import format_usd
from flyball.surface.console import (
    Column,
    Commands,
    ExitCode,
    OptionGroup,
    as_time,
    control,
    say,
    show_list,
    show_one,
    wants_json,
)

app = Commands("ledger", help="The ledger: what every attempt used and cost, append-only.")

_HOUR = 3_600.0
_LIST = (
    Column("at_ns", "when", as_time),
    Column("key_name", "key"),
    Column("function"),
    Column("model"),
    Column("state"),
    Column("tokens", right=True),
    Column("nano_usd", "cost", lambda value: "unknown" if value is None else format_usd(value), right=True),
    Column("estimated"),
    Column("trace_id", "trace"),
)
_DRIFTS = (
    Column("quota"),
    Column("window_ns", "window from", as_time),
    Column("counted", right=True),
    Column("derived", "by the ledger", right=True),
)


@dataclass(frozen=True, slots=True)
class Narrowed(OptionGroup):
    """Which entries to list."""

    of_key: Annotated[str, typer.Option(help="Only calls with this key; by name or id.")] = ""
    member: Annotated[str, typer.Option(help="Only calls with this member's personal keys.")] = ""
    function: Annotated[str, typer.Option(help="Only calls of this function.")] = ""
    model: Annotated[str, typer.Option(help="Only calls of this model.")] = ""
    tag: Annotated[str, typer.Option(help="Only calls with this tag.")] = ""
    state: Annotated[
        str, typer.Option(help="complete, failed, cancelled, retried, hedged, cached, batched or lost.")
    ] = ""
    trace: Annotated[str, typer.Option(help="Only the attempts of this trace.")] = ""
    since: Annotated[str, typer.Option(help="From this date or time on, in UTC: 2026-11-21.")] = ""
    until: Annotated[str, typer.Option(help="Before this time, or until the end of this date.")] = ""


@app.command("list", permission="ledger.read")
def list_entries(
    *,
    narrowed: Narrowed,
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """List the ledger's entries, newest first: one for each attempt."""
    asked = {name: value for name, value in asdict(narrowed).items() if value}
    wanted: dict[str, Any] = {"key" if name == "of_key" else name: value for name, value in asked.items()}
    wanted |= {"cursor": cursor} if cursor else {}
    show_list(
        control().get("/api/ledger", limit=limit, **wanted), _LIST, empty="No such entry: the first call makes one."
    )


@app.command("check", permission=("ledger.read", "ledger.write"))
def check(
    repair: Annotated[bool, typer.Option("--repair", help="Set what differs to what the entries add up to.")] = False,
) -> None:
    """Derive every counter and sum from the entries again; exit code 1 where one differs and was not repaired.

    Checking needs ledger.read alone; --repair needs ledger.write.
    """
    found = (
        control().post("/api/ledger/repairs", timeout=_HOUR)
        if repair
        else control().get("/api/ledger/check", timeout=_HOUR)
    )
    if wants_json():
        show_one(found)
    elif found["ok"]:
        say("Every counter and every sum is what the entries add up to.")
    else:
        show_list(found["counters"], _DRIFTS, empty="Every counter is what the entries add up to.")
        hours, days = len(found["hours_ns"]), len(found["days_ns"])
        say(
            f"The sums of {hours} hours and {days} days {'differed' if repair else 'differ'}."
            if hours or days
            else "Every sum by the hour and the day holds."
        )
        say(
            "Repaired." if repair else "`flyball ledger check --repair` sets them right, by events of the audit record."
        )
    if not (found["ok"] or repair):
        raise typer.Exit(ExitCode.FAILED)
