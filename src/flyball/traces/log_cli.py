"""The commands of log records: `flyball logs list|export`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from flyball.surface.console import Column, Commands, OptionGroup, as_time, control, print_json_line, show_list

app = Commands("logs", help="Log records that applications sent by OpenTelemetry.")

_NANOSECONDS = 1_000_000_000


class LevelChoice(StrEnum):
    """How bad it is at least."""

    trace = "trace"
    debug = "debug"
    info = "info"
    warn = "warn"
    error = "error"
    fatal = "fatal"


@dataclass(frozen=True, slots=True)
class Narrowed(OptionGroup):
    """Which records."""

    level: Annotated[LevelChoice | None, typer.Option(help="Only as bad as this, or worse.")] = None
    service: Annotated[str, typer.Option(help="Only of this service.")] = ""
    trace: Annotated[str, typer.Option(help="Only of this trace.")] = ""
    span: Annotated[str, typer.Option(help="Only of this span.")] = ""
    event: Annotated[str, typer.Option(help="Only events of this name.")] = ""
    text: Annotated[str, typer.Option(help="Only with this text in body, attributes or event.")] = ""
    since: Annotated[str, typer.Option(help="From this date or time on, in UTC: 2026-11-21T13:00.")] = ""
    until: Annotated[str, typer.Option(help="Up to this date or time, in UTC.")] = ""


@app.command("list", permission="traces.read")
def list_logs(
    *,
    narrowed: Narrowed,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    limit: Annotated[int, typer.Option(help="How many.")] = 20,
) -> None:
    """List log records, newest first."""
    columns = (
        Column("at_ns", "when", as_time),
        Column("level"),
        Column("service"),
        Column("event_name", "event"),
        Column("body", "body", lambda body: _line(body, 80)),
        Column("attributes", "attributes", lambda held: _line(held, 60) if held else ""),
        Column("trace_id", "trace"),
    )
    page = control().get("/api/logs", limit=limit, cursor=cursor, **_asked(narrowed))
    show_list(page, columns, empty="No log record fits: point an OpenTelemetry exporter here, with `flyball keys create my-app`.")  # fmt: skip


@app.command("export", permission="traces.read")
def export(*, narrowed: Narrowed) -> None:
    """Write log records to standard output, oldest first: each line is a request in OTLP's JSON, for any endpoint's /v1/logs."""
    client, asked = control(), _asked(narrowed)
    for page in pages_of(lambda cursor: client.get("/api/logs/otlp", cursor=cursor, timeout=600, **asked)):
        if page["records"]:
            print_json_line(page["request"])


def ns_of(text: str) -> int:
    """Nanoseconds since 1970 of a date or time, in UTC where it says no offset."""
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return int(found.timestamp()) * _NANOSECONDS + found.microsecond * 1_000
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is neither a date nor a time; write it as 2026-11-21T13:00") from None


def pages_of(get: Any) -> Iterator[dict[str, Any]]:
    """Every page that `get` answers for a cursor, from the first on."""
    cursor: str | None = ""
    while cursor is not None:
        page = get(cursor)
        yield page
        cursor = page["next"]


def _asked(narrowed: Narrowed) -> dict[str, Any]:
    asked = {name: value for name, value in asdict(narrowed).items() if value}
    times = {f"{name}_ns": ns_of(asked.pop(name)) for name in ("since", "until") if name in asked}
    return asked | times


def _line(value: Any, most: int) -> str:
    text = value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
