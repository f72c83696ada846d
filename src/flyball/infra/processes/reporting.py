"""What a process says on its standard error: log lines and the tracebacks of what nobody caught, without secrets.

Every record is blotted when it is made, so that whichever handler writes it, a library's own included, has nothing to tell.
"""

import logging
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

from flyball.kit.redaction import redact

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def report(level: str) -> None:
    """Log to standard error from now on, at this level; call it first of all."""
    handler = logging.StreamHandler()
    handler.setFormatter(_WithoutSecrets(_FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.setLogRecordFactory(_record)
    logging.raiseExceptions = False  # it would print the arguments of a line that cannot be formatted
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda found: _uncaught(
        found.exc_type, found.exc_value or found.exc_type(), found.exc_traceback
    )
    threading.excepthook = lambda found: _uncaught(
        found.exc_type, found.exc_value or found.exc_type(), found.exc_traceback
    )


class _WithoutSecrets(logging.Formatter):
    """Blots the whole line once more: what others attached to the record comes in here."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def _record(*arguments: Any, **named: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **named)
    try:
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 -- whatever an argument raises: a log line is no reason to fail
        text = f"a log line cannot be formatted ({type(error).__name__}): {record.msg!r:.200}"
    record.msg, record.args = redact(text), ()
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = redact("".join(traceback.format_exception(record.exc_info[1])).rstrip("\n"))
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    return record


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
    sys.stderr.flush()
