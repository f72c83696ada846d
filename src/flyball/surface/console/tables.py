"""Answers as tables for people and as JSON for programs. Knows columns and how values read, no noun."""

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyball.kit.clock import SystemClock, to_datetime
from flyball.kit.visible import for_terminal, json_for_terminal

from .harmless import HarmlessConsole
from .options import wants_json

_WHEN_PIPED = 200  # columns of a table that goes to a file or another program


class Column(NamedTuple):
    """A column: the field (dots go inside), its heading (the field unless given), how its value reads, to the right for numbers."""

    field: str
    heading: str = ""
    reads: Callable[[Any], str] | None = None
    right: bool = False


def show_list(answer: Any, columns: Sequence[Column], *, empty: str) -> None:
    """A list, or a page `{"items": [...], "next": ...}`, as a table; `empty` says the next command to run."""
    if wants_json():
        return print_json(answer)
    items = answer["items"] if isinstance(answer, Mapping) else answer
    if not items:
        return say(empty)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(
            column.heading or column.field.replace("_", " "),
            justify="right" if column.right else "left",
            overflow="fold",
        )
    for item in items:
        table.add_row(*(Text(_cell(item, column)) for column in columns))
    _console().print(table)
    if isinstance(answer, Mapping) and answer.get("next"):
        say(f"more: --cursor {answer['next']}")
    return None


def show_one(record: Any, columns: Sequence[Column] = ()) -> None:
    """One thing as field and value, line by line; all its fields unless columns are named."""
    if wants_json():
        return print_json(record)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for column in columns or [Column(name) for name in record]:
        table.add_row(column.heading or column.field.replace("_", " "), Text(_cell(record, column)))
    _console().print(table)
    return None


def show_table(table: Table) -> None:
    """A table that a command drew itself."""
    _console().print(table)


def print_json(value: Any) -> None:
    """The value on standard output as indented JSON, whatever the options."""
    sys.stdout.write(json_for_terminal(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()) + "\n")


def print_json_line(value: Any) -> None:
    """The value on standard output as one line of JSON, whatever the options."""
    sys.stdout.write(json_for_terminal(msgspec.json.encode(value).decode()) + "\n")


def say(text: str) -> None:
    """A line for people: standard output, or nothing at all with `--json`."""
    if not wants_json():
        sys.stdout.write(for_terminal(text) + "\n")


def as_time(ns: Any) -> str:
    """Nanoseconds since the epoch as local time to the second; empty for None."""
    return to_datetime(int(ns)).astimezone().strftime("%Y-%m-%d %H:%M:%S") if ns else ""


def as_ago(ns: Any) -> str:
    """Nanoseconds since the epoch as `3 min ago`; empty for None."""
    if not ns:
        return ""
    seconds = max(0, (SystemClock().now_ns() - int(ns)) // 1_000_000_000)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def as_hash(value: Any) -> str:
    """The first twelve characters of a content hash, its algorithm's name left out."""
    return str(value or "").rpartition(":")[2][:12]


def as_bytes(value: Any) -> str:
    """A size with its unit."""
    size = float(value or 0)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def as_words(value: Any) -> str:
    """A list as words with commas."""
    return ", ".join(str(one) for one in value or ())


def _cell(item: Any, column: Column) -> str:
    value: Any = item
    for part in column.field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return for_terminal(column.reads(value) if column.reads is not None else _plain(value))


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping) or (isinstance(value, Iterable) and not isinstance(value, str)):
        return msgspec.json.encode(value).decode()
    return str(value)


def _console() -> Console:
    width = None if sys.stdout.isatty() else max(_WHEN_PIPED, shutil.get_terminal_size().columns)
    return HarmlessConsole(file=sys.stdout, width=width)
