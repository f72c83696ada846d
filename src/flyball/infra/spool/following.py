"""The spool of another process, as the one that delivers it sees it: what that one appends, and what others of its name left.

At most one process delivers a writer's spool, which a lock in its folder holds. Appending knows nothing of it and waits for nothing.
Knows files and locks; the way into PostgreSQL is `drain.py`.
"""

import os
from pathlib import Path
from typing import Self

from .spool import adopt_all, take_lock
from .spool_file import SpoolFile

_LOCK = "delivering"


class FollowedSpool:
    """What `writer` records into its file `own`. Waits until nobody else delivers it.

    Args:
        folder: the data directory's `spool/`.
        writer: the writer's name, such as `gateway-1`.
        own: the name of the file that it appends to, without its suffix; all others in its folder are what others left.

    Raises:
        SpoolAwayError: the file cannot be read.
    """

    dropped = 0  # whoever appends counts what found no room, and tells it

    def __init__(self, folder: Path, writer: str, own: str) -> None:
        self.writer = writer
        self._lock = take_lock(folder / writer, _LOCK, writer, wait=True)
        try:
            self.own = SpoolFile.follow(folder / writer / f"{own}.spool")
            self.left = adopt_all(folder / writer, but=own)
        except BaseException:  # -- whatever it is: nobody could deliver otherwise
            os.close(self._lock)
            raise

    @property
    def waiting_bytes(self) -> int:
        """How much is not yet delivered, what others left included."""
        return sum(file.waiting_bytes for file in (self.own, *self.left))

    def finished(self, file: SpoolFile) -> None:
        """A file that others left has been read to its end: remove it."""
        file.close()
        file.path.unlink(missing_ok=True)
        self.left = tuple(other for other in self.left if other is not file)

    def close(self) -> None:
        """Let somebody else deliver. The writer removes its own file when it ends, or the next of its name does."""
        if self._lock < 0:
            return
        for file in (self.own, *self.left):
            file.close()
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
