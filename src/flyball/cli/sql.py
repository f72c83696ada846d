"""`flyball sql`: a question in SQL, answered by the control process as a table. Knows no table's columns."""

import sys
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from flyball.surface.console import Commands, control, print_json, say, show_table, wants_json

verbs = Commands("sql", help="Ask the tables a question in SQL.")


@verbs.command("sql")
def sql(
    query: Annotated[
        str, typer.Argument(help="A SELECT over spans, scores, ledger, audit; `-` reads it from standard input.")
    ],
    limit: Annotated[int, typer.Option(help="The most rows that are returned.", min=1)] = 1000,
) -> None:
    """Ask the tables a question in SQL."""
    text = sys.stdin.read() if query == "-" else query
    answer = control().post("/api/sql", {"sql": text, "limit": limit}, timeout=600)
    if wants_json():
        return print_json(answer)
    rows: list[dict[str, Any]] = answer["rows"]
    if not rows:
        return say("no rows")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    names = answer.get("columns") or list(rows[0])
    for name in names:
        table.add_column(
            name, justify="right" if isinstance(rows[0].get(name), int | float) else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text("" if row.get(name) is None else str(row[name])) for name in names))
    show_table(table)
    if answer.get("truncated"):
        say(f"more than {limit} rows: --limit")
    return None
