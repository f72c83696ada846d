"""`flyball projects`: the tenants in which everything lies."""

from typing import Annotated

import typer

from flyball.surface.console import Column, Commands, as_ago, control, say, segment, show_list, show_one

app = Commands("projects", help="Projects: each with rows, keys and members of its own.")

_PROJECTS = (
    Column("name"),
    Column("organisation_name", "organisation"),
    Column("role"),
    Column("created_ns", "made", as_ago),
    Column("archived_ns", "archived", as_ago),
    Column("id"),
)


@app.command("list", permission="projects.read")
def list_projects() -> None:
    """List one's projects; at the server itself, those of the organisation."""
    show_list(control().get("/api/projects"), _PROJECTS, empty="No projects.")


@app.command("create", permission="projects.write")
def create_project(name: Annotated[str, typer.Argument(help="The project's name.")]) -> None:
    """Make a project in the organisation of the current one."""
    made = control().post("/api/projects", {"name": name})
    show_one(made, _PROJECTS[:2] + _PROJECTS[-1:])
    say(f"At the server itself `--project {made['organisation_name']}/{name}` works in it.")


@app.command("archive", permission="projects.write")
def archive_project(name: Annotated[str, typer.Argument(help="The project's name.")]) -> None:
    """Take a project out of use: its keys and sessions are refused, its data stays."""
    show_one(control().post(f"/api/projects/{segment(name)}/archival"), _PROJECTS[:2] + _PROJECTS[-1:])
