"""Log records as lines that a page shows: the body as text, what is beside it as JSON, both cut. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from .signal_records import LogRow

_LONGEST = 4_000  # characters of a text
_ONE_LINE = 200
_WORD = 12


class LogLine(NamedTuple):
    """A record: its level as a word, its body in a line, and whole where a line does not hold it, and what else it says.

    Texts are "" where there is nothing. `cut`: some of it is left out.
    """

    row: LogRow
    level: str
    text: str
    whole: str
    beside: str
    tone: str
    cut: bool


def lines_of(rows: Iterable[LogRow]) -> tuple[LogLine, ...]:
    """Records as lines, in their order."""
    return tuple(map(_line, rows))


def _line(row: LogRow) -> LogLine:
    whole = row.body if isinstance(row.body, str) else "" if row.body is None else _json(row.body)
    text = " ".join(whole.split())[:_ONE_LINE]
    said = _said(row)
    beside = _json(said) if said else ""
    return LogLine(
        row=row,
        level=(row.severity_text or row.level)[:_WORD],
        text=text,
        whole=whole[:_LONGEST] if text != whole else "",
        beside=beside[:_LONGEST],
        tone=_TONES.get(row.level, ""),
        cut=row.cut or len(whole) > _LONGEST or len(beside) > _LONGEST,
    )


def _said(row: LogRow) -> Mapping[str, Any]:
    """What stands beside the body, without what is empty."""
    parts = {
        "attributes": row.attributes,
        "resource": row.resource.get("attributes", {}),
        "scope": " ".join(filter(None, (row.scope.get("name", ""), row.scope.get("version", "")))),
    }
    return {name: value for name, value in parts.items() if value}


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


_TONES = {"warn": "warn", "error": "bad", "fatal": "bad"}
