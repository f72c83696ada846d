"""Waiting for something no longer than so many seconds, though it is slow to be called off. Knows tasks; knows not what they do.

`asyncio.wait_for` returns when what it called off has ended, and a statement sent to a database that hangs ends seconds later.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, deed: Coroutine[Any, Any, T]) -> T:
    """What the deed returns or raises; TimeoutError when it takes longer, at once: it is called off, and ends by itself."""
    task = asyncio.create_task(deed)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.add_done_callback(_seen)
            task.cancel()


def _seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # nobody waits for it any more
