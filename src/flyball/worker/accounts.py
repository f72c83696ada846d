"""What runs did whose caller has gone: kept for a moment, so that whoever called can still settle what they cost.

Knows runs by the ids of their calls. Bounded in number and time; knows nothing of sockets.
"""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from flyball.functions.records import CallIds
from flyball.kit.clock import NANOSECONDS, Clock
from flyball.traces.records import Span

_KEPT_NS = 10 * NANOSECONDS
_MOST_KEPT = 2_000
_PATIENCE_SECONDS = 1.5

_Key: TypeAlias = tuple[str, str, str]


class Accounts:
    """Runs that go on, and what lately became of the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[_Key, asyncio.Task[None]] = {}
        self._kept: dict[_Key, tuple[int, tuple[Span, ...]]] = {}  # oldest first

    def begin(self, ids: CallIds, run: "asyncio.Task[None]") -> None:
        """A run begins."""
        key = _key(ids)
        self._running[key] = run
        run.add_done_callback(lambda _: self._running.pop(key, None))

    def cancelled(self, ids: CallIds, spans: Sequence[Span]) -> None:
        """It was cancelled: what it did until then."""
        self._keep(ids, tuple(spans))

    def ended(self, ids: CallIds, spans: Sequence[Span]) -> None:
        """It has ended, and what it did is on its way to its caller, who may be gone: kept without what was said."""
        self._keep(ids, tuple(msgspec.structs.replace(span, input="", output="") for span in spans))

    async def of(self, ids: CallIds) -> tuple[Span, ...]:
        """What a run did whose caller has gone; it is ended where it goes on. Nothing of one that never began."""
        run = self._running.get(_key(ids))
        if run is not None:
            run.cancel()
            await asyncio.wait([run], timeout=_PATIENCE_SECONDS)
        return self._kept.pop(_key(ids), (0, ()))[1]

    def _keep(self, ids: CallIds, spans: tuple[Span, ...]) -> None:
        now_ns = self._clock.monotonic_ns()
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) < _MOST_KEPT and now_ns - self._kept[oldest][0] < _KEPT_NS:
                break
            del self._kept[oldest]
        self._kept[_key(ids)] = (now_ns, spans)


def _key(ids: CallIds) -> _Key:
    return ids.project, ids.trace_id, ids.parent_id
