"""How much of a limit is left, as this worker knows without asking: for headers of answers, which decide nothing.

A task beside the calls looks once a second at the counters of those limits that calls lately fell under; between two looks what was
let in here is taken off. So what is told is never more than there was a second ago, less what this worker let in since; what others
leased since then it does not know. What was looked at too long ago, or never, is not told.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from flyball.kit.clock import NANOSECONDS, Clock
from flyball.kit.ending import end
from flyball.kit.errors import FlyballError

from .bank import Bank
from .records import Demand, Quota
from .windows import ends_ns, is_rolling

LOOK_SECONDS = 1.0
_KEPT_NS = 5 * NANOSECONDS  # what was looked at longer ago is not told
_ASKED_NS = 10 * NANOSECONDS  # what no call fell under for so long is not looked at
_MOST_LOOKED_AT = 500
_TOLD = frozenset({"requests", "tokens"})  # units
_PATIENCE_SECONDS = 3.0
_log = logging.getLogger(__name__)


class Told(msgspec.Struct, frozen=True, gc=False):
    """The tightest limit of its unit that a call falls under. `resets_ns`: when all of it is there again; None: nobody knows."""

    unit: Literal["requests", "tokens"]
    limit: int
    remaining: int
    resets_ns: int | None


class _Known:
    """One limit, as it was at the last look."""

    __slots__ = ("asked_ns", "ends_ns", "free", "looked_ns", "quota", "rolls_ns", "taken")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota  # whose window never changes
        self.rolls_ns = int(quota.window.removeprefix("rolling:")) * NANOSECONDS if is_rolling(quota.window) else 0
        self.asked_ns = 0
        self.looked_ns: int | None = None
        self.free = 0
        self.taken = 0  # since the last look
        self.ends_ns: int | None = None  # of its window, where it is one of the calendar


class Standings:
    """What one worker knows of limits. `at_work` is for the life of the process."""

    def __init__(self, bank: Bank, clock: Clock) -> None:
        self._bank = bank
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def after(self, demands: Sequence[Demand]) -> tuple[Told, ...]:
        """How it stands after a call with these demands was let in; nothing of what is not known. Cheap where there is no limit."""
        tightest: dict[str, Told] = {}
        now_ns = asked_ns = 0
        for demand in demands:
            quota = demand.quota
            unit = quota.unit
            if unit not in _TOLD or quota.stop != "hard":
                continue
            if not now_ns:
                now_ns, asked_ns = self._clock.now_ns(), self._clock.monotonic_ns()
            told = self._told(quota, demand.amount, now_ns, asked_ns)
            if told is not None and (unit not in tightest or told.remaining < tightest[unit].remaining):
                tightest[unit] = told
        return tuple(tightest.values())

    def _told(self, quota: Quota, amount: int, now_ns: int, asked_ns: int) -> Told | None:
        known = self._known.get(quota.id)
        if known is None:
            known = self._known[quota.id] = _Known(quota)
        known.quota = quota
        known.asked_ns = asked_ns
        if known.ends_ns is not None and now_ns >= known.ends_ns:  # another window has begun
            known.free, known.taken, known.ends_ns = quota.amount, 0, ends_ns(quota.window, now_ns)
        known.taken += amount
        if known.looked_ns is None or known.asked_ns - known.looked_ns > _KEPT_NS:
            return None
        remaining = max(0, min(quota.amount, known.free) - known.taken)
        resets_ns = now_ns + known.rolls_ns if known.rolls_ns else known.ends_ns
        return Told("requests" if quota.unit == "requests" else "tokens", quota.amount, remaining, resets_ns)

    async def look(self) -> None:
        """Learn how those limits stand that calls lately fell under."""
        now_ns = self._clock.monotonic_ns()
        self._known = {name: one for name, one in self._known.items() if now_ns - one.asked_ns < _ASKED_NS}
        names = sorted(self._known, key=lambda name: -self._known[name].asked_ns)[:_MOST_LOOKED_AT]
        if not names:
            return
        taken = {name: self._known[name].taken for name in names}
        for name, standing in (await self._bank.standings(names)).items():
            known = self._known.get(name)
            if known is None:
                continue
            # What was let in while the question was on its way is in the answer or not: it stays taken off.
            known.free, known.taken, known.looked_ns = standing.free, known.taken - taken[name], now_ns
            known.ends_ns = ends_ns(known.quota.window, self._clock.now_ns())

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Look again and again inside the block."""
        looking = asyncio.create_task(self._keep_looking())
        try:
            yield
        finally:
            await end(looking)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self.look()
            except (FlyballError, TimeoutError) as error:
                _log.debug("limits are not told while their bank is away: %s", error)
            except Exception:  # noqa: BLE001 -- the door of a task that nobody awaits: headers are worth no failure
                _log.exception("looking at limits failed")
