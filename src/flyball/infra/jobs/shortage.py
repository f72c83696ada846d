"""Recognising that a step failed for want of room on a disk, whichever library says so. Knows no step and no folder.

FlyballError
└── UnavailableError
    └── DiskFullError    a disk has no room for what a run makes; the run waits, and fails after a while
"""

import errno

from flyball.kit.errors import UnavailableError

_WORDS = ("No space left on device", "Disk quota exceeded")  # Lance and Delta speak in texts alone


class DiskFullError(UnavailableError):
    """A disk has no room for what a run makes."""

    code = "disk_full"


def shortage(error: Exception) -> UnavailableError | None:
    """The error as one that is worth waiting for: something is away, or a disk is full. None: it is another one."""
    if isinstance(error, UnavailableError):
        return error
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    else:
        full = isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)
    if not full:
        return None
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return DiskFullError(
        f"a disk has no room for what this run makes{where}",
        next_step="make room on the disk of the data directory, then repeat it; `flyball doctor` shows how much is left",
    )
