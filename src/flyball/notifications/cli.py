"""`flyball notifications`: who is told when a budget or limit passes one of its thresholds, and what became of each message."""

from typing import Annotated, Any

import typer

from flyball.surface.console import Column, Commands, as_ago, as_time, control, say, segment, show_list, show_one

app = Commands("notifications", help="Notifications: who is told of thresholds, by webhook or e-mail.")

_RECEIVERS = (
    Column("address"),
    Column("organisation_wide", "of the whole organisation"),
    Column("secret", "signed with"),
    Column("delivered", right=True),
    Column("waiting", right=True),
    Column("given_up", "given up", right=True),
    Column("error", "last error"),
    Column("id"),
)
_LOG = (
    Column("created_ns", "at", as_ago),
    Column("address", "to"),
    Column("subject"),
    Column("state"),
    Column("tries", right=True),
    Column("next_ns", "tried next", as_time),
    Column("error"),
)

Which = Annotated[str, typer.Argument(metavar="ID", help="Its id, as `flyball notifications list` shows it.")]


@app.command("list", permission="budgets.read")
def list_receivers() -> None:
    """List who is told, and whether it arrives."""
    show_list(
        control().get("/api/notifications/receivers"),
        _RECEIVERS,
        empty="Nobody is told: `flyball notifications add mailto:ann@example.com` adds a mailbox, https://... a webhook.",
    )


@app.command("add", permission="budgets.write")
def add(
    address: Annotated[str, typer.Argument(help="https://hooks.example.com/flyball or mailto:ann@example.com.")],
    *,
    secret: Annotated[
        str, typer.Option(help="What signs a webhook's messages: secret:NAME, of at least 16 bytes.")
    ] = "",
    organisation_wide: Annotated[
        bool,
        typer.Option("--organisation-wide", help="Tell of what counts all projects; for owners of the organisation."),
    ] = False,
) -> None:
    """Have an address told when a budget or limit passes a threshold (`--alert`)."""
    new = {"address": address, "secret": secret, "organisation_wide": organisation_wide}
    _show(control().post("/api/notifications/receivers", new))


@app.command("remove", permission="budgets.write")
def remove(which: Which) -> None:
    """Tell an address no more."""
    _show(control().delete(f"/api/notifications/receivers/{segment(which)}"))


@app.command("test", permission="budgets.write")
def test(which: Which) -> None:
    """Send a message that tells of nothing; `flyball notifications log` shows what became of it."""
    _show(control().post(f"/api/notifications/receivers/{segment(which)}/tests"))


@app.command("log", permission="budgets.read")
def log(
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """Show what was told to whom, newest first, and what became of it."""
    asked: dict[str, Any] = {"cursor": cursor or None}
    show_list(control().get("/api/notifications", limit=limit, **asked), _LOG, empty="Nothing was told yet.")


def _show(receiver: dict[str, Any]) -> None:
    show_one(receiver, _RECEIVERS)
    for note in receiver["notes"]:
        say(f"note: {note}")
