"""What PostgreSQL would never take from the spools: entries of the ledger and spans that were set aside. Needs the `server` extra."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from flyball.kit.layout import Layout
from flyball.kit.money import format_usd
from flyball.ledger.records import Entry

from .finding import Finding, ok, warning

_FILE = "refused.jsonl"
_LEDGER = "ledger-"
_LARGEST = 64 * 1024 * 1024  # bytes of one file that are read
_entry = msgspec.msgpack.Decoder(Entry)


class _Aside(msgspec.Struct):
    """A line of the file."""

    reason: str
    record: bytes


class _Refused(NamedTuple):
    records: int
    nano_usd: int  # of those that can be read and have a price
    reason: str  # the newest


def check_refused(layout: Layout) -> list[Finding]:
    """Nothing was refused; else how much, of what worth, why and where it lies. One row for each file."""
    files = sorted(layout.spool.glob(f"*/{_FILE}")) if layout.spool.is_dir() else []
    found = [_finding(path) for path in files]
    return found or [ok("refused records", "none: everything that was recorded found its place")]


def _finding(path: Path) -> Finding:
    in_ledger = path.parent.name.startswith(_LEDGER)
    name = "refused entries" if in_ledger else "refused spans"
    try:
        refused = _read(path, in_ledger=in_ledger)
    except OSError as error:
        return warning(name, f"{path} cannot be read ({error.strerror})", "let the user who runs flyball read it")
    reason = " ".join(refused.reason.split())[:200]
    if in_ledger:
        told = (
            f"{refused.records:,} entries of the ledger ({format_usd(refused.nano_usd)}) are in no sum and no counter"
        )
    else:
        told = f"{refused.records:,} spans are in no trace"
    step = f"keep {path}, in which they are, and mend what the reason says; once they are of no use, remove it"
    return warning(name, f"{told}; the last was refused because: {reason}", step)


def _read(path: Path, *, in_ledger: bool) -> _Refused:
    records, nano_usd, reason = 0, 0, "nobody can read it"
    for line in _lines(path):
        records += 1
        try:
            aside = msgspec.json.decode(line, type=_Aside)
            reason = aside.reason
            nano_usd += (_entry.decode(aside.record).nano_usd or 0) if in_ledger else 0
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # it counts; what it says is lost
    return _Refused(records, nano_usd, reason)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        read = 0
        for line in file:
            read += len(line)
            if read > _LARGEST:
                return
            yield line
