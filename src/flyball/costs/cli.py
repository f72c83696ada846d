"""`flyball costs`: what was spent, why it changed, what the month will cost, what an answer costs, and files of it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flyball.kit.errors import ConflictError
from flyball.surface.console import Column, Commands, OptionGroup, control, say, show_list, show_one, wants_json

from .printing import amount, as_name, as_share, signed, spell_window

app = Commands("costs", help="Costs: what was spent, why it changed, what it will be, what an answer costs.")

_HOUR = 3_600.0
_ROWS = (
    Column("name", reads=as_name),
    Column("of"),
    Column("sums.nano_usd", "cost", amount, right=True),
    Column("share", reads=as_share, right=True),
    Column("sums.requests", "calls", right=True),
    Column("sums.tokens", "tokens", right=True),
    Column("sums.unpriced", "without price", right=True),
)
_MOVERS = (
    Column("name", reads=as_name),
    Column("of"),
    Column("moved.before", "before", amount, right=True),
    Column("moved.after", "after", amount, right=True),
    Column("moved.delta", "change", signed, right=True),
    Column("moved.price", "price", signed, right=True),
    Column("moved.volume", "volume", signed, right=True),
    Column("moved.mix", "mix", signed, right=True),
    Column("moved.new", "new", signed, right=True),
    Column("moved.gone", "gone", signed, right=True),
)
_UNITS = (
    Column("function"),
    Column("variant"),
    Column("sums.requests", "calls", right=True),
    Column("per_call", "a call", amount, right=True),
    Column("per_1k_tokens", "1,000 tokens", amount, right=True),
    Column("judged", right=True),
    Column("share_good", "good", as_share, right=True),
    Column("per_good", "a good answer", amount, right=True),
    Column("per_good_low", "at least", amount, right=True),
    Column("per_good_high", "at most", amount, right=True),
)
_CACHE = (
    Column("model"),
    Column("read_tokens", "read", right=True),
    Column("write_tokens", "written", right=True),
    Column("saved", "saved by reading", amount, right=True),
    Column("paid", "paid for writing", amount, right=True),
    Column("unpriced_tokens", "without price", right=True),
)
_ROUTING = (
    Column("function"),
    Column("calls", right=True),
    Column("baseline", "dearest variant"),
    Column("paid", reads=amount, right=True),
    Column("would_have", "would have cost", amount, right=True),
    Column("saved", reads=amount, right=True),
)


@dataclass(frozen=True, slots=True)
class When(OptionGroup):
    """Which window; the last thirty days unless said."""

    last: Annotated[str, typer.Option(help="24h, 7d, 30d, month (this one so far) or last-month.")] = ""
    since: Annotated[str, typer.Option(help="From this date or time on, in UTC: 2026-11-01.")] = ""
    until: Annotated[str, typer.Option(help="Before this time, or until the end of this date.")] = ""


@dataclass(frozen=True, slots=True)
class Narrowed(OptionGroup):
    """Whose costs."""

    of_key: Annotated[str, typer.Option(help="Only calls with this key; by name or id.")] = ""
    member: Annotated[str, typer.Option(help="Only calls with this member's personal keys.")] = ""
    function: Annotated[str, typer.Option(help="Only calls of this function.")] = ""
    variant: Annotated[str, typer.Option(help="Only calls that this variant answered.")] = ""
    release: Annotated[str, typer.Option(help="Only calls that this release served.")] = ""
    model: Annotated[str, typer.Option(help="Only calls of this model.")] = ""
    provider: Annotated[str, typer.Option(help="Only calls of this provider.")] = ""
    tag: Annotated[str, typer.Option(help="Only calls that carry this tag.")] = ""
    state: Annotated[str, typer.Option(help="Only attempts that ended so: complete, failed, cancelled, retried...")] = (
        ""
    )
    of_project: Annotated[str, typer.Option(help="Only this project; with --organisation-wide.")] = ""


By = Annotated[
    str, typer.Option(help="project, key, member, function, variant, release, model, provider, tag or state.")
]
Wide = Annotated[bool, typer.Option("--organisation-wide", help="All projects; for owners of the organisation.")]
Limit = Annotated[int, typer.Option(help="How many names.")]


@app.command("spend", permission="ledger.read")
def spend(
    *, by: By = "model", when: When, narrowed: Narrowed, organisation_wide: Wide = False, limit: Limit = 50
) -> None:
    """Show what was spent, by one dimension, the dearest name first."""
    found = control().get(
        "/api/costs/spend",
        timeout=_HOUR,
        **_asked(when, narrowed, by=by, organisation_wide=organisation_wide, limit=limit),
    )
    show_list(
        found if wants_json() else found["rows"], _ROWS, empty="Nothing was spent: the first call makes an entry."
    )
    total = found["total"]
    say(f"{spell_window(found['window'])}: {amount(total['nano_usd'])} for {total['requests']:,} calls.")
    _tell_rest(found)
    if total["unpriced"]:
        say(f"{total['unpriced']:,} attempts have no known price and are not in it.")


@app.command("movers", permission="ledger.read")
def movers(
    *, by: By = "model", when: When, narrowed: Narrowed, organisation_wide: Wide = False, limit: Limit = 20
) -> None:
    """Show whose costs changed since the window before, and why: price + volume + mix + new + gone is the change."""
    found = control().get(
        "/api/costs/movers",
        timeout=_HOUR,
        **_asked(when, narrowed, by=by, organisation_wide=organisation_wide, limit=limit),
    )
    show_list(found if wants_json() else found["rows"], _MOVERS, empty="Nothing changed: no call in either window.")
    total = found["total"]
    say(f"{spell_window(found['window'])} against {spell_window(found['against'])}: {signed(total['delta'])}.")
    _tell_rest(found)


@app.command("forecast", permission="ledger.read")
def forecast(
    *,
    month: Annotated[str, typer.Option(help="Such as 2026-11; this one unless said.")] = "",
    narrowed: Narrowed,
    organisation_wide: Wide = False,
) -> None:
    """Show what the month will have cost when it ends, with the interval of 80 %."""
    found = control().get(
        "/api/costs/forecast", timeout=_HOUR, **_asked(narrowed, month=month, organisation_wide=organisation_wide)
    )
    if wants_json():
        show_one(found)
        return
    shown = {"month": found["month"], "spent so far": amount(found["spent"]), "expected": amount(found["expected"])}
    between = f"{amount(found['low'])} to {amount(found['high'])}"
    show_one(shown | {"with 80 %": between if found["low"] is not None else "unknown", "how": found["told"]})


@app.command("units", permission="ledger.read")
def units(
    *,
    when: When,
    function: Annotated[str, typer.Option(help="Only this function.")] = "",
    score: Annotated[str, typer.Option(help="The score that says whether an answer was good.")] = "feedback",
) -> None:
    """Show what a call, a thousand tokens and a good answer of each function and variant cost."""
    found = control().get("/api/costs/units", timeout=_HOUR, **_asked(when, function=function, score=score))
    show_list(found if wants_json() else found["rows"], _UNITS, empty="No function was called in this window.")
    for line in (found["told"], *found["notes"]):
        say(line)


@app.command("savings", permission="ledger.read")
def savings(*, when: When, organisation_wide: Wide = False) -> None:
    """Show what prompt caches and routing saved, and against what."""
    found = control().get("/api/costs/savings", timeout=_HOUR, **_asked(when, organisation_wide=organisation_wide))
    if wants_json():
        show_one(found)
        return
    show_list(found["cache"], _CACHE, empty="No prompt cache was used.")
    show_list(found["routing"], _ROUTING, empty="No function was answered by several variants.")
    for line in found["told"]:
        say(line)


@app.command("chargeback", permission="ledger.read")
def chargeback(*, by: By = "key", when: When, narrowed: Narrowed, organisation_wide: Wide = False) -> None:
    """Show who is charged what: every entry stands in one row."""
    found = control().get(
        "/api/costs/chargeback", timeout=_HOUR, **_asked(when, narrowed, by=by, organisation_wide=organisation_wide)
    )
    columns = [column for column in _ROWS if column.field != "share"]
    show_list(found if wants_json() else found["rows"], columns, empty="Nothing was spent in this window.")
    say(f"{spell_window(found['window'])}: {amount(found['total']['nano_usd'])}.")


@app.command("export", permission="ledger.read")
def export(
    file: Annotated[Path, typer.Argument(help="Where to write; an existing file is not replaced.")],
    *,
    format: Annotated[str, typer.Option(help="csv, or focus for the columns of FOCUS 1.2.")] = "csv",  # noqa: A002 -- the option's word
    when: When,
    organisation_wide: Wide = False,
) -> None:
    """Write what was spent, a line per day, key, function, model, tags..., that adds up to the ledger; it is recorded."""
    if file.exists():
        raise ConflictError(f"the file {file} is there already", next_step="name another")
    asked = _asked(when, format=format, organisation_wide=organisation_wide)
    data = control().get_bytes("/api/costs/export", timeout=_HOUR, **asked)
    with file.open("xb") as out:
        out.write(data)
    show_one({"file": str(file), "lines": max(0, data.count(b"\r\n") - 1), "bytes": len(data)})


def _asked(*groups: When | Narrowed, **more: Any) -> dict[str, Any]:
    """What was said, as a query."""
    said = [item for group in (*map(asdict, groups), more) for item in group.items()]
    return {name.removeprefix("of_"): value for name, value in said if value}


def _tell_rest(found: dict[str, Any]) -> None:
    if more := found["names"] - len(found["rows"]):
        say(f"{more:,} more names: --limit shows more of them.")
    if found.get("overlapping"):
        say("An entry with several tags stands in several rows.")
    for note in found["notes"]:
        say(f"note: {note}")
