"""`flyball roles`: sets of permissions, built in and the project's own."""

from typing import Annotated

import typer

from flyball.surface.console import Column, Commands, as_words, control, segment, show_list, show_one

app = Commands("roles", help="Roles: sets of permissions, built in and the project's own.")

_ROLES = (
    Column("name"),
    Column("built_in", "built in", lambda value: "yes" if value else ""),
    Column("members", right=True),
    Column("keys", right=True),
    Column("permissions", reads=as_words),
)
_ROLE = (Column("name"), Column("description"), Column("permissions", reads=as_words))


@app.command("list", permission="roles.read")
def list_roles() -> None:
    """List the built-in roles, then the project's own."""
    show_list(control().get("/api/roles"), _ROLES, empty="No roles.")


@app.command("set", permission="roles.write")
def set_role(
    name: Annotated[str, typer.Argument(help="The role's name.")],
    permission: Annotated[
        list[str], typer.Option(help="One that it gives, such as traces.read or scores.*; repeat it.")
    ],
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a role, or change what one gives; it counts at once."""
    wish = {"permissions": permission, "description": description}
    show_one(control().put(f"/api/roles/{segment(name)}", wish), _ROLE)


@app.command("remove", permission="roles.write")
def remove_role(name: Annotated[str, typer.Argument(help="The role's name.")]) -> None:
    """Remove a role that nobody has any more."""
    show_one(control().delete(f"/api/roles/{segment(name)}"), _ROLE)
