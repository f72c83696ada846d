"""How much of a limit is left, as this worker knows without asking: for headers of answers, which decide nothing.

A task beside the calls looks once a second at the counters of those limits that calls lately fell under; between two looks what was
let in here is taken off, a fiftieth of a second later at the most. So what is told is never more than there was a second ago, less what
this worker had let in shortly before; what others leased since then it does not know. What was looked at too long ago, or never, is not told.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from flyball.kit.clock import NANOSECONDS, Clock
from flyball.kit.ending import end
from flyball.kit.errors import FlyballError

from .bank import Bank
from .cover import Cover
from .records import Quota, Unit
from .windows import ends_ns, is_rolling

LOOK_SECONDS = 1.0
_SAME_NS = NANOSECONDS // 50  # calls of a kind that come so soon after another are told what that was told
_KEPT_NS = 5 * NANOSECONDS  # what was looked at longer ago is not told
_ASKED_NS = 10 * NANOSECONDS  # what no call fell under for so long is not looked at
_MOST_LOOKED_AT = 500
_PATIENCE_SECONDS = 3.0
_log = logging.getLogger(__name__)


class Told(msgspec.Struct, frozen=True, gc=False):
    """The tightest limit of its unit that a call falls under. `resets_ns`: when all of it is there again; None: nobody knows."""

    unit: Unit
    limit: int
    remaining: int
    resets_ns: int | None


class Telling:
    """How the limits of a kind of calls stood at `now_ns`. `worded`: what callers of each dialect are told, kept by whoever words it."""

    __slots__ = ("limits", "look", "now_ns", "until_ns", "worded")

    def __init__(self, limits: tuple[Told, ...], now_ns: int, look: object, until_ns: int) -> None:
        self.limits = limits
        self.now_ns = now_ns
        self.look = look  # that it comes from
        self.until_ns = until_ns  # monotonic: so long the next calls of the kind are told the same
        self.worded: dict[str, Any] = {}


class _Known:
    """One limit, as it was at the last look."""

    __slots__ = ("asked_ns", "ends_ns", "free", "kept_ns", "quota", "rolls_ns", "taken", "teller")

    def __init__(self, quota: Quota, teller: "Standings") -> None:
        self.quota = quota  # whose window never changes
        self.teller: Standings | None = teller  # who looks at it; None: nobody any more
        self.rolls_ns = int(quota.window.removeprefix("rolling:")) * NANOSECONDS if is_rolling(quota.window) else 0
        self.asked_ns = 0
        self.kept_ns = -1  # how long it is told after the last look
        self.taken = 0  # by all calls that were let in here
        self.free = 0  # what was free, and what had been taken by then
        self.ends_ns: int | None = None  # of its window, where it is one of the calendar

    def told(self, quota: Quota, amount: int, now_ns: int) -> Told:
        """How it stands after a call was let in that may take `amount` of it."""
        if self.ends_ns is not None and now_ns >= self.ends_ns:  # another window has begun
            self.free, self.ends_ns = quota.amount + self.taken - amount, ends_ns(quota.window, now_ns)
        remaining = max(0, min(self.free - self.taken, quota.amount))
        resets_ns = now_ns + self.rolls_ns if self.rolls_ns else self.ends_ns
        return Told(quota.unit, quota.amount, remaining, resets_ns)


class Standings:
    """What one worker knows of limits. `at_work` is for the life of the process."""

    def __init__(self, bank: Bank, clock: Clock) -> None:
        self._bank = bank
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._look = object()  # the last one

    def after(self, cover: Cover, amounts: Sequence[int]) -> Telling:
        """How it stands after a call was let in that may take so much; nothing of what is not known."""
        asked_ns = self._clock.monotonic_ns()
        telling: Telling | None = cover.telling
        if telling is not None and asked_ns < telling.until_ns and telling.look is self._look:
            for each in cover.limits:
                each.known.taken += amounts[each.place]
            return telling
        now_ns = self._clock.now_ns()
        told = self._looked_up(cover, amounts, now_ns, asked_ns)
        cover.telling = telling = Telling(told, now_ns, self._look, asked_ns + _SAME_NS)
        return telling

    def _looked_up(self, cover: Cover, amounts: Sequence[int], now_ns: int, asked_ns: int) -> tuple[Told, ...]:
        tightest: dict[str, Told] = {}
        for each in cover.limits:
            quota, known = each.quota, each.known
            if known is None or known.teller is not self:
                known = each.known = self._known.get(quota.id) or self._begin(quota)
            amount = amounts[each.place]
            known.asked_ns = asked_ns
            known.taken += amount
            if asked_ns <= known.kept_ns:
                told = known.told(quota, amount, now_ns)
                if (other := tightest.get(told.unit)) is None or told.remaining < other.remaining:
                    tightest[told.unit] = told
        return tuple(tightest.values())

    def _begin(self, quota: Quota) -> _Known:
        known = self._known[quota.id] = _Known(quota, self)
        return known

    async def look(self) -> None:
        """Learn how those limits stand that calls lately fell under."""
        now_ns = self._clock.monotonic_ns()
        for name in [name for name, one in self._known.items() if now_ns - one.asked_ns >= _ASKED_NS]:
            self._known.pop(name).teller = None
        names = sorted(self._known, key=lambda name: -self._known[name].asked_ns)[:_MOST_LOOKED_AT]
        if not names:
            return
        taken = {name: self._known[name].taken for name in names}
        for name, standing in (await self._bank.standings(names)).items():
            known = self._known.get(name)
            if known is None:
                continue
            # What was let in while the question was on its way is in the answer or not: it stays taken off.
            known.free, known.kept_ns = standing.free + taken[name], now_ns + _KEPT_NS
            known.ends_ns = ends_ns(known.quota.window, self._clock.now_ns())
        self._look = object()

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
