"""One worker's till: calls are promised what they may need from what the worker holds, and a task beside them deals with the bank.

A call waits here only where the worker holds too little; then for as long as the bank takes, and never longer than the line allows.
Knows tasks, the clock and the spool of entries; what is promised to whom is decided by `purse` and `line`, which know none of these.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import msgspec

from flyball.kit.clock import Clock
from flyball.kit.ending import end
from flyball.kit.errors import FlyballError

from .bank import AGAIN_NS, AWAY_NS, RENEW_NS, SECOND, Bank
from .cover import Cover
from .errors import LedgerFullError, QuotaAwayError, QuotaReachedError
from .line import Line, Refusal, Waiting
from .purse import Purse
from .records import Charge, Demand, Entry, Reservation, all_measured
from .windows import ends_ns, is_rolling

_log = logging.getLogger(__name__)
_LONGEST_ANSWER_SECONDS = 5.0  # of the bank; then the question is given up and asked anew
_REAP_EVERY = 5  # renewals

T = TypeVar("T")


class Entries(Protocol):
    """Where entries are kept until they are settled: durable when `append` returns True, and never waiting."""

    @property
    def has_room(self) -> bool:
        """Whether the entries of one more call are sure to find a place."""
        ...

    def append(self, entry: Entry) -> bool:
        """Keep an entry."""
        ...


class Lender:
    """The till of one worker. `at_work` is for the life of the process.

    Args:
        bank: where leases come from.
        entries: where entries go.
        worker: a name that no other process bears.
    """

    def __init__(self, bank: Bank, entries: Entries, clock: Clock, worker: str) -> None:
        self._bank = bank
        self._entries = entries
        self._clock = clock
        self._worker = worker
        self._asked = asyncio.Event()
        self._purse = Purse()
        self._line = Line(self._purse, on_low=self._asked.set)
        self._outcomes: dict[int, asyncio.Future[Reservation | Refusal]] = {}  # by id of the place in the line
        self._recalled = asyncio.Event()
        self._lost = 0  # entries that found no place

    def at_once(self, cover: Cover, amounts: Sequence[int]) -> Reservation | None:
        """Reserve so much of each quota of a cover where the worker holds enough, as nearly always; else nothing, and None.

        Raises:
            LedgerFullError: what the call costs could not be kept.
        """
        if not self._entries.has_room:
            raise _full()
        return self._purse.at_once(cover, amounts, self._clock.monotonic_ns())

    async def admit(self, demands: Sequence[Demand]) -> Reservation:
        """Reserve every demand, or nothing. Returns at once where the worker holds enough.

        Raises:
            QuotaReachedError: a quota has not enough left, and nobody else holds any of it idle.
            QuotaAwayError: the bank did not answer in time, and a quota lets nothing through then.
            LedgerFullError: what the call costs could not be kept.
        """
        if not self._entries.has_room:
            raise _full()
        joined = self._line.join(demands, self._clock.monotonic_ns())
        if isinstance(joined, Reservation):
            return joined
        outcome: asyncio.Future[Reservation | Refusal] = asyncio.get_running_loop().create_future()
        self._outcomes[id(joined)] = outcome
        self._asked.set()
        try:
            found = await outcome
        except asyncio.CancelledError:
            self._line.leave(joined)
            raise
        finally:
            del self._outcomes[id(joined)]
        if isinstance(found, Reservation):
            return found
        raise self._refusal(found, demands)

    def settle(self, reservation: Reservation, entries: Sequence[Entry]) -> None:
        """Keep what became of a call, and free what it did not need. Synchronous, so that no cancellation comes between."""
        if not reservation.leases:
            for entry in entries:
                self._keep(entry)
            return
        for entry in entries[:-1]:
            self._keep(entry, self._purse.draw(reservation, all_measured(entry)))
        if entries:
            last = entries[-1]
            self._keep(last, self._purse.settle(reservation, all_measured(last)))
        else:
            self._purse.settle(reservation, {})
        if self._purse.is_wanted:
            self._recalled.set()

    def _keep(self, entry: Entry, charges: tuple[Charge, ...] = ()) -> None:
        if charges:
            entry = msgspec.structs.replace(entry, charges=charges)
        if not self._entries.append(entry):
            self._lost += 1
            _log.error(
                "the ledger's spool is full: %d entries are lost, the last one of trace %s", self._lost, entry.trace_id
            )

    def recall(self, quota: str) -> None:
        """Somebody elsewhere was refused: what is idle here of a quota goes back now, not with the next renewal."""
        self._purse.recall(quota)
        if self._purse.is_wanted:
            self._recalled.set()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Lender"]:
        """Deal with the bank inside the block; at its end what is held goes back."""
        tasks = [asyncio.create_task(_for_ever(each)) for each in (self._serve_line, self._keep_leases)]
        try:
            yield self
        finally:
            await end(*tasks)
            with contextlib.suppress(Exception):  # what does not go back expires
                async with asyncio.timeout(1):
                    await self._give_back(closing=True)

    # -- the line

    async def _serve_line(self) -> None:
        """Ask for who waits; while an answer does not come, decide by policy."""
        while True:
            await self._until_due()
            done, takes = self._line.takes(self._clock.monotonic_ns())
            self._tell(done)
            if not takes:
                continue
            if back := self._purse.idle(self._clock.monotonic_ns(), stale=True):  # else it would refuse its own calls
                await self._meanwhile(self._confirm(back))
            asked_ns = self._clock.monotonic_ns()
            answers = await self._meanwhile(self._bank.take(self._worker, takes))
            if answers is None:
                continue
            self._tell(self._line.answered(answers, asked_ns=asked_ns, now_ns=self._clock.monotonic_ns()))
            if back := self._purse.idle(self._clock.monotonic_ns(), recalled=True):
                await self._meanwhile(self._confirm(back))

    async def _until_due(self) -> None:
        while (due_ns := self._line.due_ns()) is None or due_ns > self._clock.monotonic_ns():
            self._asked.clear()
            wait = None if due_ns is None else max(0.0, (due_ns - self._clock.monotonic_ns()) / SECOND)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._asked.wait()

    async def _meanwhile(self, question: Coroutine[Any, Any, T]) -> T | None:
        """The bank's answer; None where it has none. Whoever waits longer than AWAY_NS is decided without it.

        Also who began to wait while the question was on its way already.
        """
        asking = asyncio.create_task(question)
        now_ns = self._clock.monotonic_ns()
        until_ns = now_ns + int(_LONGEST_ANSWER_SECONDS * SECOND)
        try:
            while now_ns < until_ns:
                patient_ns = self._line.patient_ns() or until_ns
                finished, _ = await asyncio.wait([asking], timeout=min(max(patient_ns - now_ns, 0), AWAY_NS) / SECOND)
                if finished:
                    return asking.result()
                now_ns = self._clock.monotonic_ns()
                self._tell(self._line.away(now_ns))
            _log.warning("the bank of budgets and limits does not answer")
        except FlyballError as error:
            _log.warning("the bank of budgets and limits is away: %s", error)
            await asyncio.sleep(AWAY_NS / SECOND)
            self._tell(self._line.away(self._clock.monotonic_ns()))
        finally:
            asking.cancel()
        return None

    def _tell(self, done: Sequence[Waiting]) -> None:
        for waiting in done:
            outcome = self._outcomes.get(id(waiting))
            if outcome is None or outcome.done():
                self._line.leave(waiting)  # its caller has gone meanwhile
            elif waiting.outcome is not None:
                outcome.set_result(waiting.outcome)

    # -- the leases

    async def _keep_leases(self) -> None:
        """Renew what is held, give back what is idle or wanted, and end what others left."""
        renewals = 0
        renew_ns = self._clock.monotonic_ns() + RENEW_NS
        while True:
            recalled = await self._is_recalled_before(renew_ns)
            async with asyncio.timeout(_LONGEST_ANSWER_SECONDS):
                if recalled:
                    await self._give_back(recalled=True)
                    await asyncio.sleep(AGAIN_NS / SECOND)  # what comes free meanwhile goes back together
                    continue
                renew_ns = self._clock.monotonic_ns() + RENEW_NS
                await self._renew()
                await self._give_back()
                renewals += 1
                if renewals % _REAP_EVERY == 0:
                    await self._bank.reap()

    async def _is_recalled_before(self, due_ns: int) -> bool:
        seconds = (due_ns - self._clock.monotonic_ns()) / SECOND
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._recalled.wait()
                self._recalled.clear()
                return seconds > 0  # however often it is recalled, what it holds is renewed
        return False

    async def _renew(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if named := self._purse.renewable(now_ns):
            leases = await self._bank.renew(self._worker, named)
            self._purse.renewed(named, leases, asked_ns=now_ns, now_ns=self._clock.monotonic_ns())

    async def _give_back(self, *, recalled: bool = False, closing: bool = False) -> None:
        if back := self._purse.idle(self._clock.monotonic_ns(), recalled=recalled, closing=closing):
            await self._confirm(back)

    async def _confirm(self, back: Mapping[str, int]) -> None:
        await self._bank.give_back(self._worker, back)
        self._purse.given_back(back)

    def _refusal(self, refused: Refusal, demands: Sequence[Demand]) -> FlyballError:
        quota, needed = next((demand.quota, demand.amount) for demand in demands if demand.quota.id == refused.quota)
        if refused.standing is None:
            return QuotaAwayError(quota)
        at_ns = self._purse.bank_ns(self._clock.monotonic_ns()) or self._clock.now_ns()
        standing = refused.standing
        if needed > standing.limit:
            standing = standing._replace(frees_ns=None)  # no window is large enough, whatever was lacking of it here
        elif not is_rolling(quota.window) and (
            needed > standing.limit - standing.settled
            or (quota.unit == "requests" and not standing.recalling)  # every request let in is used: none comes back
        ):
            standing = standing._replace(frees_ns=ends_ns(quota.window, at_ns))  # no lease that ends can help before
        return QuotaReachedError(quota, standing, needed, at_ns)


def _full() -> LedgerFullError:
    return LedgerFullError(
        "what was spent waits for PostgreSQL, and there is no room for more", next_step="flyball doctor"
    )


async def _for_ever(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await work()
        except (FlyballError, TimeoutError) as error:
            _log.warning("the bank of budgets and limits is away: %s", error or "no answer")
        except Exception:  # noqa: BLE001 -- the door of a task that nobody awaits: it must neither end nor fail in silence
            _log.exception("dealing with the bank failed and begins again")
            await asyncio.sleep(1)
