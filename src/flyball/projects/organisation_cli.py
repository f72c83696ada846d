"""`flyball organisations`: who shares members."""

from typing import Annotated

import typer

from flyball.surface.console import Column, Commands, as_ago, control, say, segment, show_list, show_one

app = Commands("organisations", help="Organisations: who shares members; for the server's operator.")

_OWNERS = (Column("name"), Column("email"), Column("id"))
Name = Annotated[str, typer.Argument(help="The person's name.")]


@app.command("list", permission="organisations.read")
def list_organisations() -> None:
    """List the organisations."""
    columns = (Column("name"), Column("created_ns", "made", as_ago), Column("id"))
    show_list(control().get("/api/organisations"), columns, empty="No organisations.")


@app.command("owners", permission="organisations.read")
def list_owners() -> None:
    """List the owners of the current project's organisation."""
    show_list(control().get("/api/owners"), _OWNERS, empty="No owner yet: `flyball organisations add-owner NAME`.")


@app.command("add-owner", permission="organisations.write")
def add_owner(name: Name) -> None:
    """Make a person of the organisation an owner of it, and so of every project."""
    show_one(control().put(f"/api/owners/{segment(name)}", {}), _OWNERS)


@app.command("remove-owner", permission="organisations.write")
def remove_owner(name: Name) -> None:
    """Leave an owner their roles in projects alone. The last owner stays."""
    show_one(control().delete(f"/api/owners/{segment(name)}"), _OWNERS)


@app.command("create", permission="organisations.write")
def create_organisation(
    name: Annotated[str, typer.Argument(help="The organisation's name.")],
    owner: Annotated[str, typer.Option(help="The name of its first owner, who signs in by a link.")],
) -> None:
    """Make an organisation with a project `default` and an owner."""
    made = control().post("/api/organisations", {"name": name, "owner": owner})
    show_one(made, (Column("organisation.name", "organisation"), Column("project.name", "project"), Column("owner")))
    say(f"`flyball members sign-in-link '{owner}' --project {name}/default` makes the link for its owner.")
