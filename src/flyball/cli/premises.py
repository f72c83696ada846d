"""The data directory as a place to work in: made, private, writable, with room left. Knows the disk, not what lies on it."""

import errno
import os
import resource
import shutil
from pathlib import Path

from flyball.kit.layout import Layout

from .errors import DataDirectoryError

LEAST_FREE = 200 * 1024 * 1024  # bytes: PostgreSQL's log alone may need half of it
MANY_FILES = 65_536
_PROBE = 64 * 1024


def prepare(layout: Layout) -> None:
    """Make the directories and prove that they can be written.

    Raises:
        DataDirectoryError: what is in the way, and what to do.
        ForbiddenError: the folder for sockets is not this user's alone.
    """
    try:
        layout.create()
        _write_probe(layout.root / ".probe")
    except OSError as error:
        raise _explained(layout.root, error) from None
    free = shutil.disk_usage(layout.root).free
    if free < LEAST_FREE:
        raise DataDirectoryError(
            f"only {free // 1_048_576} MiB are free on the disk of {layout.root}",
            next_step=f"make {LEAST_FREE // 1_048_576} MiB free, or choose another directory with --data",
        )


def allow_many_open_files() -> None:
    """Raise the soft limit of open files as far as this user may: each caller holds one. Children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _write_probe(path: Path) -> None:
    """Many file systems say "full" only when data reaches the disk."""
    try:
        with path.open("wb") as probe:
            probe.write(b"\0" * _PROBE)
            probe.flush()
            os.fsync(probe.fileno())
    finally:
        path.unlink(missing_ok=True)


def _explained(root: Path, error: OSError) -> DataDirectoryError:
    other = "choose another directory with --data"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataDirectoryError(f"the disk of {root} is full", next_step=f"make room on it, or {other}")
    if error.errno == errno.EROFS:
        return DataDirectoryError(f"{root} is on a read-only file system", next_step=f"mount it writable, or {other}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return DataDirectoryError(
            f"{error.filename or root} cannot be written by this user",
            next_step=f"give it to the user who runs flyball, or {other}",
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return DataDirectoryError(f"{error.filename or root} is not a directory", next_step=other)
    return DataDirectoryError(f"{root} cannot be used: {error.strerror or error}", next_step=other)
