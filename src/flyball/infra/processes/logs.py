"""What child processes print: kept in files of bounded size, its last lines at hand, without what looks like a secret.

Knows bytes and lines, no levels. Processes blot their log lines themselves; this is for what was printed in some other way.
"""

import os
from collections import deque
from pathlib import Path

from flyball.kit.redaction import blot_shapes

_LARGEST = 8 * 1024 * 1024  # bytes of one file; with two older ones beside it
_OLDER = 2
_REMEMBERED = 20  # lines
_LONGEST_LINE = 64 * 1024  # bytes; a longer one is written in pieces


def rotate(path: Path, *, largest: int = _LARGEST) -> None:
    """Begin a new file where the old one is large; for a log that somebody else writes, before they open it."""
    if path.exists() and path.stat().st_size > largest:
        _shift(path)


class ChildLog:
    """One child's log file. A full disk loses lines, never the child."""

    def __init__(self, path: Path, *, largest: int = _LARGEST) -> None:
        self.path = path
        self._largest = largest
        self._last: deque[str] = deque(maxlen=_REMEMBERED)
        self._rest = b""
        self._descriptor = -1
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append what the child printed, line by line: of one that is not complete, what fits is held back."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        if lines:
            self._keep(b"".join(line + b"\n" for line in lines))

    def _keep(self, data: bytes) -> None:
        text = blot_shapes(data.decode(errors="surrogateescape"))
        self._last.extend(visible for line in text.split("\n") if (visible := _printable(line)).strip())
        try:
            self._append(text.encode(errors="surrogateescape"))
        except OSError:
            self._let_go()  # the next write tries again

    def last_lines(self, count: int = 8) -> list[str]:
        """The last lines since the child was started."""
        rest = _printable(blot_shapes(self._rest.decode(errors="surrogateescape")))
        lines = [*self._last, *([rest] if rest.strip() else [])]
        return lines[-count:]

    def begin(self) -> None:
        """The child is started (again): forget what the earlier one said last."""
        self._last.clear()
        self._rest = b""

    def close(self) -> None:
        """Write what was held back, and close the file; a write opens it again."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._keep(rest)
        self._let_go()

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _append(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._open()
        if self._size + len(data) > self._largest and self._size:
            self._let_go()
            _shift(self.path)
            self._open()
        self._size += os.write(self._descriptor, data)

    def _open(self) -> None:
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size


def _printable(line: str) -> str:
    return line.encode(errors="surrogateescape").decode(errors="replace")


def _shift(path: Path) -> None:
    for number in range(_OLDER, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        if newer.exists():
            newer.replace(older)
