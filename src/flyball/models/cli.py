"""`flyball models`: what may be called, where it answers, what it costs."""

from pathlib import Path
from typing import Annotated

import typer

from flyball.kit.errors import InvalidInputError
from flyball.surface.console import Column, Commands, as_ago, as_bytes, as_hash, control, segment, show_list, show_one

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

_FILES = (
    Column("name"),
    Column("format"),
    Column("bytes", reads=as_bytes, right=True),
    Column("parameters", right=True),
    Column("hash", reads=as_hash),
    Column("created_ns", "let in", as_ago),
)
_FILE = (
    Column("hash"),
    Column("name"),
    Column("format"),
    Column("bytes", reads=as_bytes),
    Column("tensors"),
    Column("parameters"),
    Column("files"),
    Column("notes"),
    Column("created_ns", "let in", as_ago),
    Column("created_by", "by"),
)

Name = Annotated[str, typer.Argument(help="The model's name.")]


@app.command("list", permission="models.read")
def list_models() -> None:
    """List the models, and which of them are configured."""
    show_list(
        control().get("/api/models"), _LIST, empty="No models yet: declare one in flyball.yaml and run `flyball apply`."
    )


@app.command("providers", permission="models.read")
def providers() -> None:
    """List the vendors that a model's endpoint may name, and what each needs to be told."""
    show_list(control().get("/api/models/providers"), _PROVIDERS, empty="")


@app.command("show", permission="models.read")
def show(name: Name, version: Annotated[int | None, typer.Option(help="Not the newest one.")] = None) -> None:
    """Show a model."""
    show_one(control().get(f"/api/models/{segment(name)}", version=version), _ONE)


@app.command("versions", permission="models.read")
def versions(name: Name) -> None:
    """List a model's versions, newest first."""
    show_list(control().get(f"/api/models/{segment(name)}/versions"), _VERSIONS, empty="")


@app.command("admit", permission="models.write")
def admit(
    file: Annotated[Path, typer.Argument(help="A .safetensors or .gguf file, or a zip of them with JSON and text.")],
) -> None:
    """Let a file of weights in: it is sent to the server, judged by its content, and kept by its hash, which is printed.

    Files that run code when they are loaded (pickles: .pt, .bin, .ckpt, .pkl, .joblib, .npy, .h5) are refused.
    """
    try:
        with file.open("rb") as opened:
            show_one(control().send_file("/api/model-files", opened, name=file.name), _FILE)
    except OSError as error:
        raise InvalidInputError(
            f"{file} cannot be read ({error.strerror or error})", next_step="give the path of a file"
        ) from None


@app.command("files", permission="models.read")
def files(limit: Annotated[int, typer.Option(help="How many.")] = 50) -> None:
    """List the files of weights that were let in, newest first."""
    show_list(
        control().get("/api/model-files", limit=limit), _FILES, empty="No files yet: `flyball models admit FILE`."
    )


@app.command("file", permission="models.read")
def file_(hash_: Annotated[str, typer.Argument(metavar="HASH", help="The whole hash, sha256:...")]) -> None:
    """Show a file of weights that was let in."""
    show_one(control().get(f"/api/model-files/{segment(hash_)}"), _FILE)
