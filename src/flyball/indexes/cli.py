"""`flyball index`: build, look, search. Parses, asks the control process, renders."""

from typing import Annotated

import typer

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
    wants_json,
)

app = Commands("index", help="Indexes: retrieval over a dataset version.")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"


_LIST = (
    Column("index.name", "name"),
    Column("newest.version", "version", right=True),
    Column("index.declaration.dataset", "dataset"),
    Column("newest.dataset_version", "of version", right=True),
    Column("newest.documents", "documents", right=True),
    Column("newest.chunks", "passages", right=True),
    Column("newest.hash", "hash", as_hash),
    Column("newest.created_ns", "built", as_ago),
)
_PASSAGES = (
    Column("score", right=True),
    Column("title"),
    Column("source"),
    Column("text", "passage", _short),
)


@app.command("build", permission=("indexes.write", "runs.read"))
def build(
    name: str,
    *,
    dataset: Annotated[str, typer.Option(help="The dataset; as declared unless given.")] = "",
    size: Annotated[int | None, typer.Option(help="Characters in a passage, about (1200).")] = None,
    overlap: Annotated[int | None, typer.Option(help="Characters that passages share (0).")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the files again, even if nothing changed.")] = False,
    version: Annotated[
        int | None, typer.Option(help="Make the lost files of this version again, and nothing else.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Follow the build until it ends.")] = True,
) -> None:
    """Build an index over the newest version of its dataset."""
    chunk = {key: value for key, value in (("size", size), ("overlap", overlap)) if value is not None}
    body = {"dataset": dataset, "rebuild": rebuild, "version": version, **({"chunk": chunk} if chunk else {})}
    client = control()
    run = client.post(f"/api/indexes/{segment(name)}/builds", body)
    if not wait:
        return print_json(run) if wants_json() else say(f"{run['id']}: `flyball runs show {run['id']}`")
    ended = follow_run(client, run["id"], title=f"index {name}")
    return print_json(ended["result"]) if wants_json() else say(ended["result"]["message"])


@app.command("list", permission="indexes.read")
def list_indexes() -> None:
    """List the indexes with their newest versions."""
    show_list(
        control().get("/api/indexes"), _LIST, empty="No indexes yet: `flyball index build NAME --dataset DATASET`."
    )


@app.command("versions", permission="indexes.read")
def versions(name: str) -> None:
    """List the versions of an index, newest first."""
    columns = (
        Column("version", right=True),
        Column("dataset_version", "of version", right=True),
        Column("chunks", "passages", right=True),
        Column("hash", "", as_hash),
        Column("id"),
        Column("created_ns", "built", as_ago),
    )
    empty = f"{name} has no version yet: `flyball index build {name}`."
    show_list(control().get(f"/api/indexes/{segment(name)}/versions"), columns, empty=empty)


@app.command("search", permission="indexes.read")
def search(
    name: str,
    query: str,
    k: Annotated[int, typer.Option("-k", help="How many passages.")] = 5,
    version: Annotated[int | None, typer.Option("--version", help="The version; the newest unless given.")] = None,
) -> None:
    """Find the best passages for a question."""
    found = control().get(f"/api/indexes/{segment(name)}/passages", query=query, k=k, version=version)
    show_list(found, _PASSAGES, empty="No passage has any of these words.")
