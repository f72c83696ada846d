"""`flyball datasets`: import, look, add a row. Parses, asks the control process, renders."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from flyball.kit.errors import InvalidInputError
from flyball.surface.console import (
    Column,
    Commands,
    as_ago,
    as_hash,
    control,
    follow_run,
    print_json,
    say,
    segment,
    show_list,
    show_one,
    wants_json,
)

app = Commands("datasets", help="Datasets: versioned rows with their sources.")

NameOption = Annotated[str, typer.Option("--name", help="The dataset; the folder's or file's name unless given.")]
VersionOption = Annotated[int | None, typer.Option("--version", help="The version; the newest unless given.")]

_LIST = (
    Column("dataset.name", "name"),
    Column("dataset.kind", "kind"),
    Column("newest.version", "version", right=True),
    Column("newest.rows", "rows", right=True),
    Column("newest.hash", "hash", as_hash),
    Column("newest.licences", "licences"),
    Column("newest.created_ns", "made", as_ago),
)
_VERSION = (
    Column("dataset"),
    Column("version"),
    Column("id"),
    Column("hash"),
    Column("rows"),
    Column("licences"),
    Column("splits"),
    Column("source"),
    Column("parents"),
    Column("card.counts", "kinds"),
    Column("card.facts", "facts"),
    Column("card.refused", "refused"),
    Column("card.duplicates", "duplicates"),
    Column("created_ns", "made", as_ago),
)
_ROWS = (Column("position", right=True), Column("row_id", "id"), Column("title"), Column("licence"), Column("source"))
_REFUSALS = (Column("location"), Column("reason"), Column("detail"))


class What(StrEnum):
    """What is imported."""

    docs = "docs"
    rows = "rows"
    stdlib = "stdlib"
    declared = "declared"


@app.command("import", permission=("datasets.write", "runs.read"))
def import_(
    what: Annotated[
        What,
        typer.Argument(help="docs: a folder; rows: a .jsonl file; stdlib: Python's own; declared: as in flyball.yaml."),
    ],
    path: Annotated[Path | None, typer.Argument(help="The folder or file.")] = None,
    name: NameOption = "",
    licence: Annotated[str, typer.Option(help="SPDX identifier of what is imported.")] = "",
    wait: Annotated[bool, typer.Option(help="Follow the import until it ends.")] = True,
) -> None:
    """Import a folder of documents, a file of rows, or the documentation of the Python standard library."""
    name, order = _order(what, path, name, licence)
    client = control()
    run = client.post(f"/api/datasets/{segment(name)}/imports", order)
    if not wait:
        return print_json(run) if wants_json() else say(f"{run['id']}: `flyball runs show {run['id']}`")
    ended = follow_run(client, run["id"], title=f"import {name}")
    return print_json(ended["result"]) if wants_json() else say(ended["result"]["message"])


@app.command("list", permission="datasets.read")
def list_datasets() -> None:
    """List the datasets with their newest versions."""
    show_list(control().get("/api/datasets"), _LIST, empty="No datasets yet: `flyball datasets import docs FOLDER`.")


@app.command("show", permission="datasets.read")
def show(name: str, version: VersionOption = None) -> None:
    """Show a version: hash, rows, licences, source, and what was refused and why."""
    found = control().get(f"/api/datasets/{segment(name)}/versions/{version or 'newest'}")
    show_one(found, _VERSION)
    refusals = found["card"].get("refusals")
    if refusals and not wants_json():
        say("\nrefused:")
        show_list(refusals, _REFUSALS, empty="")


@app.command("versions", permission="datasets.read")
def versions(name: str) -> None:
    """List the versions of a dataset, newest first."""
    found = control().get(f"/api/datasets/{segment(name)}/versions")
    columns = (Column("version", right=True), Column("rows", right=True), Column("hash", "", as_hash), Column("id"))
    empty = f"{name} has no version yet: `flyball datasets import declared --name {name}`."
    show_list(found, (*columns, Column("created_ns", "made", as_ago)), empty=empty)


@app.command("rows", permission="datasets.read")
def rows(
    name: str,
    version: VersionOption = None,
    limit: Annotated[int, typer.Option(help="How many.")] = 50,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
) -> None:
    """List rows of a version, in their order."""
    path = f"/api/datasets/{segment(name)}/versions/{version or 'newest'}/rows"
    show_list(control().get(path, limit=limit, cursor=cursor or None), _ROWS, empty="This version has no rows.")


@app.command("add-row", permission="datasets.write")
def add_row(
    name: str,
    trace: Annotated[str, typer.Option(help="The trace that the row is made from.")],
    row: Annotated[
        str, typer.Option(help="The row as JSON: the trace's input with the corrected answer; - reads stdin.")
    ],
    id_: Annotated[str, typer.Option("--id", help="The row's id; trace-<trace> unless given.")] = "",
    split: Annotated[str, typer.Option(help="The split.")] = "all",
) -> None:
    """Turn a trace into a row with the corrected answer; makes a new version."""
    data = _json_object(typer.get_text_stream("stdin").read() if row == "-" else row)
    body = {"trace_id": trace, "data": data, "id": id_, "split": split}
    added = control().post(f"/api/datasets/{segment(name)}/rows", body)
    if wants_json():
        return print_json(added)
    version = added["version"]
    return say(f"{name} version {version['version']}: {version['rows']:,} rows, {as_hash(version['hash'])}")


def _order(what: What, path: Path | None, name: str, licence: str) -> tuple[str, dict[str, str]]:
    if what in (What.docs, What.rows):
        if path is None:
            raise InvalidInputError(
                f"`import {what}` needs a path", next_step=f"flyball datasets import {what} PATH --name NAME"
            )
        source = "folder" if what is What.docs else "jsonl"
        order = {"source": source, "location": str(path.absolute()), "licence": licence}
        return name or _name_of(path.absolute()), order
    if path is not None:
        raise InvalidInputError(
            f"`import {what}` takes no path", next_step=f"flyball datasets import {what} --name NAME"
        )
    if what is What.stdlib:
        return name or "stdlib", {"source": "stdlib", "licence": licence}
    if not name:
        raise InvalidInputError("which declared dataset?", next_step="flyball datasets import declared --name NAME")
    return name, {}


def _name_of(path: Path) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in path.stem.lower())
    return kept.strip("._-")[:80] or "documents"


def _json_object(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInputError(
            f"--row is not JSON: {error}", next_step='--row \'{"question": "...", "answer": "..."}\''
        ) from None
    if not isinstance(found, dict):
        raise InvalidInputError(
            "--row is not a JSON object", next_step='--row \'{"question": "...", "answer": "..."}\''
        )
    return found


@app.command("freeze", permission="datasets.write")
def freeze(name: Annotated[str, typer.Argument(help="The dataset's name.")]) -> None:
    """Make a version of the items that were put into a dataset one by one."""
    show_one(control().post(f"/api/datasets/{segment(name)}/versions"), _VERSION)
