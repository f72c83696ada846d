"""A bank in memory: the meaning of every verb, written as plainly as can be, to hold PostgreSQL's and the simulation against."""

from dataclasses import dataclass

from flyball.ledger import windows
from flyball.ledger.bank import LEASE_NS, SURPLUS, WANTED_NS
from flyball.ledger.records import NOBODY, Lease, Standing, covers, measured


@dataclass
class Slip:
    """What the bank notes of one lease."""

    id: str
    quota: str
    window_ns: int
    worker: str
    left: int
    expires_ns: int
    given: int = 0
    promised: bool = False


class MemoryBank:
    """Counters and leases in dictionaries. `clock` tells the bank's time."""

    def __init__(self, clock):
        self.clock = clock
        self.quotas = {}
        self.slips = {}
        self.entries = {}
        self.of = {}  # quota -> {lease: slip}, the same slips
        self.settled = {}  # quota -> {window_ns: amount}
        self.wanted = {}  # quota -> until when
        self.heard = []  # quotas whose holders a notification would reach
        self._count = 0

    # -- quotas

    async def declare(self, quota):
        """A new quota counts what was spent since its window began; one that is there gets its new amount."""
        if quota.id not in self.quotas:
            self.settled[quota.id] = self.derived(quota)
        self.quotas[quota.id] = quota

    async def remove(self, quota):
        del self.quotas[quota]
        del self.settled[quota]
        for lease in self.of.pop(quota, {}):
            del self.slips[lease]

    def derived(self, quota):
        """The counter's rows, from the ledger alone."""
        rows = {}
        for entry in self.entries.values():
            if covers(quota, entry) and (amount := measured(quota.unit, entry)):
                row = windows.window_of(quota.window, entry.at_ns)
                rows[row] = rows.get(row, 0) + amount
        return rows

    # -- the port

    async def take(self, worker, takes, now_ns=None):
        now = self._now(now_ns)
        answers = {}
        for take in takes:
            if take.quota in self.quotas:
                assert 0 < take.least <= take.most
                answers[take.quota] = self._take(worker, take, now)
        return answers

    async def renew(self, worker, leases, now_ns=None):
        now = self._now(now_ns)
        answers = {}
        for slip in [self.slips[lease] for lease in leases if lease in self.slips]:
            begun = windows.is_rolling(self.quotas[slip.quota].window) or slip.window_ns <= now
            if slip.worker == worker and slip.expires_ns > now and begun:
                slip.expires_ns = min(
                    now + LEASE_NS, max(slip.expires_ns, self._expiry(slip.quota, slip.window_ns, now))
                )
                wanted = self.wanted.get(slip.quota, 0) > now
                slip.promised = slip.promised and wanted
                answers[slip.id] = self._lease(slip, now)
        return answers

    async def give_back(self, worker, back, now_ns=None):
        now = self._now(now_ns)
        for lease, total in back.items():
            slip = self.slips.get(lease)
            if slip is not None and slip.worker == worker and slip.expires_ns > now:
                slip.left -= min(slip.left, max(0, total - slip.given))
                slip.given = max(slip.given, total)
                slip.promised = slip.promised or self.wanted.get(slip.quota, 0) > now

    async def settle(self, entries, now_ns=None):  # noqa: ARG002 -- an entry says itself when it was
        for entry in entries:
            if entry.id in self.entries:
                continue
            self.entries[entry.id] = entry
            for quota in self.quotas.values():
                if covers(quota, entry) and (amount := measured(quota.unit, entry)):
                    row = windows.window_of(quota.window, entry.at_ns)
                    rows = self.settled[quota.id]
                    rows[row] = rows.get(row, 0) + amount
            for charge in entry.charges:
                slip = self.slips.get(charge.lease)
                if slip is not None:
                    slip.left -= min(slip.left, charge.amount)

    async def reap(self, now_ns=None):
        now = self._now(now_ns)
        dead = [slip.id for slip in self.slips.values() if slip.expires_ns <= now]
        for slip in self.slips.values():
            slip.expires_ns = min(slip.expires_ns, now + LEASE_NS)
        for lease in dead:
            del self.of[self.slips.pop(lease).quota][lease]
        return len(dead)

    async def standings(self, quotas, now_ns=None):
        now = self._now(now_ns)
        return {quota: self.standing(quota, now) for quota in quotas if quota in self.quotas}

    # -- what tests look at

    def standing(self, quota_id, now, least=1):
        quota = self.quotas[quota_id]
        rolling = windows.is_rolling(quota.window)
        window, first = windows.window_of(quota.window, now), windows.counts_from_ns(quota.window, now)
        rows = self.settled[quota_id]
        used = {row: rows[row] for row in rows if row >= first} if rolling else {first: rows.get(first, 0)}
        live = self.live(quota_id, now)
        frees_ns = self._frees(quota, now, used, live, least)
        return Standing(quota_id, quota.amount, sum(used.values()), sum(s.left for s in live), window, frees_ns)

    def live(self, quota_id, now):
        """The leases that count now. None outlives its window, unless the bank's clock steps back: then it counts as well."""
        return [slip for slip in self.of.get(quota_id, {}).values() if slip.expires_ns > now]

    # -- inside

    def _take(self, worker, take, now):
        # What counts as free must be gone before it is given away: a clock that is set back finds it no more.
        for lease in [slip.id for slip in self.of.get(take.quota, {}).values() if slip.expires_ns <= now]:
            del self.of[take.quota][lease], self.slips[lease]
        standing = self.standing(take.quota, now, take.least)
        free = standing.free
        wanted = self.wanted.get(take.quota, 0) > now
        if take.need == NOBODY and (wanted or take.least > free):
            return standing._replace(frees_ns=None)
        if take.least > free:
            self.wanted[take.quota] = now + WANTED_NS
            if not wanted:
                self.heard.append(take.quota)
            others = [slip for slip in self.live(take.quota, now) if slip.worker != worker and not slip.promised]
            return standing._replace(recalling=sum(slip.left for slip in others))
        sure = min(max(take.need, take.least), free)
        more = 0 if wanted else max(0, min(take.most - sure, (free - sure) // SURPLUS))
        self._count += 1
        slip = Slip(
            f"lease_{self._count}",
            take.quota,
            standing.window_ns,
            worker,
            sure + more,
            self._expiry(take.quota, now, now),
        )
        self.slips[slip.id] = self.of.setdefault(slip.quota, {})[slip.id] = slip
        return self._lease(slip, now)

    def _frees(self, quota, now, used, live, least):
        settled = sum(used.values())
        if least > quota.amount:
            return None
        if settled + least <= quota.amount:
            return min((slip.expires_ns for slip in live if slip.left), default=now)
        if not windows.is_rolling(quota.window):
            return windows.frees_ns(quota.window, now)
        for row in sorted(used):
            settled -= used[row]
            if settled + least <= quota.amount:
                break
        return windows.frees_ns(quota.window, now, row)

    def _lease(self, slip, now):
        return Lease(
            id=slip.id,
            quota=slip.quota,
            window_ns=slip.window_ns,
            worker=slip.worker,
            amount=slip.left,
            granted_ns=now,
            expires_ns=slip.expires_ns,
            wanted=self.wanted.get(slip.quota, 0) > now,
        )

    def _expiry(self, quota, window_ns, now):
        ends = windows.ends_ns(self.quotas[quota].window, window_ns)
        return now + LEASE_NS if ends is None else min(now + LEASE_NS, ends)

    def _now(self, now_ns):
        return self.clock() if now_ns is None else now_ns
