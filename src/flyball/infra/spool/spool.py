"""What a process has to record and has not yet recorded: a bounded spool in the data directory, one folder per writer.

Appending touches neither SQL nor disk nor a lock. What a killed process left is read by the next one of the same name;
while a process lives, it alone appends in the folder. Whoever delivers is the same process, or one beside it (`following.py`).
Knows files and their owner; the way into PostgreSQL is `drain.py`.
"""

import fcntl
import os
import re
import secrets
from pathlib import Path
from typing import Self

from flyball.kit.errors import InvalidInputError

from .errors import SpoolAwayError, SpoolInUseError
from .spool_file import SLOT, SpoolFile

_WRITER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class Spool:
    """The spool of one writer, such as `gateway-1`. One thread uses it.

    Args:
        folder: the data directory's `spool/`.
        writer: a name that one process at a time may bear.
        capacity: bytes of disk; beyond them records are dropped and counted.
        slot_bytes: the unit in which room is freed.
        adopts: whether this process delivers what others of the name left; otherwise whoever follows it does.

    Raises:
        SpoolInUseError: another process bears the name.
        SpoolAwayError: the disk has no room for the file.
    """

    def __init__(
        self, folder: Path, writer: str, *, capacity: int, slot_bytes: int = SLOT, adopts: bool = True
    ) -> None:
        if not _WRITER.fullmatch(writer):
            raise InvalidInputError(f"{writer!r:.80} is not a writer's name", next_step="use letters, digits and -")
        self.writer = writer
        self.capacity = capacity
        self._folder = folder / writer
        self._lock = take_lock(self._folder, "lock", writer)
        try:
            for path in self._folder.glob("*.making"):
                path.unlink()
            self.left = adopt_all(self._folder) if adopts else ()
            self.own = SpoolFile.create(
                self._folder / f"{secrets.token_hex(8)}.spool", capacity=capacity, slot_bytes=slot_bytes
            )
        except BaseException:  # -- whatever it is: the name must not stay taken
            os.close(self._lock)
            raise

    @property
    def dropped(self) -> int:
        """How many records found no room since the start."""
        return self.own.dropped

    @property
    def waiting_bytes(self) -> int:
        """How much is not yet delivered, what others left included."""
        return sum(file.waiting_bytes for file in (self.own, *self.left))

    def append(self, record: bytes) -> bool:
        """Keep a record; when this returns True, only the loss of the machine's power can lose it."""
        return self.own.append(record)

    def finished(self, file: SpoolFile) -> None:
        """A file that others left has been read to its end: remove it."""
        file.close()
        file.path.unlink(missing_ok=True)
        self.left = tuple(other for other in self.left if other is not file)

    def close(self) -> None:
        """Give the name back. The file goes when nothing is left in it; otherwise the next of this name reads it."""
        if self._lock < 0:
            return
        if not self.own.waiting_bytes:
            self.own.path.unlink(missing_ok=True)
        for file in (self.own, *self.left):
            file.close()
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def adopt_all(folder: Path, *, but: str = "") -> tuple[SpoolFile, ...]:
    """The files that others left in a folder, oldest first. One that is no spool is set aside, for a person to look at."""
    left = []
    for path in sorted(folder.glob("*.spool"), key=lambda path: path.stat().st_mtime_ns):
        if path.stem == but:
            continue
        try:
            left.append(SpoolFile.adopt(path))
        except SpoolAwayError:  # it must not keep the gateway from starting
            path.rename(path.with_suffix(".damaged"))
    return tuple(left)


def take_lock(folder: Path, name: str, writer: str, *, wait: bool = False) -> int:
    """The descriptor of a lock in a writer's folder. Raises SpoolInUseError where another process has it, unless told to wait."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise SpoolInUseError(
            f"the spool of {writer} is held by process {holder or 'unknown'}",
            next_step="stop that process; two workers need two names",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def spool_name(file: SpoolFile) -> str:
    """By which the database knows how far a file has been moved."""
    return file.path.stem
