"""`flyball functions`: named tasks, their variants, and what serves them."""

from typing import Annotated

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

app = Commands("functions", help="Functions: named tasks and the variants that compete for them.")

_LIST = (
    Column("name"),
    Column("version", right=True),
    Column("spec.variants", "variants", lambda variants: ", ".join(variants or {})),
    Column("hash", reads=as_hash),
    Column("created_ns", "created", as_ago),
    Column("created_by", "by"),
)
_ONE = (
    Column("function.name", "name"),
    Column("function.version", "version"),
    Column("function.hash", "hash"),
    Column("function.spec.description", "description"),
    Column("function.spec.input", "input"),
    Column("function.spec.output", "output"),
    Column("live.release_id", "live release"),
    Column("function.created_ns", "created", as_ago),
    Column("function.created_by", "by"),
)
_VARIANTS = (
    Column("name"),
    Column("kind"),
    Column("hash"),
    Column("available"),
    Column("unavailable_reason", "why not"),
)

Name = Annotated[str, typer.Argument(help="The function's name.")]


@app.command("list", permission="functions.read")
def list_functions() -> None:
    """List the functions and their variants."""
    show_list(
        control().get("/api/functions"),
        _LIST,
        empty="No functions yet: declare one in flyball.yaml and run `flyball apply`.",
    )


@app.command("show", permission="functions.read")
def show(name: Name, version: Annotated[int | None, typer.Option(help="Not the newest one.")] = None) -> None:
    """Show a function, its variants as they would run now, and what serves it."""
    view = control().get(f"/api/functions/{segment(name)}", version=version)
    if wants_json():
        show_one(view)
        return
    show_one(view, _ONE)
    say("")
    show_list(view["variants"], _VARIANTS, empty="")
    if view["live"] is None:
        say(f"\nNothing serves it yet: `flyball release propose {name}` proposes a release.")


@app.command("versions", permission="functions.read")
def versions(name: Name) -> None:
    """List a function's versions, newest first."""
    show_list(control().get(f"/api/functions/{segment(name)}/versions"), _LIST, empty="")


@app.command("variants", permission="functions.read")
def variants(name: Name) -> None:
    """List every variant of a function that was ever evaluated or released, newest first."""
    empty = f"None was pinned yet: `flyball eval run` and `flyball release propose {name}` do."
    show_list(control().get(f"/api/functions/{segment(name)}/variants"), _VARIANTS, empty=empty)
