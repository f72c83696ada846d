"""`flyball keys`: how programs get to call."""

from dataclasses import dataclass
from typing import Annotated

import typer

from flyball.surface.console import (
    Column,
    Commands,
    OptionGroup,
    as_ago,
    as_time,
    as_words,
    control,
    say,
    segment,
    show_list,
    show_one,
)

app = Commands("keys", help="API keys: how a program calls.")

_LIMITS = (
    Column("models", reads=as_words),
    Column("functions", reads=as_words),
    Column("addresses", reads=as_words),
)
_LIST = (
    Column("name"),
    Column("kind"),
    Column("prefix"),
    Column("role"),
    Column("created_ns", "created", as_ago),
    Column("expires_ns", "expires", as_time),
    Column("used_ns", "last used", as_ago),
    Column("revoked_ns", "revoked", as_ago),
    Column("id"),
)
_MADE = (
    Column("key"),
    Column("name"),
    Column("kind"),
    Column("role"),
    Column("permissions", reads=as_words),
    *_LIMITS,
    Column("expires_ns", "expires", as_time),
    Column("id"),
)
_ONE = (
    Column("name"),
    Column("kind"),
    Column("member_name", "member"),
    Column("prefix"),
    Column("role"),
    Column("permissions", reads=as_words),
    *_LIMITS,
    Column("created_ns", "created", as_time),
    Column("expires_ns", "expires", as_time),
    Column("used_ns", "last used", as_time),
    Column("used_from", "last used from"),
    Column("replaces"),
    Column("replaced_ns", "replaced", as_time),
    Column("revoked_ns", "revoked", as_time),
    Column("id"),
)
_ROTATED = (
    Column("new.key", "key"),
    Column("new.name", "name"),
    Column("new.expires_ns", "expires", as_time),
    Column("new.id", "id"),
    Column("old.prefix", "the old one"),
    Column("old.expires_ns", "works until", as_time),
)
_REVOKED = (Column("name"), Column("prefix"), Column("revoked_ns", "revoked", as_time), Column("id"))


@dataclass(frozen=True, slots=True)
class Only(OptionGroup):
    """What narrows a key."""

    model: Annotated[list[str] | None, typer.Option(help="Only calls of this model, '*' for all; may be repeated.")] = (
        None
    )
    function: Annotated[
        list[str] | None, typer.Option(help="Only calls of this function, '*' for all; may be repeated.")
    ] = None
    address: Annotated[list[str] | None, typer.Option(help="Only from this address or network; may be repeated.")] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Caps(OptionGroup):
    """What a key may use: a budget and limits, made together with it."""

    budget: Annotated[str, typer.Option(metavar="USD", help="What its calls may cost; needs budgets.write.")] = ""
    per: Annotated[
        str, typer.Option(help="The budget's window: minute, hour, day, week, month, total, rolling:30d.")
    ] = "month"
    rpm: Annotated[int | None, typer.Option(help="Requests a minute; needs limits.write.")] = None
    tpm: Annotated[int | None, typer.Option(help="Tokens a minute; likewise.")] = None
    parallel: Annotated[int | None, typer.Option(help="Calls at once; likewise.")] = None


@app.command("list", permission="keys.read")
def list_keys(
    text: Annotated[str, typer.Argument(help="Only those with this in their name.")] = "",
    state: Annotated[str, typer.Option(help="usable or ended; all unless given.")] = "",
    kind: Annotated[str, typer.Option(help="service or personal; both unless given.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """List the keys, those that have ended too, newest first."""
    keys = control().get(
        "/api/keys", limit=limit, cursor=cursor or None, text=text or None, state=state or None, kind=kind or None
    )
    none = "No such key." if text or state or kind else "No keys yet: `flyball keys create NAME` makes one."
    show_list(keys, _LIST, empty=none)


@app.command("show", permission="keys.read")
def show(name: Annotated[str, typer.Argument(help="The key's name or id.")]) -> None:
    """Show one key: its rights, its limits, who used it last."""
    show_one(control().get(f"/api/keys/{segment(name)}"), _ONE)


@app.command("create", permission="keys.write")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    role: Annotated[str, typer.Option(help="A role; application unless scopes are given.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="A permission, instead of a role; may be repeated.")] = None,
    expires: Annotated[str, typer.Option(help="90d, 12h, or a date such as 2027-01-31; never unless given.")] = "",
    only: Only,
    personal: Annotated[
        bool,
        typer.Option(
            "--personal", help="Yours; it may never do more than your role. At the server itself: the first member's."
        ),
    ] = False,
    caps: Caps,
) -> None:
    """Create a key and print it, this once; with a budget and limits of its own where they are given."""
    new = {
        "name": name,
        "role": role,
        "scopes": scope or [],
        "kind": "personal" if personal else "service",
        "expires": expires,
        "models": only.model or [],
        "functions": only.function or [],
        "addresses": only.address or [],
    }
    if caps != Caps():
        wished = {"requests_per_minute": caps.rpm, "tokens_per_minute": caps.tpm, "parallel": caps.parallel}
        made = control().post("/api/capped-keys", new | wished | {"budget": caps.budget, "per": caps.per})
    else:
        made = control().post("/api/keys", new)
    show_one(made, _MADE)
    say("Keep the key now: it is not shown again.")


@app.command("rotate", permission="keys.write")
def rotate(
    name: Annotated[str, typer.Argument(help="The key's name or id.")],
    overlap: Annotated[str, typer.Option(help="How long the old one works on: 24h, 30m, 7d, 0.")] = "24h",
    expires: Annotated[str, typer.Option(help="When the new one expires; as the old one unless given.")] = "",
) -> None:
    """Put a new key in the place of one, with the same name and rights, and print it, this once."""
    asked = {"overlap": overlap, "expires": expires}
    show_one(control().post(f"/api/keys/{segment(name)}/rotations", asked), _ROTATED)
    say("Keep the new key now: it is not shown again.")


@app.command("revoke", permission="keys.write")
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name, with all that it replaced; or one's id.")],
) -> None:
    """Make a key useless, everywhere within a second."""
    show_one(control().delete(f"/api/keys/{segment(name)}"), _REVOKED)
