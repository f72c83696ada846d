"""A child process that ends with its parent, however the parent ends. Linux; elsewhere the child notices a closed pipe."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def leash(signal_: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel sends the signal when the thread that started the child ends, so start it from a lasting one."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: nothing is imported or allocated in the child
    parent = os.getpid()

    def hold() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal_), 0, 0, 0)
        if os.getppid() != parent:  # it ended between the fork and the call
            os._exit(1)

    return hold
