"""Tasks that are to end: cancelled until they have. Knows tasks, and nothing of what they do."""

import asyncio
from typing import Any

_AGAIN_SECONDS = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and return when they have ended, however they did.

    More than once where it takes long: `asyncio.wait_for` before Python 3.12, and what is built on it (psycopg's pool, which hands
    a connection over), forgets a cancellation that comes while what it waits for is just there. So each task is named here itself:
    an `asyncio.TaskGroup` that is cancelled again passes on nothing.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
