"""A file on its way in: written piece by piece into a folder of its own that nobody else may enter, hashed as it comes, gone at the end.

An archive's files are unpacked into that folder under numbers, never under the names that the archive gives them.
"""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from .archive import Archive, is_zip
from .errors import ArchiveRefusedError, FileTooLargeError
from .judging import judge, judge_entry
from .records import Judged
from .source import Limits, Source

_PIECE = 1024 * 1024
_PREFIX = "incoming-"
_TWO_DAYS_NS = 2 * 86_400 * 1_000_000_000
_WEIGHTS = ("safetensors", "gguf")


class Kept(NamedTuple):
    """A file that was let in: where it lies for now, its digest, and what it is. `path` is its name in the archive."""

    file: Path
    digest: str
    judged: Judged
    path: str = ""


@contextmanager
def private_folder(parent: Path, now_ns: int) -> Iterator[Path]:
    """A folder (0700) for one file on its way in. What a crash left of others goes after two days."""
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if now_ns - left.stat().st_mtime_ns > _TWO_DAYS_NS:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=_PREFIX) as folder:
        yield Path(folder)


async def receive(pieces: AsyncIterator[bytes], folder: Path, *, most_bytes: int) -> tuple[Path, str]:
    """Write what comes, however much memory there is; where it lies, and `sha256:<hex>`.

    Raises:
        FileTooLargeError: more came than is taken.
    """
    path = folder / "received"
    hashed = hashlib.sha256()
    waiting = bytearray()
    size = 0

    def write() -> None:
        hashed.update(waiting)
        file.write(waiting)
        waiting.clear()

    with path.open("xb") as file:
        async for piece in pieces:
            size += len(piece)
            if size > most_bytes:
                raise FileTooLargeError(
                    f"the file has more than {most_bytes:,} bytes",
                    next_step="raise FLYBALL_MAX_WEIGHTS_BYTES, or send it in shards",
                )
            waiting += piece
            if len(waiting) >= _PIECE:
                await asyncio.to_thread(write)
        await asyncio.to_thread(write)
    return path, f"sha256:{hashed.hexdigest()}"


def let_in(file: Path, digest: str, name: str, limits: Limits) -> tuple[Kept, ...]:
    """The file, or the files of the archive, each proven. Blocks.

    Raises:
        NotAdmittedError: it, or one of them, is not let in; then none is.
    """
    with file.open("rb") as opened:
        source = Source(opened, name=name)
        if not is_zip(source):
            return (Kept(file, digest, judge(source, limits)),)
        archive = Archive(opened, name, limits)
        kept = tuple(_unpacked(archive, number, file.parent, limits) for number in range(len(archive.entries)))
    if not any(each.judged.format in _WEIGHTS for each in kept):
        raise ArchiveRefusedError(
            f"{name!r:.200} holds no weights", next_step="send a zip with .safetensors or .gguf files in it"
        )
    return kept


def _unpacked(archive: Archive, number: int, folder: Path, limits: Limits) -> Kept:
    entry = archive.entries[number]
    path = folder / f"entry-{number}"
    with path.open("x+b") as file:
        archive.copy(entry, file)
        file.flush()
        judged = judge_entry(Source(file, name=entry.path), limits)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Kept(path, f"sha256:{digest}", judged, entry.path)
