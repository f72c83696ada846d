"""The calls of one worker that wait for the bank: what they ask of it together, and what its answers mean for each.

Pure, like the purse: no clock, no bank, no task. Whoever drives it (the worker's lender; a simulation) carries `takes` to the bank,
hands the answers to `answered`, and calls `away` when they do not come. A call is refused when the bank says so and nobody else
holds anything idle; while others may, it asks again until they have answered the recall, at most PATIENCE_NS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .bank import AGAIN_NS, AWAY_NS, PATIENCE_NS
from .purse import Purse
from .records import MOST, NOBODY, Demand, Lease, Reservation, Short, Standing, Take

LONGEST_NS = 4 * PATIENCE_NS  # the longest that a call asks, however often what it lacks comes and goes


class Refusal(NamedTuple):
    """Why a call is not admitted: how its counter stands, or None where the bank is away and the quota closed."""

    quota: str
    standing: Standing | None


@dataclass(slots=True, eq=False)
class Waiting:
    """One call in the line."""

    demands: tuple[Demand, ...]
    joined_ns: int
    heard_ns: int  # when the bank last answered it, or it joined
    again_ns: int  # it asks from then on
    recalling: dict[str, int] = field(default_factory=dict)  # by quota, since when it waits for others to give back
    outcome: Reservation | Refusal | None = None


@dataclass(slots=True)
class Line:
    """Calls that wait, in the order in which they came. `on_low` is called where something is to be asked for before any does."""

    purse: Purse
    on_low: Callable[[], object] = lambda: None
    _waiting: list[Waiting] = field(default_factory=list)
    _asking: list[Waiting] = field(default_factory=list)  # those that the last `takes` spoke for
    _asked: dict[str, int] = field(default_factory=dict)  # the quotas it asked for, and how much at most
    _low: list[str] = field(default_factory=list)  # quotas that run low and were not asked for yet
    _ahead: frozenset[str] = frozenset()  # of those, what no call waited for: a refusal of it means nothing

    def __post_init__(self) -> None:
        self.purse.on_low = self._runs_low

    def join(self, demands: Sequence[Demand], now_ns: int) -> Reservation | Waiting:
        """Admitted from what the worker holds, as nearly every call is; or a place in the line."""
        tried = self.purse.admit(demands, now_ns)
        if isinstance(tried, Reservation):
            return tried
        waiting = Waiting(tuple(demands), now_ns, now_ns, now_ns)
        self._waiting.append(waiting)
        return waiting

    def leave(self, waiting: Waiting) -> None:
        """The caller has gone; what it was admitted with meanwhile is freed."""
        if isinstance(waiting.outcome, Reservation):
            self.purse.settle(waiting.outcome, {})
        self._waiting = [other for other in self._waiting if other is not waiting]
        self._asking = [other for other in self._asking if other is not waiting]

    def due_ns(self) -> int | None:
        """When somebody in the line wants to ask, or something runs low; None: there is nothing to ask."""
        if self._low:
            return 0
        return min((waiting.again_ns for waiting in self._waiting), default=None)

    def takes(self, now_ns: int) -> tuple[list[Waiting], tuple[Take, ...]]:
        """Who is admitted meanwhile, and what to ask of the bank for the others and ahead, one take for each quota."""
        self._asking, merged = [], dict[str, Take]()
        for waiting in [waiting for waiting in self._waiting if waiting.again_ns <= now_ns]:
            tried = self.purse.admit(waiting.demands, now_ns)
            if isinstance(tried, Reservation):
                waiting.outcome = tried
                continue
            self._asking.append(waiting)
            for take in tried.takes:
                if take.need == NOBODY and waiting.recalling:
                    continue  # it asked already, and asks often: each time it would take a slice of what is free
                merged[take.quota] = _both(merged[take.quota], take) if take.quota in merged else take
        for quota in self._low:
            if quota not in merged and (more := self.purse.ahead(quota, now_ns)):
                merged[quota] = more
        self._low.clear()
        self._asked = {take.quota: take.most for take in merged.values()}
        self._ahead = frozenset(take.quota for take in merged.values() if take.need == NOBODY)
        return self._done(), tuple(merged.values())

    def answered(self, answers: Mapping[str, Lease | Standing], *, asked_ns: int, now_ns: int) -> list[Waiting]:
        """What the bank said to the last `takes`: who is admitted or refused by it. The others ask again."""
        self.purse.back()
        for quota in self._asked.keys() - answers.keys():
            self.forget(quota)
        answers = {name: one for name, one in answers.items() if isinstance(one, Lease) or name not in self._ahead}
        for answer in answers.values():
            if isinstance(answer, Lease):
                self.purse.receive(answer, asked_ns=asked_ns, now_ns=now_ns, most=self._asked.get(answer.quota, 0))
            else:
                self.purse.recall(answer.quota)
        for waiting in [waiting for waiting in self._asking if waiting.outcome is None]:
            waiting.heard_ns = now_ns
            waiting.outcome = self._try(waiting, answers, now_ns)
        self._asking = []
        return self._done()

    def patient_ns(self) -> int | None:
        """Until when the first of those who heard nothing waits for the bank; None: nobody waits."""
        return min((waiting.heard_ns + AWAY_NS for waiting in self._waiting), default=None)

    def away(self, now_ns: int) -> list[Waiting]:
        """Calls that heard nothing for AWAY_NS: each is decided by the policy of its quotas."""
        for waiting in self._waiting:
            if now_ns - waiting.heard_ns >= AWAY_NS:
                tried = self.purse.admit(waiting.demands, now_ns, away=True)
                waiting.outcome = Refusal(tried.refused, None) if isinstance(tried, Short) else tried
        return self._done()

    def forget(self, quota: str) -> None:
        """A quota that is no more: nobody waits for it."""
        for waiting in self._waiting:
            waiting.demands = tuple(demand for demand in waiting.demands if demand.quota.id != quota)

    def _runs_low(self, quota: str) -> None:
        self._low.append(quota)
        self.on_low()

    def _try(
        self, waiting: Waiting, answers: Mapping[str, Lease | Standing], now_ns: int
    ) -> Reservation | Refusal | None:
        tried = self.purse.admit(waiting.demands, now_ns)
        if isinstance(tried, Reservation):
            return tried
        waiting.again_ns = now_ns
        for take in tried.takes:
            if take.need == NOBODY:
                continue
            standing = answers.get(take.quota)
            if not isinstance(standing, Standing) or take.least <= standing.free:
                waiting.recalling.pop(
                    take.quota, None
                )  # granted, and somebody before it took it; or another lacks more
                continue
            since_ns = waiting.recalling.setdefault(take.quota, now_ns)
            if standing.recalling == 0 or now_ns - since_ns >= PATIENCE_NS or now_ns - waiting.joined_ns >= LONGEST_NS:
                return Refusal(take.quota, standing)
            waiting.again_ns = now_ns + AGAIN_NS
        return None

    def _done(self) -> list[Waiting]:
        done = [waiting for waiting in self._waiting if waiting.outcome is not None]
        if done:
            self._waiting = [waiting for waiting in self._waiting if waiting.outcome is None]
        return done


def _both(one: Take, other: Take) -> Take:
    if NOBODY in (one.need, other.need):
        first, second = (one, other) if other.need == NOBODY else (other, one)
        return first._replace(most=max(first.most, second.most))
    need = min(one.need + other.need, 2 * MOST)  # no bank has more, and none can read any number
    more = max(one.most - one.need, other.most - other.need)
    return Take(one.quota, min(one.least, other.least), need + more, need)
