"""The port behind which counters and leases are kept: by PostgreSQL for everybody, by memory in tests.

Says exactly what each verb means; `tests/conformance/test_every_bank.py` holds every bank to it. Knows no way of keeping.

A **counter** is a quota in one window (of a rolling one: in all buckets that count, see `windows.counts_from_ns`). It has
`settled`, the sum of what the ledger's entries measure for its quota (`records.covers`, `records.measured`), whether or not a
call knew of the quota; and `leased`, the sum of what is left of its live leases. A lease lives until the bank's time reaches its
`expires_ns`. **At every moment settled + leased <= limit**, except by what decision 25 lists.

Times are the bank's own: `now_ns=None` means its clock (PostgreSQL's), and nothing else is given outside tests, so a worker's
wall clock decides nothing. Every verb is atomic and may be repeated after its answer was lost: a take that was never heard of
expires unused, a renewal repeats, what is given back is told as a total, and entries settle once by their id.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from .records import Entry, Lease, Standing, Take

SECOND = 1_000_000_000
LEASE_NS = 10 * SECOND  # how long a lease lives that nobody renews; what a killed worker held is free after it
RENEW_NS = (
    1 * SECOND
)  # how often a worker renews, at the least; so how long a recall takes where no notification arrives
WANTED_NS = (
    3 * SECOND
)  # how long a refusal keeps a quota wanted; longer than RENEW_NS, so that every holder hears of it
PATIENCE_NS = (
    RENEW_NS + RENEW_NS // 2
)  # how long a call waits for others to answer a recall: every live holder has, by then
AGAIN_NS = SECOND // 50  # how long it pauses between asking
AWAY_NS = SECOND // 20  # how long a call waits for the bank to answer at all, before the quota's policy decides
SURPLUS = 8  # a grant above the need is at most this part of what would stay free


class Bank(Protocol):
    """Where counters and leases are."""

    async def take(self, worker: str, takes: Sequence[Take], now_ns: int | None = None) -> dict[str, Lease | Standing]:
        """A lease or a refusal for each take, by quota; a quota that is no more is missing from the answer.

        `free` is limit - settled - leased, expired leases not counted (reaped here where they would refuse). With `least` <=
        free a lease is granted: of `sure` = min(max(need, least), free), and, unless the quota is wanted, of
        min(most - sure, (free - sure) // SURPLUS) more (never less than `sure`). It expires LEASE_NS from now, or where its
        calendar window ends. `least` is 1 or more.

        A standing's `frees_ns`: never (None) where `least` > limit; where settled + `least` <= limit, when the first live lease
        expires; otherwise when the calendar window ends, or enough buckets have rolled out (of `total`: never).

        With `least` > free nothing is granted; the quota becomes **wanted** for WANTED_NS from now, which its leases say
        from then on. The standing's `recalling` is what is left of live leases of *other* workers that have made no promise:
        while it is not 0 the refusal is not final, and the worker asks again. A lease promises when its holder names it to
        `give_back` (0 counts) while its quota is wanted: it holds nothing idle, and what comes free goes back at once. The
        promise ends with a renewal while the quota is not wanted. A lease is granted without one.

        A take whose `need` is NOBODY is of something that runs out soon: with `least` > free, and also while the quota is wanted,
        nothing is granted and nothing becomes wanted, for no call waits; the standing's `frees_ns` says nothing then (None).
        """
        ...

    async def renew(self, worker: str, leases: Collection[str], now_ns: int | None = None) -> dict[str, Lease]:
        """Those of the named leases that this worker holds and that still live, to live LEASE_NS from now, not past their window.

        A lease that is not in the answer is gone: nothing may be spent from it. A lease that is not named is not extended. Where
        the bank's clock was set back, none lives longer for it, and one of a window that lies ahead again is gone.
        `wanted` says whether the holder has to give back what is idle; where it is False, its promise ends here.
        """
        ...

    async def give_back(self, worker: str, back: Mapping[str, int], now_ns: int | None = None) -> None:
        """By lease, the total given back from it so far, this included: telling twice gives back once. 0 is a promise alone.

        Never more than what is left of a lease; nothing for leases that are dead or another worker's.
        """
        ...

    async def settle(self, entries: Sequence[Entry], now_ns: int | None = None) -> None:
        """Append entries to the ledger and move counters, together; an id that is there already changes nothing.

        Every quota that covers an entry has `settled` += what the entry measures, in the window of its `at_ns`. Of each charge's
        lease, if it lives, left -= min(left, amount). `UNLEASED` charges and those of dead leases move no lease.
        """
        ...

    async def reap(self, now_ns: int | None = None) -> int:
        """End every lease that has expired; what was left of it is free again. How many there were.

        Where the bank's clock was set back, the others live LEASE_NS from now at the most.
        """
        ...

    async def standings(self, quotas: Sequence[str], now_ns: int | None = None) -> dict[str, Standing]:
        """How the counters stand now, for pages, headers and tests; `recalling` is 0, `least` taken for 1. Unknown ones are missing."""
        ...
