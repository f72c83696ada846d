"""Bodies of requests that wait, in files beside the database: written whole and made durable before their rows are.

PostgreSQL cuts a large value into pieces of 2 kB, and writes, reads and deletes each of them by itself: that costs more than all
else that becomes of a request until it is in its table. A file is written once. One holds the bodies of requests that arrived
together; a row says which and where, and when the last of its rows has gone, the file goes. Where the database is not the embedded
one, other machines may read its rows, and bodies stay in them.

Knows bytes and files; knows neither rows nor what a body says.
"""

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from flyball.infra.context import Context
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.kit.durable import sync

from .errors import BodyGoneError

LEAST_BYTES = 16 * 1024  # of a body that is worth a file; a row of a smaller one is no dearer
UNCLAIMED_NS = 3600 * 1_000_000_000  # a file without rows is one that somebody is about to name, until it is so old


class Place(NamedTuple):
    """Where a body lies: in which file, and from which byte on."""

    file: str
    at: int


def folder_of(ctx: Context) -> Path | None:
    """Where bodies lie that are not in rows; None where all are."""
    embedded = EmbeddedPostgres(ctx.layout.postgres, ctx.layout.sockets)
    return ctx.layout.inbox if ctx.settings.database_url == embedded.url else None


def write(folder: Path, bodies: Sequence[bytes]) -> list[Place]:
    """Keep bodies in a file of their own; on return they are durable. On failure nothing is left. Raises OSError."""
    name = secrets.token_hex(16)
    path, places, at = folder / name, [], 0
    try:
        with open(path, "xb", opener=_private) as file:
            for body in bodies:
                file.write(body)
                places.append(Place(name, at))
                at += len(body)
            file.flush()
            os.fsync(file.fileno())
        sync(folder)  # the file's name is as durable as what stands in it
    except BaseException:  # -- whatever stops it, no half file may be left
        path.unlink(missing_ok=True)
        raise
    return places


def read(folder: Path, place: Place, size: int) -> bytes:
    """A body of this size.

    Raises:
        BodyGoneError: it is not there, or not whole.
        OSError: it cannot be read now.
    """
    try:
        with (folder / place.file).open("rb", buffering=0) as file:
            file.seek(place.at)
            body = file.read(size)
    except FileNotFoundError:
        body = b""
    if len(body) != size:
        raise BodyGoneError(
            f"of {size} bytes from byte {place.at} on, {folder / place.file} has {len(body)}",
            next_step="restore the data directory as a whole: `inbox/` holds what rows of `postgres/` name",
        )
    return body


def remove(folder: Path, files: Iterable[str]) -> None:
    """Delete files of which no row is left."""
    for file in files:
        (folder / file).unlink(missing_ok=True)


def old(folder: Path, *, now_ns: int) -> list[str]:
    """Files that were written so long ago that whoever wrote them has said so, or never will: if the clock was never set."""
    return [entry.name for entry in _files(folder) if now_ns - _written_ns(entry, now_ns) > UNCLAIMED_NS]


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    if folder.is_dir():
        with os.scandir(folder) as entries:  # nothing else that lies there is ours: `lost+found`, say
            yield from (entry for entry in entries if entry.is_file(follow_symlinks=False))


def _written_ns(entry: os.DirEntry[str], now_ns: int) -> int:
    try:
        return entry.stat().st_mtime_ns
    except FileNotFoundError:  # somebody else has just deleted it
        return now_ns


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
