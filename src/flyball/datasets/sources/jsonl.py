"""Rows from a file with one JSON object per line. Knows which names in a row mean something to flyball; the rest is data.

`id` names the row, `split` its split, `licence` its licence; its text is the first of `text`, `question`, `input`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from flyball.datasets.errors import SourceNotFoundError
from flyball.datasets.records import DEFAULT_SPLIT, UNKNOWN_LICENCE, Refusal
from flyball.kit.hashing import bytes_hash

from .found import Collected, Found

LONGEST_LINE = 4 * 1024 * 1024
_SPLIT = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def collect(location: str, licence: str) -> Collected:
    """One row per line. Raises SourceNotFoundError."""
    path = Path(location)
    if not path.is_file():
        raise SourceNotFoundError(
            f"{location!r} is {'a folder, not a file' if path.is_dir() else 'not there'}",
            next_step="give the path of a .jsonl file that exists on flyball's machine",
        )
    lines: dict[str, tuple[int, bytes]] = {}
    for number, line in _lines(path):
        shown = f"line {number}"
        if line is None:
            detail = f"longer than {LONGEST_LINE:,} bytes"
            yield Refusal(location=shown, reason="too-large", detail=detail)
            continue
        row = _row(line, shown, licence or UNKNOWN_LICENCE)
        if isinstance(row, Found):
            first, content = lines.setdefault(row.row_id, (number, line))
            if content != line:
                detail = f"the id {row.row_id!r:.80} stands on line {first} already, with other content"
                row = Refusal(location=shown, reason="duplicate-id", detail=detail)
        yield row


def _lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Lines that are not blank; None for one that is too long, which is skipped without being held."""
    try:
        with path.open("rb") as file:
            number = 0
            while piece := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(piece) > LONGEST_LINE:
                    while piece and not piece.endswith(b"\n"):
                        piece = file.readline(LONGEST_LINE)
                    yield number, None
                elif piece.strip():
                    yield number, piece.strip()
    except OSError as error:
        raise SourceNotFoundError(
            f"{path} cannot be read: {error.strerror}", next_step="check its permissions"
        ) from error


def _row(line: bytes, shown: str, licence: str) -> Found | Refusal:
    try:
        data = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refusal(location=shown, reason="not-json", detail=f"{error}"[:200])
    if not isinstance(data, dict):
        return Refusal(
            location=shown, reason="not-an-object", detail=f"a row is a JSON object, not {type(data).__name__}"
        )
    split = data.get("split", DEFAULT_SPLIT)
    if not (isinstance(split, str) and _SPLIT.fullmatch(split)):
        return Refusal(location=shown, reason="split-invalid", detail=f"{split!r:.60} cannot be a split's name")
    given = data.get("id")
    row_id = str(given) if isinstance(given, str | int) and not isinstance(given, bool) and given != "" else ""
    return Found(
        row_id=row_id or f"row-{bytes_hash(line)[7:27]}",
        title=_text(data, "title", "name", "id"),
        text=_text(data, "text", "question", "input"),
        source=_text(data, "source"),
        licence=_text(data, "licence", "license") or licence,
        data=data,
        split=split,
        location=shown,
    )


def _text(data: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := data.get(name), str) and value), "")
