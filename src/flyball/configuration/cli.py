"""`flyball diff | apply | export`: the declared configuration against what is there."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flyball.kit.errors import ConflictError
from flyball.surface.console import Column, Commands, control, print_json, say, show_list, wants_json

from .bundling import DEFAULT_FILE, bundle, unsafe

verbs = Commands("configuration", help="flyball.yaml: diff, apply, export.")

_CHANGES = (Column("action"), Column("kind"), Column("name"))

File = Annotated[Path, typer.Argument(metavar="FILE", help="A flyball.yaml, or the folder that it is in.")]


@verbs.command("diff", permission="configuration.read")
def diff(file: File = Path(DEFAULT_FILE)) -> None:
    """Show what `apply` would change."""
    changes = control().post("/api/configuration/diff", bundle(file))
    if wants_json():
        print_json(changes)
        return
    differing = _differing(changes)
    for change in differing:
        say(f"{change['action']} {change['kind']} {change['name']}")
        for line in change["detail"].splitlines():
            say(f"    {line}")
    kept = [f"{change['kind']} {change['name']}" for change in changes["items"] if change["action"] == "kept"]
    if kept:
        say(f"not in the file, left as they are: {', '.join(kept)}")
    say(f"{len(differing)} to change: `flyball apply {file}`" if differing else "Nothing differs.")


@verbs.command("apply", permission="configuration.write")
def apply(file: File = Path(DEFAULT_FILE)) -> None:
    """Make everything as the file says, in one transaction."""
    changes = control().post("/api/configuration/apply", bundle(file), timeout=120)
    if wants_json():
        print_json(changes)
        return
    differing = _differing(changes)
    show_list(differing, _CHANGES, empty="Nothing differs.")
    for change in differing:
        if change["kind"] == "dataset":
            say(f"next: flyball datasets import declared --name {change['name']}")
        elif change["kind"] == "index":
            say(f"next: flyball index build {change['name']}")


@verbs.command("export", permission="configuration.read")
def export(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to write flyball.yaml and its files; else it is printed.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that say something else.")] = False,
) -> None:
    """Write what is there as a flyball.yaml and the files that it names."""
    written = control().get("/api/configuration/export")
    if folder is None:
        print_json(written) if wants_json() else say(written["text"].rstrip("\n"))
        return
    files = {DEFAULT_FILE: written["text"], **written["files"]}
    if strange := [name for name in files if unsafe(name)]:
        raise ConflictError(f"the server names files outside of the folder: {', '.join(strange)}; nothing was written")
    differing = [name for name, text in files.items() if _says_something_else(folder / name, text)]
    if differing and not force:
        raise ConflictError(
            f"{folder} has {', '.join(sorted(differing))} already, with other contents",
            next_step="choose another folder, or overwrite them with --force",
        )
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    print_json({"folder": str(folder), "files": sorted(files)}) if wants_json() else say(
        f"{len(files)} files written to {folder}"
    )


def _differing(changes: Any) -> list[dict[str, Any]]:
    return [change for change in changes["items"] if change["action"] in ("create", "update")]


def _says_something_else(path: Path, text: str) -> bool:
    return path.exists() and (not path.is_file() or path.read_bytes() != text.encode())
