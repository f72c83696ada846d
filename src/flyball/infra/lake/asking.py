"""SQL that a person typed, asked in a child process: what it takes of memory and time it takes there, and is ended there.

DuckDB's own limits do not hold everywhere: one `repeat` allocates gigabytes past them, and hears of no deadline while it
does. Knows the child and its frames; what the child does is `asked`.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import msgspec
import pyarrow as pa

from flyball.infra.processes.environment import bare_environment
from flyball.kit.errors import FlyballError

from .errors import LakeAwayError, QuestionError, QuestionsBusyError, QuestionTookTooLongError

AT_ONCE = 3  # questions; each may take the memory of one child
LARGEST_ANSWER = 32 * 1024 * 1024
_PATIENCE_SECONDS = 3.0  # behind the deadline, which the child keeps by itself where it can


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A table that the question may see: its Arrow schema as bytes, and its files."""

    name: str
    schema: bytes
    files: list[str]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The first line to the child. Behind it come the relations, as many bytes each as is said here."""

    sql: str
    tables: list[Named]
    relations: list[tuple[str, int]]
    deadline_seconds: float
    most_rows: int
    most_bytes: int = LARGEST_ANSWER


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The first line from the child: rows follow, or why there are none."""

    outcome: str  # rows, refused, late, away
    message: str = ""
    next_step: str = ""


_ERRORS: dict[str, type[FlyballError]] = {
    "refused": QuestionError,
    "late": QuestionTookTooLongError,
    "away": LakeAwayError,
}
_places = threading.BoundedSemaphore(AT_ONCE)


def ask(order: Order, relations: Sequence[bytes]) -> list[dict[str, Any]]:
    """The rows. `relations` are packed, in the order in which the order names them.

    Raises:
        QuestionError: the SQL is not understood, not allowed, or takes more memory than a question may.
        QuestionTookTooLongError: it was stopped.
        QuestionsBusyError: as many questions as may be are being answered.
        LakeAwayError: a table's file cannot be read.
    """
    if not _places.acquire(blocking=False):
        raise QuestionsBusyError(
            f"{AT_ONCE} questions are being answered, which is the most at once", next_step="ask again in a moment"
        )
    try:
        with _child() as child, _killed_after(child, order.deadline_seconds + _PATIENCE_SECONDS) as was_killed:
            said, rows = _exchange(child, order, relations)
            if said is None:
                _explain(order, killed=was_killed())
            if said.outcome != "rows":
                raise _ERRORS[said.outcome](said.message, next_step=said.next_step)
            return msgspec.json.decode(rows, type=list[dict[str, Any]])
    finally:
        _places.release()


@contextmanager
def _child() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "flyball.infra.lake.asked"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=bare_environment(),
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # closing flushes what the dead child has not taken
                    pipe.close()


@contextmanager
def _killed_after(child: subprocess.Popen[bytes], seconds: float) -> Iterator[Callable[[], bool]]:
    done = threading.Event()

    def kill() -> None:
        done.set()
        child.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield done.is_set
    finally:
        timer.cancel()


def _exchange(child: subprocess.Popen[bytes], order: Order, relations: Sequence[bytes]) -> tuple[Said | None, bytes]:
    assert child.stdin is not None  # noqa: S101 -- a pipe
    assert child.stdout is not None  # noqa: S101 -- a pipe
    try:
        child.stdin.write(msgspec.json.encode(order) + b"\n")
        for relation in relations:
            child.stdin.write(relation)
        child.stdin.flush()  # and stays open: the child ends when it closes
    except OSError:
        return None, b""
    first = child.stdout.readline()
    if not first.endswith(b"\n"):
        return None, b""
    rows = child.stdout.read(order.most_bytes + 1)
    said = msgspec.json.decode(first, type=Said)
    return (None, b"") if said.outcome == "rows" and not rows.endswith(b"]") else (said, rows)


def packed(relation: pa.Table) -> bytes:
    """A table in memory as the bytes of an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, relation.schema) as writer:
        writer.write_table(relation)
    return bytes(sink.getvalue().to_pybytes())


def _explain(order: Order, *, killed: bool) -> NoReturn:
    """The child has ended without a word."""
    if killed:
        raise QuestionTookTooLongError(
            f"the question took longer than {order.deadline_seconds:g} s and was stopped",
            next_step="ask about less: a shorter time, fewer columns, a LIMIT",
        )
    raise QuestionError(
        "the question takes more memory than one question may", next_step="ask about less: fewer columns, a LIMIT"
    )
