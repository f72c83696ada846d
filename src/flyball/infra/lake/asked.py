"""The child of `asking`: one order comes in, one answer goes out. Limits its own memory and time first; holds no secret."""

import contextlib
import os
import resource
import sys
import threading
from typing import Any

import msgspec
import pyarrow as pa

from flyball.kit.errors import FlyballError

from .asking import Order, Said
from .errors import QuestionError, QuestionTookTooLongError
from .questions import run_untrusted
from .schema import TableSchema

_MOST_MEMORY = 2 * 1024**3  # bytes of this process; DuckDB is told to do with half of it
_SPARE_SECONDS = 30


def main() -> None:
    """Answer the one order on standard input."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    relations = {name: _table(sys.stdin.buffer.read(size)) for name, size in order.relations}
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit(order)
    try:
        said, rows = Said(outcome="rows"), _answer(order, relations)
    except QuestionTookTooLongError as error:
        said, rows = _said("late", error), b""
    except QuestionError as error:
        said, rows = _said("refused", error), b""
    except FlyballError as error:
        said, rows = _said("away", error), b""
    except MemoryError:
        os._exit(1)  # the parent knows what it means
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n" + rows)
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing here is worth an orderly end


def _answer(order: Order, relations: dict[str, pa.Table]) -> bytes:
    tables = [
        (TableSchema(name=table.name, arrow=pa.ipc.read_schema(pa.py_buffer(table.schema))), table.files)
        for table in order.tables
    ]
    pieces: list[bytes] = []
    size = 2
    for row in run_untrusted(order.sql, tables, relations, order.deadline_seconds, order.most_rows):
        piece = _encoded(row)
        size += len(piece) + 1
        if size > order.most_bytes:
            raise QuestionError(
                f"the answer has more than {order.most_bytes:,} bytes", next_step="ask for fewer rows or shorter texts"
            )
        pieces.append(piece)
    return b"[" + b",".join(pieces) + b"]"


def _encoded(row: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(row)
    except (TypeError, ValueError, OverflowError) as error:
        raise QuestionError(
            f"a value of the answer cannot be told in JSON: {error}", next_step="cast it: `column::text`"
        ) from None


def _limit(order: Order) -> None:
    with contextlib.suppress(
        OSError, ValueError
    ):  # some systems have no such limit, and the parent's deadline is there
        resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
        seconds = int(order.deadline_seconds) * 2 + _SPARE_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with contextlib.suppress(OSError):
        os.nice(5)


def _table(data: bytes) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
        return reader.read_all()


def _said(outcome: str, error: FlyballError) -> Said:
    return Said(outcome=outcome, message=error.message, next_step=error.next_step)


def _end_with_parent() -> None:
    """Standard input stays open while the parent lives: it ends with it, however that was."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
