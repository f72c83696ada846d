"""`flyball models`: what may be called, where it answers, what it costs."""

from typing import Annotated

import typer

from flyball.surface.console import Column, Commands, as_ago, as_hash, control, segment, show_list, show_one

app = Commands("models", help="Models: the catalog of what may be called.")

_LIST = (
    Column("model.name", "name"),
    Column("model.version", "version", right=True),
    Column("available", "configured"),
    Column("unavailable_reason", "why not"),
    Column("model.spec.licence", "licence"),
    Column("model.hash", "hash", as_hash),
)
_ONE = (
    Column("model.name", "name"),
    Column("model.version", "version"),
    Column("model.hash", "hash"),
    Column("available", "configured"),
    Column("unavailable_reason", "why not"),
    Column("model.spec.endpoints", "endpoints"),
    Column("model.spec.prices", "USD per million tokens"),
    Column("model.spec.licence", "licence"),
    Column("model.created_ns", "created", as_ago),
    Column("model.created_by", "by"),
)
_VERSIONS = (
    Column("version", right=True),
    Column("hash", reads=as_hash),
    Column("created_ns", "created", as_ago),
    Column("created_by", "by"),
)

_PROVIDERS = (
    Column("name"),
    Column("title"),
    Column("dialects", reads=", ".join),
    Column("needs", reads=lambda needs: ", ".join(" or ".join(need) for need in needs)),
    Column("key_variable", "key"),
)

Name = Annotated[str, typer.Argument(help="The model's name.")]


@app.command("list")
def list_models() -> None:
    """List the models, and which of them are configured."""
    show_list(
        control().get("/api/models"), _LIST, empty="No models yet: declare one in flyball.yaml and run `flyball apply`."
    )


@app.command("providers")
def providers() -> None:
    """List the vendors that a model's endpoint may name, and what each needs to be told."""
    show_list(control().get("/api/models/providers"), _PROVIDERS, empty="")


@app.command("show")
def show(name: Name, version: Annotated[int | None, typer.Option(help="Not the newest one.")] = None) -> None:
    """Show a model."""
    show_one(control().get(f"/api/models/{segment(name)}", version=version), _ONE)


@app.command("versions")
def versions(name: Name) -> None:
    """List a model's versions, newest first."""
    show_list(control().get(f"/api/models/{segment(name)}/versions"), _VERSIONS, empty="")
