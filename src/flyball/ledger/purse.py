"""What one worker holds of every quota it spends from: leases, what is reserved of them, what is free.

Pure, synchronous, for one thread. Knows no clock: `now_ns` and `asked_ns` are the worker's monotonic time, so a jump of its wall
clock changes nothing. Knows no bank: it says what to take, give back and renew, and is told what came of it (see `line`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .bank import RENEW_NS
from .charging import drawn, settled
from .cover import Cover
from .held import Held
from .pace import Pace
from .records import MOST, NOBODY, NOTHING, UNLEASED, Charge, Demand, Lease, Quota, Reservation, Short, Take, Unit

_DRIFT = 64  # a lease is not spent from in the last 1/64 of its life: clocks do not run at one speed
_LINGER_NS = 2 * RENEW_NS  # how long an empty lease is still renewed, so that what it paid for settles while it lives
_AHEAD_NS = RENEW_NS // 4  # what runs out within it is asked for before it has
_PLENTY = 64  # times what is asked for ahead, or more, is all of a quota
_LOOK_NS = (
    _AHEAD_NS // 2
)  # how often it is looked whether something runs out, at the least: calls may come faster by then
_GLANCE_NS = RENEW_NS // 50  # and at the most
_OPEN_PART = 64  # of a quota's amount: what a worker may spend unleased where the quota does not say


@dataclass(slots=True)
class Purse:
    """The leases of one worker. `on_low` is told each quota of which more is to be asked for `ahead`."""

    on_low: Callable[[str], object] = lambda _: None
    _held: dict[str, list[Held]] = field(default_factory=dict)  # by quota, oldest first
    _by_id: dict[str, Held] = field(default_factory=dict)
    _current: dict[str, Held] = field(default_factory=dict)  # by quota: the lease of which calls are let in
    _pace: dict[str, Pace] = field(default_factory=dict)
    # By reservation that is not settled: the leases that it is of, each of another quota, and what of them nothing was paid from yet.
    _open: dict[int, tuple[Sequence[Held], Sequence[int]]] = field(default_factory=dict)
    _split: dict[int, tuple[Sequence[Held], Sequence[int]]] = field(default_factory=dict)  # with several of one quota
    _unleased: dict[str, Held] = field(default_factory=dict)  # by quota, since the bank last answered
    _wanted: dict[str, Held] = field(default_factory=dict)  # those of _by_id whose idle part somebody waits for
    _bank_ns: int | None = None
    _number: int = 0
    _uncounted: list[Cover] = field(default_factory=list)  # that let in calls of which no pace has heard
    _era: object = field(default_factory=object)  # another one with every change of leases that a cover may know

    # -- calls

    def admit(self, demands: Sequence[Demand], now_ns: int, *, away: bool = False) -> Reservation | Short:
        """Reserve every demand, or none and say what to take for it. Soft quotas hold nothing.

        Each quota is demanded of once. `away`: the bank did not answer in time; what is short is then spent unleased within the
        quota's bound, or refused. What is held of a quota whose amount was lowered since lets nothing in.
        """
        cover = Cover.of([demand.quota for demand in demands])
        amounts = [demand.amount for demand in demands if demand.quota.stop == "hard"]
        if (at_once := self.at_once(cover, amounts, now_ns)) is not None:
            return at_once
        hard = [demand for demand in demands if demand.quota.stop == "hard" and demand.amount > 0]
        lacking = [(demand, lack) for demand in hard if (lack := self._lack(demand, now_ns))]
        if lacking and not away:
            short = {demand.quota.id for demand, _ in lacking}
            others = [one.quota for one in hard if one.quota.id not in short]
            ahead = [take for quota in others if (take := self._ahead(quota, now_ns))]
            return Short((*(self._take(demand.quota.id, lack, now_ns) for demand, lack in lacking), *ahead))
        for demand, lack in lacking:
            if not self._may_go_unleased(demand.quota, lack):
                return Short((), refused=demand.quota.id)
        parts = [part for demand in hard for part in self._reserve(demand, now_ns)]
        if not parts:
            return NOTHING
        leases, promised = zip(*parts, strict=True)
        times = [held.bank_ns for held in leases if held.id != UNLEASED]
        is_split = len({held.quota for held in leases}) < len(leases)
        self._number += 1
        (self._split if is_split else self._open)[self._number] = leases, promised
        return Reservation(self._number, max(times) + now_ns if times else None, leases, promised)

    def draw(self, reservation: Reservation, actual: Mapping[Unit, int]) -> tuple[Charge, ...]:
        """Charge an attempt of a call that goes on; the rest stays reserved. Nothing for a call that is settled already.

        The charges of a quota are together exactly what was used of its unit: from the reservation, then from what else is
        free of it here, then of no lease at all.
        """
        number = reservation.number
        parts = self._open if number in self._open else self._split
        if number not in parts:
            return ()
        leases, reserved = parts[number]
        charges, left = drawn(leases, reserved, actual, self._held)
        parts[number] = leases, left
        return charges

    def settle(self, reservation: Reservation, actual: Mapping[Unit, int]) -> tuple[Charge, ...]:
        """Charge the last attempt and free the rest at once. Once: a second time charges nothing and frees nothing."""
        if (parts := self._open.pop(reservation.number, None)) is not None:
            return settled(parts[0], parts[1], actual, self._held)
        charges = self.draw(reservation, actual)
        for held, left in zip(*self._split.pop(reservation.number, ((), ())), strict=True):
            held.room += left
        return charges

    def free(self, quota: str, now_ns: int) -> int:
        """What may be reserved of a quota without asking the bank."""
        free = 0
        for held in self._held.get(quota, ()):
            if held.free and now_ns < held.ends_ns and not held.stale:
                free += held.free
        return free

    def bank_ns(self, now_ns: int) -> int | None:
        """The bank's time, or a little before; None where the bank never answered."""
        return None if self._bank_ns is None else self._bank_ns + now_ns

    def at_once(self, cover: Cover, amounts: Sequence[int], now_ns: int) -> Reservation | None:
        """What nearly every call gets: all that it needs of a quota from one lease. None: it takes more thought.

        Every call comes this way, so that each is looked at once, and what was reserved is put back where a later one is short.
        """
        if cover.until_ns <= now_ns or cover.era is not self._era:
            if not cover.quotas:
                return NOTHING
            if not self._look(cover, amounts, now_ns):
                return None
        leases = cover.leases
        for held, amount in zip(leases, amounts):  # noqa: B905 -- for every call, and to be strict takes twice as long
            asked = held.asked + amount
            if asked > held.room:
                self._put_back(leases, amounts, held)
                return self.at_once(cover, amounts, now_ns) if self._look(cover, amounts, now_ns) else None
            held.asked = asked
        if not cover.calls:
            self._uncounted.append(cover)
        cover.calls += 1
        self._number = number = self._number + 1
        self._open[number] = leases, amounts
        return Reservation(number, cover.bank_ns + now_ns, leases, amounts)

    def _put_back(self, leases: Sequence[Held], amounts: Sequence[int], short: Held) -> None:
        """What was reserved of those before the one that has too little."""
        for held, amount in zip(leases, amounts, strict=True):
            if held is short:
                return
            held.asked -= amount

    def _look(self, cover: Cover, amounts: Sequence[int], now_ns: int) -> bool:
        """Find for each of its quotas a lease that has enough, by which its calls are let in for a while; whether there are."""
        self._count_calls()
        cover.era = None
        leases = []
        for quota, amount in zip(cover.quotas, amounts, strict=True):
            held = self._current.get(quota.id)
            if held is None or held.free < amount or held.until_ns <= now_ns or held.limit != quota.amount:
                held = self._first(quota, amount, now_ns)
                if held is None or held.free < amount:
                    return False
            leases.append(held)
        cover.leases, cover.era = tuple(leases), self._era
        cover.until_ns = min([held.until_ns for held in leases])
        cover.bank_ns = max([held.bank_ns for held in leases])
        return True

    def _count_calls(self) -> None:
        """Paces hear of the calls that came since they last heard, in the stretch in which these came."""
        for cover in self._uncounted:
            for held in cover.leases:
                held.pace.calls += cover.calls
            cover.calls = 0
        self._uncounted.clear()

    def _first(self, quota: Quota, amount: int, now_ns: int) -> Held | None:
        """The first lease that has anything, by which calls are let in from now on; None also where a limit has changed, which is heeded first."""
        for held in self._held.get(quota.id, ()):
            if held.limit != quota.amount:
                return None
            if held.free and now_ns < held.ends_ns and not held.stale:
                self._current[quota.id] = held
                self._paced(quota.id, now_ns)
                held.until_ns = min(
                    held.ends_ns, held.pace.since_ns + RENEW_NS, self._runs_low_ns(quota, amount, now_ns)
                )
                return held
        return None

    def _runs_low_ns(self, quota: Quota, amount: int, now_ns: int) -> int:
        """When to look again whether calls at this pace use up what is free of a quota.

        Where they soon do, or the next one as large as this finds too little, more is asked for, where there is plenty: of the rest
        each has to hold as little as he can, for what a killed worker held is missing until its lease ends. And no places of parallel
        calls, which come back: many calls need few of them.
        """
        pace, free = self._paced(quota.id, now_ns), self.free(quota.id, now_ns)
        soon = max(pace.soon(now_ns), 1)
        lasts_ns = free * RENEW_NS // soon
        is_low = lasts_ns < _AHEAD_NS or free < 2 * amount
        is_plenty = soon * _PLENTY <= quota.amount and not pace.is_scarce
        if is_low and is_plenty and now_ns - pace.asked_ns >= _AHEAD_NS and quota.unit != "parallel":
            pace.asked_ns = now_ns
            self.on_low(quota.id)
        return now_ns + max(min(lasts_ns - _AHEAD_NS, _LOOK_NS), _GLANCE_NS)

    def _paced(self, quota: str, now_ns: int) -> Pace:
        """The quota's pace, of the stretch that it is now."""
        if (pace := self._told_pace(quota)) is None:
            pace = self._pace[quota] = Pace(now_ns)
        pace.roll(now_ns)
        return pace

    def _told_pace(self, quota: str) -> Pace | None:
        """The quota's pace, told of all that was asked; None where nothing was asked for long."""
        if self._uncounted:
            self._count_calls()
        for held in self._held.get(quota, ()):
            held.pace.now += held.asked - held.paced
            held.paced = held.asked
        return self._pace.get(quota)

    def _lack(self, demand: Demand, now_ns: int) -> int:
        """What is missing for it; most often one lease has enough."""
        lack, limit = demand.amount, demand.quota.amount
        for held in self._held.get(demand.quota.id, ()):
            if held.limit != limit:
                self._heed(held, demand.quota)
            if held.free and now_ns < held.ends_ns and not held.stale:
                lack -= held.free
                if lack <= 0:
                    return 0
        return lack

    def _take(self, quota: str, lack: int, now_ns: int) -> Take:
        pace = self._told_pace(quota)
        return Take(quota, lack, lack + min(pace.soon(now_ns) if pace else 0, MOST), lack)

    def _ahead(self, quota: Quota, now_ns: int) -> Take | None:
        """What is soon to run out is asked for as well where the bank is asked anyway: calls wait once for all, not for each.

        Places of parallel calls come back: many calls need few of them, and who held more would keep others out.
        """
        if quota.unit == "parallel" or (pace := self._told_pace(quota.id)) is None:
            return None
        soon = min(pace.soon(now_ns), MOST)
        free = self.free(quota.id, now_ns)
        return Take(quota.id, 1, soon - free, NOBODY) if 2 * free < soon else None

    def _may_go_unleased(self, quota: Quota, lack: int) -> bool:
        bound = quota.open_bound or max(1, quota.amount // _OPEN_PART)
        spent = -self._unleased[quota.id].free if quota.id in self._unleased else 0
        return quota.when_away == "open" and quota.amount > 0 and spent + lack <= bound

    def _reserve(self, demand: Demand, now_ns: int) -> list[tuple[Held, int]]:
        quota, left, parts = demand.quota, demand.amount, []
        pace = self._paced(quota.id, now_ns)
        pace.calls += 1
        for held in self._held.get(quota.id, ()):
            if not held.free or now_ns >= held.ends_ns or held.stale:
                continue
            part = min(held.free, left)
            held.asked += part
            parts.append((held, part))
            left -= part
            if not left:
                break
        if left:
            held = self._unleased.setdefault(quota.id, Held(UNLEASED, quota.id, 0, 0, pace, unit=quota.unit))
            held.room -= left
            pace.now += left
            parts.append((held, left))
        return parts

    def _heed(self, held: Held, quota: Quota) -> None:
        if held.limit > quota.amount:
            held.stale = True
            self._wanted[held.id] = held
        held.limit, held.unit = quota.amount, quota.unit
        self._look_around(held)

    def _look_around(self, held: Held) -> None:
        """The next call that asks for its quota looks at all leases of it."""
        self._era = object()
        if self._current.get(held.quota) is held:
            del self._current[held.quota]

    # -- the bank

    def ahead(self, quota: str, now_ns: int) -> Take | None:
        """What to ask for of what runs low, before calls wait for it: with what is there, as much as they will ask."""
        most = min(self._paced(quota, now_ns).soon(now_ns), MOST) - self.free(quota, now_ns)
        return Take(quota, 1, most, NOBODY) if most > 0 else None

    def receive(self, lease: Lease, *, asked_ns: int, now_ns: int, most: int = 0) -> None:
        """A lease that the bank granted when it was asked for `most` at `asked_ns`; its life counts from then."""
        pace = self._paced(lease.quota, now_ns)
        pace.is_scarce = lease.amount < most
        held = Held(lease.id, lease.quota, lease.amount, lease.amount, pace)
        self._held.setdefault(lease.quota, []).append(held)
        self._by_id[lease.id] = held
        self._date(held, lease, asked_ns, now_ns)

    def renewable(self, now_ns: int) -> tuple[str, ...]:
        """The leases to renew: those that hold something, or did a moment ago. The others are dropped here and expire."""
        kept = []
        for held in list(self._by_id.values()):
            if held.free or held.reserved or held.given > held.told:
                held.emptied_ns = None
            elif held.emptied_ns is None:
                held.emptied_ns = now_ns
            if held.emptied_ns is not None and now_ns - held.emptied_ns > _LINGER_NS:
                self._drop(held)
            else:
                kept.append(held.id)
        for quota in [name for name, pace in self._pace.items() if name not in self._held and pace.is_still(now_ns)]:
            del self._pace[quota]
        return tuple(kept)

    def renewed(self, named: Iterable[str], leases: Mapping[str, Lease], *, asked_ns: int, now_ns: int) -> None:
        """What the bank answered for the leases named: the others of them are lost."""
        for held in [self._by_id[name] for name in named if name in self._by_id]:
            if (lease := leases.get(held.id)) is None:
                self._drop(held)
            else:
                self._date(held, lease, asked_ns, now_ns)
                self._look_around(held)

    def back(self) -> None:
        """The bank answers: what may go unleased the next time it is away counts from nothing."""
        self._unleased.clear()

    def recall(self, quota: str) -> None:
        """Somebody was refused: what is idle of this quota has to go back at once, until a renewal says otherwise."""
        self._wanted |= {held.id: held for held in self._held.get(quota, ())}

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for something that is held here."""
        return bool(self._wanted)

    def idle(
        self, now_ns: int, *, recalled: bool = False, closing: bool = False, stale: bool = False
    ) -> dict[str, int]:
        """By lease, the total to have given back: what is wanted elsewhere, or nobody here asked for lately.

        What it names is no longer free here, and is named again until `given_back` confirms it. `recalled`: only what is
        wanted, which costs nothing where nothing is; `stale`: only what is of limits that were lowered; `closing`: everything.
        """
        back = {}
        for held in (self._wanted if recalled or stale else self._by_id).values():
            if stale and not (held.stale and (held.free or held.given > held.told)):
                continue
            wanted = held.id in self._wanted
            pace = self._told_pace(held.quota)
            if held.free and (closing or wanted or pace is None or pace.is_still(now_ns)):
                held.given += held.free
                held.room = held.asked
            if held.given > held.told or (wanted and not held.promised):
                back[held.id] = held.given
        return back

    def given_back(self, back: Mapping[str, int]) -> None:
        """The bank has what `idle` named."""
        for held in [self._by_id[name] for name in back if name in self._by_id]:
            held.told = max(held.told, back[held.id])
            held.promised = held.id in self._wanted
            if held.told == held.given and not (held.free or held.reserved or held.drawn):
                self._drop(held)

    def _date(self, held: Held, lease: Lease, asked_ns: int, now_ns: int) -> None:
        held.ends_ns = asked_ns + lease.life_ns - lease.life_ns // _DRIFT
        held.bank_ns = self._bank_ns = lease.granted_ns - now_ns
        held.promised = False
        if lease.wanted or held.stale:
            self._wanted[held.id] = held
        else:
            self._wanted.pop(held.id, None)

    def _drop(self, held: Held) -> None:
        self._told_pace(held.quota)  # of its last calls, while they are still found
        del self._by_id[held.id]
        self._wanted.pop(held.id, None)
        self._look_around(held)
        self._held[held.quota].remove(held)
        if not self._held[held.quota]:
            del self._held[held.quota]
