"""One at a time: joining a table's files and writing them again, whatever process does it.

The log would not notice: a file that was joined is gone without any data having changed, and whoever writes the old one again
would bring its rows back. Appends are not concerned. Knows locks on this machine, on which one worker and one flusher work.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .schema import TableSchema


@contextmanager
def alone(root: Path, table: TableSchema, *, wait: bool = True) -> Iterator[bool]:
    """Hold the table's lock; False where another one has it and we do not wait. A process that is killed lets go of it."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / f".{table.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
