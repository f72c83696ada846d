"""`flyball limits`: how many requests, tokens and calls at once, of what, in which window."""

from typing import Annotated, Any

import typer

from flyball.surface.console import Commands, control, segment

from .showing import Behaviour, as_asked, is_id, show_quota, show_quotas, show_with_leases, the_one

app = Commands("limits", help="Limits: how many requests, tokens and calls at once.")

_SCOPE = "key NAME, member NAME, function NAME, model NAME, tag NAME, project or organisation"
Which = Annotated[list[str], typer.Argument(metavar="ID|SCOPE...", help=f"Its id, or what it is of: {_SCOPE}.")]
Per = Annotated[str, typer.Option(help="Of this window alone.")]
Kind = Annotated[str, typer.Option("--unit", help="Of this unit alone: requests, tokens or parallel.")]


@app.command("list", permission="limits.read")
def list_limits(
    scope: Annotated[
        list[str] | None, typer.Argument(metavar="[SCOPE]...", help=f"Only those of it: {_SCOPE}.")
    ] = None,
    per: Per = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """List the limits that count the project's calls, the organisation's among them, with what is used and held."""
    asked: dict[str, Any] = {"scope": " ".join(scope or ()) or None, "per": per or None, "cursor": cursor or None}
    show_quotas(control().get("/api/limits", limit=limit, **asked), "limit")


@app.command("set", permission="limits.write")
def set_limit(
    amount: Annotated[int, typer.Argument(help="How many; 0 lets nothing through.")],
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="requests, tokens or parallel (calls at once).")],
    scope: Annotated[
        list[str] | None, typer.Argument(metavar="[SCOPE]...", help=f"{_SCOPE}; the project unless given.")
    ] = None,
    *,
    per: Annotated[
        str, typer.Option(help="minute, hour, day, week, month (UTC), total, rolling:60; the minute unless given.")
    ] = "",
    open_bound: Annotated[
        int, typer.Option("--open", help="The most that a worker lets through while PostgreSQL does not answer.")
    ] = 0,
    behaviour: Behaviour,
) -> None:
    """Make a limit, or give the one of this scope, unit and window another amount; it counts at once."""
    new = {
        "amount": amount,
        "unit": unit,
        "scope": " ".join(scope or ()) or "project",
        "per": per,
        "open_bound": open_bound,
    }
    show_quota(control().post("/api/limits", new | as_asked(behaviour)), "limit")


@app.command("show", permission="limits.read")
def show(which: Which, per: Per = "", unit: Kind = "") -> None:
    """Show a limit as it stands, and which workers hold what of it."""
    show_with_leases(control().get(f"/api/limits/{segment(_id(which, per, unit))}"), "limit")


@app.command("remove", permission=("limits.read", "limits.write"))
def remove(which: Which, per: Per = "", unit: Kind = "") -> None:
    """Remove a limit."""
    show_quota(control().delete(f"/api/limits/{segment(_id(which, per, unit))}"), "limit")


def _id(which: list[str], per: str, unit: str) -> str:
    if is_id(which):
        return which[0]
    found: dict[str, Any] = control().get("/api/limits", scope=" ".join(which), per=per or None, limit=50)
    return the_one([one for one in found["items"] if unit in ("", one["unit"])], which, "limit")
