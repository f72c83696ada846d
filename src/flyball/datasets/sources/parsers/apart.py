"""Text of PDF and HTML files, read in a child process of its own: a file that hangs, crashes or grows harms nobody else.

Their parsers are large and written in C, and each has inputs that take the square of their length. Knows the process
and its limits. What happens inside it is in `apart_process`.
"""

import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from flyball.infra.processes.environment import bare_environment
from flyball.infra.processes.leash import leash

from .unreadable import UnreadableError

SECONDS = 60.0
MOST_BYTES = 2 * 1024**3


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One line from the child."""

    text: str = ""
    title: str = ""
    reason: str = ""
    detail: str = ""


class _KilledError(Exception):
    """The child ended without a word about the file."""


class ReaderApart:
    """Reads files one after the other; the child is started when the first is asked for, and anew after a failure."""

    def __init__(self, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES) -> None:
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self, path: Path) -> Answer:
        """Text and title; raises UnreadableError: what the parser says, `too-slow`, `crashed`."""
        try:
            return self._read(path)
        except _KilledError:  # from outside, which need not be this file's fault
            pass
        try:
            return self._read(path)
        except _KilledError as killed:
            raise UnreadableError("crashed", str(killed)) from None

    def _read(self, path: Path) -> Answer:
        child = self._running()
        assert child.stdin is not None  # noqa: S101 -- a pipe
        assert child.stdout is not None  # noqa: S101 -- a pipe
        try:
            child.stdin.write(msgspec.json.encode(str(path)) + b"\n")
            child.stdin.flush()
        except OSError:
            self._end()
            raise _KilledError("the process that reads files ended") from None
        if not select.select([child.stdout], [], [], self._seconds)[0]:
            self._end()
            raise UnreadableError("too-slow", f"reading it took longer than {self._seconds:g} s")
        line = child.stdout.readline()
        if not line:
            status = child.wait()
            self._end()
            how = f"the process that read it ended with status {status} (memory limit, or a damaged file)"
            raise _KilledError(how) if status == -signal.SIGKILL else UnreadableError("crashed", how)
        answer = msgspec.json.decode(line, type=Answer)
        if answer.reason:
            raise UnreadableError(answer.reason, answer.detail)
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
                [sys.executable, "-P", "-m", "flyball.datasets.sources.parsers.apart_process", str(self._most_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                preexec_fn=leash(),  # noqa: PLW1509 -- the collector has one thread
                env=bare_environment(),
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):  # closing flushes what the dead child has not taken
                        pipe.close()
