"""What an application tells flyball in the background, by the one queue of its process: feedback, flushing, configuring.

Nothing here raises into the application or makes it wait, except `flush`, and `configure` where it is called wrongly. Knows when
a process begins, forks and ends; knows not how a queue works.
"""

import atexit
import os
from typing import Any, Unpack

from . import warning
from .client import AsyncClient
from .options import Told, checked
from .recording import Telemetry
from .spans import current_trace_id, recorded_here
from .warning import warn_once

_EXIT_SECONDS = 5.0

_telemetry = Telemetry()
_earlier: list[Telemetry] = []  # those before `configure`, which send what they have
_configured: dict[str, Any] = {}


def telemetry() -> Telemetry:
    """The process's own."""
    return _telemetry


def feedback(
    value: float, *, trace_id: str = "", comment: str = "", correction: str = "", identifier: str = ""
) -> None:
    """Say what a person thinks of an answer, in the background: 1 is a thumbs-up, -1 a thumbs-down.

    `trace_id` is the one that is observed here unless given. Never raises.
    """
    if not trace_id and not recorded_here():
        return  # there will be no such trace
    trace_id = trace_id or current_trace_id()
    if not trace_id:
        warn_once("feedback without a trace is not sent: give trace_id, or call it where a span is observed")
        return
    _telemetry.feedback(
        {
            "trace_id": trace_id,
            "value": value,
            "comment": comment,
            "correction": correction,
            "identifier": identifier,
        }
    )


def flush(seconds: float = 5.0) -> bool:
    """Wait until everything that was observed is sent; False when that took longer."""
    done = [one.flush(seconds) for one in (*_earlier, _telemetry)]
    return all(done)


def configure(**told: Unpack[Told]) -> None:
    """How this process observes, where the environment does not say it: see `Options`. What is waiting already is sent as before.

    Raises:
        InvalidInputError: a name that there is not, or a value that makes no sense.
    """
    _configured.update(checked(**told))
    _earlier.append(_telemetry)
    _replace(None)


def reset(client: AsyncClient | None = None, **told: Unpack[Told]) -> None:
    """Begin anew with another client, what waits and what was configured forgotten; for tests."""
    _telemetry.end()
    _configured.clear()
    _configured.update(checked(**told))
    warning.forget()
    _replace(client)


def _replace(client: AsyncClient | None) -> None:
    global _telemetry  # noqa: PLW0603 -- one per process
    _telemetry = _telemetry.another(_configured, client)


def _fork() -> None:
    for one in (*_earlier, _telemetry):
        one.leave_to_parent()
    _earlier.clear()
    _replace(None)


def _leave() -> None:
    for one in (*_earlier, _telemetry):
        one.flush(_EXIT_SECONDS, leaving=True)
        one.close()


atexit.register(_leave)  # before the bridge's, which was registered before
os.register_at_fork(after_in_child=_fork)
