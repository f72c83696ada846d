"""`flyball keys`: how programs get to call, and the administrator's one-time link."""

from typing import Annotated

import typer

from flyball.surface.console import (
    Column,
    Commands,
    as_ago,
    as_time,
    as_words,
    control,
    say,
    segment,
    show_list,
    show_one,
)

app = Commands("keys", help="API keys: how a program calls; and one-time links by which people sign in.")

_LIST = (
    Column("name"),
    Column("prefix"),
    Column("role"),
    Column("created_ns", "created", as_ago),
    Column("revoked_ns", "revoked", as_ago),
    Column("id"),
)
_MADE = (Column("key"), Column("name"), Column("role"), Column("permissions", reads=as_words), Column("id"))
_REVOKED = (Column("name"), Column("prefix"), Column("revoked_ns", "revoked", as_time), Column("id"))


@app.command("list")
def list_keys(
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """List the keys, revoked ones too, newest first."""
    keys = control().get("/api/keys", limit=limit, cursor=cursor or None)
    show_list(keys, _LIST, empty="No keys yet: `flyball keys create NAME` makes one.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[
        str, typer.Option(help="application, viewer, reviewer, developer or administrator.")
    ] = "application",
) -> None:
    """Create a key and print it, this once."""
    show_one(control().post("/api/keys", {"name": name, "role": role}), _MADE)
    say("Keep the key now: it is not shown again.")


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="The key's name or id.")]) -> None:
    """Make a key useless, everywhere within a second."""
    show_one(control().delete(f"/api/keys/{segment(name)}"), _REVOKED)


@app.command("sign-in-link")
def sign_in_link(
    member: Annotated[str, typer.Option(help="For whom.")] = "administrator",
) -> None:
    """Make a link by which a member signs in, once, within the hour; also for a forgotten password."""
    link = control().post("/api/sign-in-links", {"member": member})
    show_one(link, (Column("path"), Column("member"), Column("expires_ns", "expires", as_time)))
    say("Open it at the address of the pages, which `flyball up` printed.")
