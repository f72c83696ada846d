"""A value that takes its time and may be a little old: computed once for all who ask, kept in proportion to what it cost.

Knows keys, ages and one event loop; knows not what is computed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, NamedTuple, TypeVar

from .clock import NANOSECONDS, Clock

T = TypeVar("T")
_KEPT_PER_COST = 20  # computing it again and again takes at most a twentieth of one core
_OLDEST_NS = 60 * NANOSECONDS  # what is older is not shown any more, not even while it is computed again


class _Kept(NamedTuple):
    value: Any
    at_ns: int
    cost_ns: int


class Lately(Generic[T]):
    """Recent values by key. A cheap one is computed nearly each time, a dear one again in the background."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[Hashable, _Kept] = {}
        self._computing: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, compute: Callable[[], Awaitable[T]]) -> T:
        """The value, at most a minute old; whoever asks first waits for it, and gets its error."""
        kept = self._kept.get(key)
        if kept is not None:
            age_ns = self._clock.monotonic_ns() - kept.at_ns
            if age_ns >= _KEPT_PER_COST * kept.cost_ns:
                task = self._begin(key, compute)
                if age_ns >= _OLDEST_NS:
                    return await asyncio.shield(task)
            value: T = kept.value
            return value
        return await asyncio.shield(self._begin(key, compute))

    def _begin(self, key: Hashable, compute: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        """The task that computes it: the one that does so already, or a new one."""
        task = self._computing.get(key)
        if task is None:
            task = asyncio.create_task(self._compute(key, compute))
            self._computing[key] = task
            task.add_done_callback(lambda done: self._end(key, done))
        return task

    async def _compute(self, key: Hashable, compute: Callable[[], Awaitable[T]]) -> T:
        begun_ns = self._clock.monotonic_ns()
        value = await compute()
        now_ns = self._clock.monotonic_ns()
        self._kept[key] = _Kept(value, begun_ns, now_ns - begun_ns)
        return value

    def _end(self, key: Hashable, task: asyncio.Task[T]) -> None:
        del self._computing[key]
        if not task.cancelled():
            task.exception()  # seen here, for tasks that nobody waits for; the next one to ask tries again
