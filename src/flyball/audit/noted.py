"""Checkpoints noted beside the database: one file in the data directory, a line each, of all projects. Knows files, no database.

Who can write to the database alone cannot make it forget what stands here. A line that a kill cut off counts for nothing.
"""

import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from flyball.kit.layout import Layout

from .chain import Marked, checkpoint_body, checkpoint_line, read_checkpoint
from .records import SignedCheckpoint
from .signing import audit_folder

_BEGINNING = b'{"checkpoint":'
_PLACE = re.compile(
    rb'^\{"checkpoint":\{[^\n]*?"number":(?P<number>\d+),"previous":"[0-9a-f]{64}","project":(?P<project>"[^\n]*?[^\\]"),'
    rb'"root":[^\n]*,"signature":"[0-9a-f]{128}"\}$',
    re.MULTILINE,
)  # enough to say which a line is, at a fraction of the cost of reading it


def noted_file(layout: Layout) -> Path:
    """Where they are noted; it only grows."""
    return audit_folder(layout) / "checkpoints.jsonl"


def noted_checkpoints(layout: Layout, project: str) -> list[Marked]:
    """The project's, in their order."""
    return [marked(each) for each in _read(layout) if each.checkpoint.project == project]


def last_noted(layout: Layout) -> dict[str, int]:
    """Per project the number of the last one."""
    path = noted_file(layout)
    found = _PLACE.finditer(path.read_bytes()) if path.exists() else ()
    return {msgspec.json.decode(match["project"], type=str): int(match["number"]) for match in found}


def note(layout: Layout, checkpoints: Sequence[SignedCheckpoint]) -> int:
    """Add lines for those that are not there yet; how many. They are on the disk when this returns."""
    if not checkpoints:
        return 0
    descriptor = os.open(noted_file(layout), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two who note at once; a kill gives it back
        there = last_noted(layout)
        new = [each for each in checkpoints if each.checkpoint.number > there.get(each.checkpoint.project, 0)]
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
            file.write(b"\n")  # what a kill cut off stays a line by itself, and counts for nothing
        file.write(b"".join(checkpoint_line(each) + b"\n" for each in new))
        file.flush()
        os.fsync(file.fileno())
    return len(new)


def marked(signed: SignedCheckpoint) -> Marked:
    """A checkpoint as it is kept in the database."""
    return Marked(signed.checkpoint.number, checkpoint_body(signed.checkpoint).decode(), signed.signature)


def checkpoint_line_of(kept: Marked) -> bytes:
    """A checkpoint of the database as one line of an export, without its end: its bytes as they are."""
    return b'{"checkpoint":%b,"signature":"%b"}' % (kept.body.encode(), kept.signature.encode())


def checkpoint_of(line: bytes) -> SignedCheckpoint | None:
    """The checkpoint of an export's line; None where the line is not exactly one."""
    try:
        found = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        signed = read_checkpoint(bytes(found["checkpoint"]), msgspec.json.decode(found["signature"], type=str))
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
        return None
    return signed if checkpoint_line(signed) == line else None


def _read(layout: Layout) -> list[SignedCheckpoint]:
    path = noted_file(layout)
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    found = (checkpoint_of(line) for line in lines if line.startswith(_BEGINNING))
    return [each for each in found if each is not None]
