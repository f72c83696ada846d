"""`flyball prompts`: templates, their versions and labels."""

from typing import Annotated, Any

import typer

from flyball.surface.console import (
    Column,
    Commands,
    as_ago,
    as_hash,
    control,
    say,
    segment,
    show_list,
    show_one,
    wants_json,
)

app = Commands("prompts", help="Prompts: templates with versions.")


def _as_labels(labels: Any) -> str:
    return ", ".join(f"{one['label']}: {one['version']}" for one in labels)


_LIST = (
    Column("name"),
    Column("version", right=True),
    Column("hash", reads=as_hash),
    Column("path"),
    Column("created_ns", "created", as_ago),
    Column("created_by", "by"),
)
_ONE = (
    Column("prompt.name", "name"),
    Column("prompt.version", "version"),
    Column("prompt.hash", "hash"),
    Column("prompt.path", "path"),
    Column("description"),
    Column("variables"),
    Column("labels", reads=_as_labels),
    Column("prompt.created_ns", "created", as_ago),
    Column("prompt.created_by", "by"),
)

Name = Annotated[str, typer.Argument(help="The prompt's name.")]


@app.command("list", permission="prompts.read")
def list_prompts() -> None:
    """List the prompts."""
    show_list(
        control().get("/api/prompts"),
        _LIST,
        empty="No prompts yet: declare one in flyball.yaml and run `flyball apply`.",
    )


@app.command("show", permission="prompts.read")
def show(name: Name, version: Annotated[int | None, typer.Option(help="Not the newest one.")] = None) -> None:
    """Show a prompt and its source."""
    view = control().get(f"/api/prompts/{segment(name)}", version=version)
    show_one(view, () if wants_json() else _ONE)
    say("\n" + view["prompt"]["source"])


@app.command("versions", permission="prompts.read")
def versions(name: Name) -> None:
    """List a prompt's versions, newest first."""
    show_list(control().get(f"/api/prompts/{segment(name)}/versions"), _LIST, empty="")


@app.command("label", permission="prompts.write")
def label(
    name: Name,
    label: Annotated[str, typer.Argument(help="The label, such as production.")],
    version: Annotated[int | None, typer.Option(help="Not the newest one.")] = None,
) -> None:
    """Have a label point to a version of a prompt."""
    done = control().put(f"/api/prompts/{segment(name)}/labels/{segment(label)}", {"version": version})
    show_one(done, (Column("name"), Column("label"), Column("version")))


@app.command("unlabel", permission="prompts.write")
def unlabel(name: Name, label: Annotated[str, typer.Argument(help="The label.")]) -> None:
    """Take a label off a prompt."""
    control().delete(f"/api/prompts/{segment(name)}/labels/{segment(label)}")
    say(f"{name} has no label {label} any more")
