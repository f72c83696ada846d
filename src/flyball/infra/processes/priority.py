"""How much of a busy processor a process gets beside the others of the house.

Linux may give every session an equal share of its own (sched(7), autogroup), and the niceness of a process then counts among those
of its session alone. Whoever leads a session makes that one nice as well: without it, being nice to others changes nothing.
"""

import contextlib
import os
import time
from pathlib import Path

SESSION = Path("/proc/self/autogroup")
_TRIES = 20
_PAUSE_SECONDS = (
    0.1  # Linux lets all who are not root say it once in this time, together; several of ours start at once
)


def step_back(niceness: int) -> None:
    """Let others go first, by this process's niceness and its session's; where a system knows neither, as it is.

    Args:
        niceness: 0 to 19; 0 changes nothing.
    """
    if not niceness:
        return
    with contextlib.suppress(OSError):
        os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _tell_session(niceness)


def _tell_session(niceness: int) -> None:
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            SESSION.write_text(str(niceness))
            return
        time.sleep(_PAUSE_SECONDS)
