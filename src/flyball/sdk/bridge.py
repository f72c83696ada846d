"""The one way from synchronous code into the asynchronous core: an event loop in a thread of its own, made when first needed.

Knows loops, threads and forks; knows nothing of flyball.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The running loop of the bridge. Raises RuntimeError while the interpreter is shutting down and no thread can start."""
    global _loop  # noqa: PLW0603 -- one per process, guarded by the lock
    with _lock:
        if _loop is None:
            made = asyncio.new_event_loop()
            threading.Thread(target=made.run_forever, name="flyball", daemon=True).start()
            _loop = made
        return _loop


def run(coroutine: Coroutine[Any, Any, T], *, seconds: float | None = None) -> T:
    """Wait for a coroutine from synchronous code. Raises TimeoutError when it takes longer, after cancelling it."""
    try:
        future = asyncio.run_coroutine_threadsafe(coroutine, loop())
    except BaseException:  # -- whatever it is: a coroutine that is never awaited would warn
        coroutine.close()
        raise
    try:
        return future.result(seconds)
    except TimeoutError:
        future.cancel()
        raise


def _forget() -> None:
    """In a forked child: the parent's thread is not here."""
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
