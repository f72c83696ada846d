"""`flyball runs`: what is being done, how far it is, how it ended."""

from typing import Annotated

import typer

from flyball.surface.console import Column, Commands, as_ago, control, segment, show_list, show_one

app = Commands("runs", help="Durable executions: imports, index builds, evaluations.")

_LIST = (
    Column("id"),
    Column("kind"),
    Column("status", "state"),
    Column("done", right=True),
    Column("total", right=True),
    Column("created_ns", "created", as_ago),
    Column("error"),
)


@app.command("list", permission="runs.read")
def list_runs(
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    kind: Annotated[str, typer.Option(help="Runs of this kind only, such as indexes.build.")] = "",
    status: Annotated[str, typer.Option(help="queued, running, succeeded or failed.")] = "",
) -> None:
    """List runs, newest first."""
    runs = control().get("/api/runs", limit=limit, cursor=cursor or None, kind=kind or None, status=status or None)
    show_list(runs, _LIST, empty="Nothing has run yet: `flyball datasets import` would be a start.")


@app.command("show", permission="runs.read")
def show(run_id: str) -> None:
    """Show one run: how far it is, and how it ended."""
    show_one(control().get(f"/api/runs/{segment(run_id)}"))
