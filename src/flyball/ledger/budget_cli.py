"""`flyball budgets`: how much money may be spent, of what, in which window."""

from typing import Annotated, Any

import typer

from flyball.surface.console import Commands, control, segment

from .showing import Behaviour, as_asked, is_id, show_quota, show_quotas, show_with_leases, the_one

app = Commands("budgets", help="Budgets: how much money calls may cost.")

_SCOPE = "key NAME, member NAME, function NAME, model NAME, tag NAME, project or organisation"
Which = Annotated[list[str], typer.Argument(metavar="ID|SCOPE...", help=f"Its id, or what it is of: {_SCOPE}.")]
Per = Annotated[str, typer.Option(help="Of this window alone.")]


@app.command("list", permission="budgets.read")
def list_budgets(
    scope: Annotated[
        list[str] | None, typer.Argument(metavar="[SCOPE]...", help=f"Only those of it: {_SCOPE}.")
    ] = None,
    per: Per = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """List the budgets that count the project's calls, the organisation's among them, with what is spent and held."""
    asked: dict[str, Any] = {"scope": " ".join(scope or ()) or None, "per": per or None, "cursor": cursor or None}
    show_quotas(control().get("/api/budgets", limit=limit, **asked), "budget")


@app.command("set", permission="budgets.write")
def set_budget(
    usd: Annotated[str, typer.Argument(metavar="USD", help="How much: 25 or 0.50; 0 lets nothing through.")],
    scope: Annotated[
        list[str] | None, typer.Argument(metavar="[SCOPE]...", help=f"{_SCOPE}; the project unless given.")
    ] = None,
    *,
    per: Annotated[str, typer.Option(help="minute, hour, day, week, month (UTC), total, rolling:30d.")] = "month",
    open_usd: Annotated[
        str,
        typer.Option("--open", metavar="USD", help="The most that a worker spends while PostgreSQL does not answer."),
    ] = "",
    behaviour: Behaviour,
) -> None:
    """Make a budget, or give the one of this scope and window another amount; it counts at once."""
    new = {
        "usd": usd,
        "scope": " ".join(scope or ()) or "project",
        "per": per,
        "open_usd": open_usd,
    }
    show_quota(control().post("/api/budgets", new | as_asked(behaviour)), "budget")


@app.command("show", permission="budgets.read")
def show(which: Which, per: Per = "") -> None:
    """Show a budget as it stands, and which workers hold what of it."""
    show_with_leases(control().get(f"/api/budgets/{segment(_id(which, per))}"), "budget")


@app.command("remove", permission=("budgets.read", "budgets.write"))
def remove(which: Which, per: Per = "") -> None:
    """Remove a budget; the ledger keeps what it counted."""
    show_quota(control().delete(f"/api/budgets/{segment(_id(which, per))}"), "budget")


def _id(which: list[str], per: str) -> str:
    if is_id(which):
        return which[0]
    found: dict[str, Any] = control().get("/api/budgets", scope=" ".join(which), per=per or None, limit=50)
    return the_one(found["items"], which, "budget")
