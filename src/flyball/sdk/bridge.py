"""The one way from synchronous code into the asynchronous core: an event loop in a thread of its own, made when first needed.

Knows loops, threads and forks; knows nothing of flyball.
"""

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None
_STOP_SECONDS = 1.0
_GRACE_SECONDS = 0.05


def loop() -> asyncio.AbstractEventLoop:
    """The running loop of the bridge. Raises RuntimeError while the interpreter is shutting down and no thread can start."""
    global _loop, _thread
    with _lock:
        if _loop is None:
            made = asyncio.new_event_loop()
            thread = threading.Thread(target=made.run_forever, name="flyball", daemon=True)
            thread.start()
            _loop, _thread = made, thread
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


def _stop() -> None:
    """Let the loop's thread end, at the end of a program: what came back then would break the interpreter's own end."""
    global _loop
    with _lock:
        running, _loop = _loop, None
        if running is not None and _thread is not None:
            asyncio.run_coroutine_threadsafe(_wind_up(), running)
            _thread.join(2 * _STOP_SECONDS)
            # The HTTP client's own threads hand over an answer and hold the interpreter for a moment longer.
            time.sleep(_GRACE_SECONDS)


async def _wind_up() -> None:
    running = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_STOP_SECONDS)
    running.stop()


def _forget() -> None:
    """In a forked child: the parent's thread is not here."""
    global _loop, _lock
    _loop, _lock = None, threading.Lock()


atexit.register(_stop)
os.register_at_fork(after_in_child=_forget)
