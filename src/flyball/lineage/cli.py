"""`flyball why`: the chain behind an answer, printed."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from flyball.surface.console import (
    Commands,
    ExitCode,
    as_hash,
    control,
    print_json,
    say,
    segment,
    show_table,
    wants_json,
)

verbs = Commands("verbs", help="Why an answer was what it was.")

_MARKS = {True: "verified", False: "ALTERED", None: ""}
_SHORT = 100


@verbs.command("why", permission="traces.read")
def why(trace: Annotated[str, typer.Argument(help="The trace's id (the header x-flyball-trace-id).")]) -> None:
    """Print what an answer rests on, by content hash. Exit code 1 when something is not what its hash says."""
    found = control().get(f"/api/why/{segment(trace)}")
    links: list[dict[str, Any]] = found["links"]
    if wants_json():
        print_json(found)
    else:
        show_table(_table(links))
    altered = [link for link in links if link["verified"] is False]
    if altered:
        say(f"{len(altered)} of {len(links)} links are not what their hash says")
        raise typer.Exit(ExitCode.FAILED)


def _table(links: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("link", "what", "hash", "", "facts"):
        table.add_column(heading, overflow="fold")
    for link in links:
        kind = "  " * link["depth"] + ("" if link["depth"] == 0 else "<- ") + link["kind"]
        mark = _MARKS[link["verified"]] if link["recorded"] else "not recorded"
        style = "red" if link["verified"] is False else "yellow" if not link["recorded"] else ""
        what = link["title"] if link["recorded"] else ""
        told = [link["note"], *(f"{name}={_plain(value)}" for name, value in link["facts"].items() if value)]
        cells = (kind, what, as_hash(link["hash"]), mark, "; ".join(text for text in told if text))
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        text = ", ".join(f"{name} {_plain(part)}" for name, part in value.items() if part is not None)
    elif isinstance(value, list):
        text = ", ".join(_plain(part) for part in value)
    else:
        text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
