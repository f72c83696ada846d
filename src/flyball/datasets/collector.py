"""The child process that reads a source: `python -m flyball.datasets.collector`, an `Order` as a line on standard input.

Importing the whole standard library, or parsing files that somebody sent, happens here and leaves the worker clean.
Progress goes to standard output, one JSON number per line; the rows go into a stage. Nothing here talks to a network or
starts a program, except the reader of PDF files.
"""

import errno
import importlib
import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import msgspec

from flyball.kit.errors import FlyballError

from .records import Kind, SourceName
from .sources import folder, jsonl, stdlib
from .staging import Stage

SOURCES = {"stdlib": stdlib.collect, "folder": folder.collect, "jsonl": jsonl.collect}
FULL_EXIT = 4  # the disk has no room for the stage
REFUSED_EXIT = 3  # the source itself cannot be read; the error is on standard error as JSON

_FORBIDDEN_IN_STDLIB = frozenset({"socket.connect", "webbrowser.open", "os.system", "subprocess.Popen", "os.exec"})
_PROGRESS_SECONDS = 0.2


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to collect, and the folder to stage it in."""

    source: SourceName
    kind: Kind
    location: str
    licence: str
    stage: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The error of a source that cannot be read at all."""

    code: str
    message: str
    next_step: str


def main() -> None:
    """Do one order."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what modules print at import is not ours
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    if order.source == "stdlib":
        importlib.import_module("webbrowser")
        sys.addaudithook(_refuse_side_effects)
    stage = Stage(Path(order.stage), order.kind)
    try:
        said = time.monotonic()
        for item in SOURCES[order.source](order.location, order.licence):
            stage.take(item)
            if time.monotonic() - said > _PROGRESS_SECONDS:
                said = time.monotonic()
                told.write(f"{stage.rows}\n")
        stage.close()
    except FlyballError as error:
        refused = Refused(code=error.code, message=error.message, next_step=error.next_step)
        sys.stderr.write(msgspec.json.encode(refused).decode() + "\n")
        sys.exit(REFUSED_EXIT)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(FULL_EXIT)


def _end_with_parent() -> None:
    """Standard input stays open while the parent lives: it ends with it, however that was."""
    os.read(0, 1)
    os._exit(1)


def _refuse_side_effects(event: str, arguments: tuple[Any, ...]) -> None:
    del arguments
    if event in _FORBIDDEN_IN_STDLIB:
        raise PermissionError(f"{event} while reading documentation")


if __name__ == "__main__":
    main()
