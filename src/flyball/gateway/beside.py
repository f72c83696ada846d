"""What takes long with a large body, done in threads of its own, so that other calls go on.

Few of them: Python runs one at a time anyhow, and whoever has thousands of calls to word waits for its own turn alone. Names are
looked up and files are read in other threads, which this never fills.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

LONG = 512 * 1024  # bytes; a shorter body is quicker than the way to a thread and back
_MOST = 2

_Made = TypeVar("_Made")
_threads = ThreadPoolExecutor(_MOST, "large-body")


async def beside(size: int, work: Callable[[], _Made]) -> _Made:
    """What `work` makes of so many bytes. Where the call ends before it, nobody looks at that again."""
    if size <= LONG:
        return work()
    return await asyncio.get_running_loop().run_in_executor(_threads, work)
