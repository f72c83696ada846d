"""The data directory's lock: one supervisor at a time. Knows who holds it, not what they do."""

import fcntl
import os
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from flyball.kit.clock import to_datetime

from .errors import AlreadyRunningError


class Holder(NamedTuple):
    """Who holds the lock: the supervisor's process, since when, and where it listens (empty until it does)."""

    pid: int
    since_ns: int
    address: str = ""


class DataLock:
    """An flock on a file whose text says who holds it. The kernel frees it when its holder ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def acquire(self, since_ns: int) -> None:
        """Take it.

        Raises:
            AlreadyRunningError: somebody has it; says who, since when and where.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            raise _already_running(self._path)
        self._descriptor = descriptor
        self.tell(Holder(os.getpid(), since_ns))

    def tell(self, holder: Holder) -> None:
        """Write who holds it, for the next who asks."""
        text = msgspec.json.encode(holder._asdict())
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        """Give it back."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int) -> bool:
    """Try for a moment: `holder_of` looks by taking a shared lock, which it gives back at once."""
    for pause in (0.02, 0.05, 0.1, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False


def holder_of(path: Path) -> Holder | None:
    """Who holds the lock now, or None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Holder:
    try:
        return Holder(**msgspec.json.decode(os.pread(descriptor, 4096, 0)))
    except (msgspec.DecodeError, TypeError):
        return Holder(0, 0)  # taken this very moment, its text not yet written


def _already_running(path: Path) -> AlreadyRunningError:
    holder = holder_of(path) or Holder(0, 0)
    since = f", since {to_datetime(holder.since_ns).astimezone():%Y-%m-%d %H:%M:%S}" if holder.since_ns else ""
    where = f", at {holder.address}" if holder.address else ""
    return AlreadyRunningError(
        f"flyball is already running on {path.parent} (process {holder.pid or 'unknown'}{since}{where})",
        next_step=f"use that one, stop it with `kill {holder.pid or 'PID'}`, or start on another directory with --data",
    )
