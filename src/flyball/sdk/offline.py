"""The folder where batches wait while flyball is away, or until it has taken them: bounded, and it outlives the process.

One file for each batch, written whole under its name or not at all. A process holds a lock on a file of its own; what
belongs to a lock that nobody holds was left behind by a process that is gone, and the next one takes it over. A batch that
was taken but whose file is still there is sent again, and flyball recognises it. Survives the process, not a power cut.
Knows files; knows not how they are sent.
"""

import fcntl
import hashlib
import os
import secrets
import zlib
from pathlib import Path
from typing import NamedTuple

from flyball.kit.clock import NANOSECONDS, SystemClock

_LOCK = ".lock"
_UNFINISHED = ".part"
_BLOCK = 4_096  # what even the smallest file takes
_COUNTED_NS = 5 * NANOSECONDS  # other processes fill the folder too

_clock = SystemClock()


class Batch(NamedTuple):
    """What lies in one file: its kind, how many records, and their bytes."""

    kind: str
    records: int
    body: bytes


class Offline:
    """This process's place in the folder. Raises OSError where the folder cannot be used."""

    def __init__(self, folder: str, most_bytes: int, key: str) -> None:
        # What was said under one key is sent under no other: it may be another project's.
        owner = hashlib.sha256(key.encode()).hexdigest()[:16]
        self.folder = Path(folder) / owner
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._most_bytes = most_bytes
        self._token = f"{_clock.now_ns():020d}-{secrets.token_hex(4)}"
        self._next = 0
        self._bytes, self._counted_ns = 0, -_COUNTED_NS
        # Locked before it has its name: nobody can find it and take it for one that was left behind.
        unnamed = self.folder / f".{self._token}"
        self._locks = [os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)]
        fcntl.flock(self._locks[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.replace(self.folder / f"{self._token}{_LOCK}")

    def write(self, kind: str, count: int, body: bytes) -> Path | None:
        """Keep a batch; None when the folder is full."""
        if self._filled() + _size(len(body)) > self._most_bytes:
            return None
        path = self.folder / f"{self._token}-{self._next:08d}.{kind}"
        self._next += 1
        self._put(path, count, body)
        return path

    def extend(self, path: Path, batch: Batch, size_before: int) -> bool:
        """Write a batch again that has become larger and was never sent; False when the folder is full."""
        if self._filled() + _size(len(batch.body)) - _size(size_before) > self._most_bytes:
            return False
        self._bytes -= _size(size_before)
        self._put(path, batch.records, batch.body)
        return True

    def read(self, path: Path) -> Batch | None:
        """What lies there; None when it is gone or broken, and then it is gone."""
        try:
            head, _, body = path.read_bytes().partition(b"\n")
            check, count = (int(number) for number in head.split())
        except (OSError, ValueError):
            check, count, body = -1, 0, b""
        if zlib.crc32(body) != check:
            self.remove(path)
            return None
        return Batch(path.suffix[1:], count, body)

    def remove(self, path: Path) -> None:
        """It was taken, or never will be."""
        try:
            size = path.stat().st_size
            path.unlink()
            self._bytes -= _size(size)
        except OSError:
            pass

    def left_behind(self) -> list[Path]:
        """Batches of processes that are gone, oldest first. They are this process's from here on."""
        found: list[Path] = []
        for lock in sorted(self.folder.glob(f"*{_LOCK}")):
            token = lock.name.removesuffix(_LOCK)
            if token == self._token or (held := _locked(lock)) is None:
                continue
            theirs = sorted(self.folder.glob(f"{token}-*"))
            for path in theirs:
                if path.name.endswith(_UNFINISHED):
                    path.unlink(missing_ok=True)
            batches = [path for path in theirs if not path.name.endswith(_UNFINISHED)]
            found += batches
            if batches:
                self._locks.append(held)  # until this process ends
            else:
                lock.unlink(missing_ok=True)
                os.close(held)
        return found

    def others(self) -> int:
        """How many batches wait here under other keys."""
        return sum(1 for path in self.folder.parent.glob("*/*-*-*.*") if path.parent != self.folder)

    def close(self) -> None:
        """Let go of the locks, without a word to the files: in a forked child, whose parent holds them too."""
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()

    def _put(self, path: Path, count: int, body: bytes) -> None:
        unfinished = path.with_name(f"{path.name}{_UNFINISHED}")
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                _write_all(descriptor, b"%d %d\n" % (zlib.crc32(body), count))
                _write_all(descriptor, body)
            finally:
                os.close(descriptor)
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        self._bytes += _size(len(body))

    def _filled(self) -> int:
        now_ns = _clock.monotonic_ns()
        if now_ns - self._counted_ns >= _COUNTED_NS:
            self._counted_ns = now_ns
            self._bytes = sum(_size_of(path) for path in self.folder.parent.glob("*/*-*-*"))
        return self._bytes


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock; None when somebody else does, or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _size(length: int) -> int:
    return -(-length // _BLOCK) * _BLOCK


def _size_of(path: Path) -> int:
    try:
        return _size(path.stat().st_size)
    except OSError:  # sent by another process meanwhile
        return 0


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
