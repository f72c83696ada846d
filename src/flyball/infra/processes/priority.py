"""How much of a busy processor a process gets beside the others of the house.

Linux may give every session an equal share of its own (sched(7), autogroup), and the niceness of a process then counts among those
of its session alone. Whoever leads a session makes that one nice as well: without it, being nice to others changes nothing.
"""

import contextlib
import os
from pathlib import Path

_SESSION = Path("/proc/self/autogroup")


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
            _SESSION.write_text(str(niceness))
