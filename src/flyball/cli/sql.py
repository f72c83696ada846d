"""`flyball sql`: a question in SQL, answered by the control process as a table. Knows no table's columns."""

import sys
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from flyball.surface.console import Commands, control, print_json, say, show_table, wants_json

verbs = Commands("sql", help="Ask the tables a question in SQL.")


@verbs.command("sql", permission="traces.read")
def sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT over spans, scores, ledger and audit; - reads it from standard input.")
    ],
    limit: Annotated[int, typer.Option(help="The most rows that are returned.", min=1)] = 1000,
) -> None:
    """Ask the tables a question in SQL."""
    text = sys.stdin.read() if query == "-" else query
    answer = control().post("/api/sql", {"sql": text, "limit": limit}, timeout=600)
    rows: list[dict[str, Any]] = answer["rows"]
    if answer["truncated"]:
        typer.echo(f"only the first {len(rows):,} rows: --limit raises that", err=True)
    if wants_json():
        return print_json(rows)
    if not rows:
        return say("no rows")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name, value in rows[0].items():
        table.add_column(name, justify="right" if isinstance(value, int | float) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
    show_table(table)
    return None
