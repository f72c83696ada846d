"""A world of workers over one bank, run by a seed: true time, network, calls, faults, and a judge that looks at every step.

Whatever happens is drawn from one random generator in the order of true time, so a seed is a history. Purse and line are the real
ones; the bank is the one in memory; the driver of a worker (`lending`, `draining`) does what the gateway's lender does.
"""

import heapq
import random
from collections import Counter, deque

from leasing import holds, reserved
from memory_bank import MemoryBank

from flyball.ledger import windows
from flyball.ledger.bank import AWAY_NS, LEASE_NS, PATIENCE_NS, RENEW_NS, SECOND
from flyball.ledger.cover import Cover
from flyball.ledger.line import Line, Refusal, Waiting
from flyball.ledger.purse import Purse
from flyball.ledger.records import UNLEASED, Demand, Entry, Lease, Standing, Take, covers, measured

MS = SECOND // 1_000
TIMEOUT_NS = SECOND  # when a worker gives an operation up, whose answer may still come
MISSED_NS = (
    150 * MS
)  # what came free so shortly before a refusal may be missed by it: a round trip, and a step of the holder
TROUBLE_NS = (
    PATIENCE_NS + 2 * TIMEOUT_NS + RENEW_NS
)  # how long a worker that was cut off counts as one that cannot be recalled
GONE = object()  # no answer in time


class BrokenError(AssertionError):
    """What must never happen did."""


def now_of(coroutine):
    """The value of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise BrokenError("the bank in memory waited")


def brief(word):
    """A step of a history, as short as can be read."""
    if isinstance(word, dict):
        return "{" + ", ".join(f"{key}: {brief(value)}" for key, value in word.items()) + "}"
    if isinstance(word, Entry):
        return f"{word.id}({' '.join(f'{charge.quota}/{charge.lease}={charge.amount}' for charge in word.charges)})"
    if isinstance(word, Lease):
        return f"{word.id}={word.amount}{' wanted' if word.wanted else ''}"
    if isinstance(word, Demand):
        return f"{word.quota.id}={word.amount}"
    if isinstance(word, Take | Standing):
        return f"{type(word).__name__}({' '.join(map(str, word))})"
    return "(" + ", ".join(map(brief, word)) + ")" if isinstance(word, tuple) else str(word)


class Worker:
    """One process: a purse, its line, the calls on their way. What it spooled outlives it."""

    def __init__(self, world, name, spool):
        self.world, self.name, self.spool = world, name, spool
        self.purse = Purse()
        self.line = Line(self.purse, on_low=lambda: self.wake("lend"))
        self.born_ns, self.base_ns = world.now, world.rng.randrange(10**15)
        self.rate = world.rng.randint(-2_000, 2_000)  # of its clock against true time, in millionths
        self.wall_jump_ns = 0
        self.alive = True
        self.paused_until = self.cut_until = 0
        self.trouble_ns = -TROUBLE_NS
        self.quotas = list(world.bank.quotas.values())
        self.covers = {}  # quotas -> their cover
        self.calls = {}  # waiting -> template
        self.sleeping = {}  # loop -> its turn
        self.turns = Counter()
        self.idle_seen = {}  # quota -> [(time, idle)]
        self.loops = {"lend": lending(self), "keep": keeping(self), "drain": draining(self)}
        for loop in self.loops:
            self.step(loop, None)

    def mono(self):
        passed = self.world.now - self.born_ns
        return self.base_ns + passed + passed * self.rate // 1_000_000

    # -- what drives its loops

    def step(self, loop, value):
        """Go on with a loop."""
        self.turns[loop] += 1
        self.sleeping.pop(loop, None)
        order, *details = self.loops[loop].send(value)
        self.world.look(self)
        if order == "sleep":
            self._sleep(loop, details[0])
        else:
            self._call(loop, order, details)

    def wake(self, loop):
        """Have a sleeping loop look again."""
        if (turn := self.sleeping.pop(loop, None)) is not None:
            self.world.at(self.world.now + self.world.rng.randrange(MS), lambda: self._resume(loop, turn, None))

    def _sleep(self, loop, for_ns):
        turn = self.sleeping[loop] = self.turns[loop]
        self.world.at(self.world.now + max(MS, for_ns), lambda: self._resume(loop, turn, None))

    def _resume(self, loop, turn, value):
        if not self.alive or self.turns[loop] != turn:
            return
        if self.paused_until > self.world.now:
            self.world.at(self.paused_until, lambda: self._resume(loop, turn, value))
        else:
            self.step(loop, value)

    def _call(self, loop, verb, details):
        world, turn = self.world, self.turns[loop]
        leaves = max(world.now, world.stalled_until) + world.latency()
        if max(self.cut_until, world.stalled_until) > world.now:
            self.trouble_ns = max(self.trouble_ns, world.now)
        world.at(world.now + TIMEOUT_NS, lambda: self._resume(loop, turn, GONE))
        lost = world.happens("lose")
        if self.cut_until > world.now or lost == "request":
            self.trouble_ns = max(self.trouble_ns, world.now)
            return

        def arrive():
            answer = world.bank_does(self, verb, details)
            if lost == "reply" or self.cut_until > world.now:
                self.trouble_ns = max(self.trouble_ns, world.now)
                return
            world.at(world.now + world.latency(), lambda: self._resume(loop, turn, answer))

        world.at(leaves, arrive)

    # -- its calls

    def start(self, template, demands):
        world = self.world
        came = self._at_once(demands) or self.line.join(demands, self.mono())
        world.look(self)
        if isinstance(came, Waiting):
            self.calls[id(came)] = (came, template)
            self.wake("lend")
            world.at(world.now + AWAY_NS + MS, lambda: self._lose_patience(came))
        else:
            self.admitted(came, template)

    def _at_once(self, demands):
        """As calls come: with a cover that is kept from one to the next."""
        quotas = tuple(demand.quota for demand in demands)
        cover = self.covers.setdefault(quotas, Cover.of(quotas))
        return self.purse.at_once(
            cover, [demand.amount for demand in demands if demand.quota in cover.quotas], self.mono()
        )

    def resolve(self, done):
        for waiting in done:
            _, template = self.calls.pop(id(waiting))
            if isinstance(waiting.outcome, Refusal):
                self.world.refused(self, waiting)
            else:
                self.admitted(waiting.outcome, template)
        if done:
            self.world.look(self)

    def admitted(self, reservation, template):
        world = self.world
        world.happened["admitted"] += 1
        world.look_at(self, reservation)
        world.admitted_requests[template["key_id"]] += 1
        at_ns = reservation.at_ns
        if at_ns is None:
            at_ns = self.purse.bank_ns(self.mono())
        if at_ns is None:
            at_ns = max(0, world.now + self.wall_jump_ns)
        lasts = world.lasts()
        world.at(world.now + lasts, lambda: self._finish(reservation, template | {"at_ns": at_ns}))

    def _lose_patience(self, waiting):
        if self.alive and waiting.outcome is None:
            if self.paused_until <= self.world.now:
                self.resolve(self.line.away(self.mono()))
            self.world.at(self.world.now + AWAY_NS, lambda: self._lose_patience(waiting))

    def _finish(self, reservation, template):
        if not self.alive:
            return
        if self.paused_until > self.world.now:
            self.world.at(self.paused_until, lambda: self._finish(reservation, template))
            return
        entries = self.world.settled(self.purse, reservation, template)
        self.spool.extend(entries)
        self.world.look(self)
        self.wake("drain")
        self.wake("keep")


def lending(worker):
    """Take for the calls that wait, one batch at a time."""
    line = worker.line
    while True:
        asked = worker.mono()
        done, takes = line.takes(asked)
        worker.resolve(done)
        if takes:
            answers = yield "take", takes
            if answers is not GONE:
                worker.resolve(line.answered(answers, asked_ns=asked, now_ns=worker.mono()))
                worker.wake("keep")
        due_ns = line.due_ns()
        yield "sleep", 3_600 * SECOND if due_ns is None else due_ns - worker.mono()


def keeping(worker):
    """Renew on time, give back what is idle or wanted, one operation at a time."""
    purse, renew_at = worker.purse, worker.mono()
    while True:
        now = worker.mono()
        due = now >= renew_at
        if due:
            renew_at = now + RENEW_NS
            if named := purse.renewable(now):
                answer = yield "renew", named
                if answer is not GONE:
                    purse.back()
                    purse.renewed(named, answer, asked_ns=now, now_ns=worker.mono())
        if due:
            yield ("reap",)
        while back := purse.idle(worker.mono(), recalled=not due):
            if (yield "give_back", back) is GONE:
                break
            purse.given_back(back)
            due = False  # once more, for what was recalled meanwhile
        yield "sleep", renew_at - worker.mono()


def draining(worker):
    """Deliver what was spooled, in order; what was not confirmed is delivered again."""
    while True:
        if not worker.spool:
            yield "sleep", 3_600 * SECOND
        elif (batch := tuple(worker.spool)[:50]) and (yield "settle", batch) is not GONE:
            for _ in batch:
                worker.spool.popleft()


class World:
    """True time, the bank, the workers, and the judge. `plan` says what may happen (see `plans`)."""

    def __init__(self, seed, plan):
        self.seed, self.plan, self.rng = seed, plan, random.Random(seed)
        self.now = plan["starts_ns"]
        self.stalled_until = 0
        self.bank_step_ns = 0  # what the bank's clock is off by
        self.ahead_until = self.undated_until = (
            0  # until then workers may believe in leases, or times, of before a step
        )
        self.events, self._count = [], 0
        self.history = deque(maxlen=400)
        self.bank = MemoryBank(self.bank_now)
        self.happened, self.admitted_requests = Counter(), Counter()
        self.billed = []
        self.free_seen = {}
        self.exceeded = set()  # quotas with a counter that was above its limit
        for quota in plan["quotas"]:
            now_of(self.bank.declare(quota))
        self.workers = []
        for number in range(plan["workers"]):
            self.workers.append(Worker(self, f"w{number}", deque()))

    def at(self, when, deed):
        self._count += 1
        heapq.heappush(self.events, (when, self.rng.random(), self._count, deed))

    def run(self, until_ns):
        while self.events and self.events[0][0] <= until_ns:
            self.now, _, _, deed = heapq.heappop(self.events)
            deed()
        self.now = until_ns

    def bank_now(self):
        return self.now + self.bank_step_ns

    def note(self, *words):
        self.history.append((self.now - self.plan["starts_ns"], words))

    def broken(self, what):
        lines = "\n".join(f"{at / SECOND:10.4f} s  {' '.join(map(brief, words))}" for at, words in self.history)
        raise BrokenError(f"seed {self.seed}: {what}\nits history (the last {len(self.history)} steps):\n{lines}")

    # -- chance

    def latency(self):
        return self.rng.randint(MS // 5, self.plan["latency_ns"])

    def lasts(self):
        if self.rng.random() < self.plan["long_calls"]:
            return self.rng.randint(8 * SECOND, 25 * SECOND)
        return self.rng.randint(10 * MS, 3 * SECOND)

    def happens(self, what):
        if self.rng.random() >= self.plan[what]:
            return None
        self.happened[what] += 1
        return self.rng.choice(("request", "reply"))

    # -- the bank, looked at before and after

    def bank_does(self, worker, verb, details):
        named = self._concerned(verb, details)
        exceeded = verb == "settle" or any(name in self.exceeded for name in named)
        before = self._used(named) if exceeded else {}
        excused = self._excuses(details[0]) if verb == "settle" else {}
        if verb == "reap":
            answer = now_of(self.bank.reap())
            self.happened["reaped"] += answer
        elif verb == "settle":
            answer = now_of(self.bank.settle(*details))
        else:
            answer = now_of(getattr(self.bank, verb)(worker.name, *details))
        self.note(worker.name, verb, *details, "->", answer)
        self._check_counters(before, self._used(named), excused)
        self._tally(answer)
        for quota in named:
            self._see(self.free_seen, quota, self.bank.standing(quota, self.bank_now()).free)
        self._notify()
        return answer

    def _concerned(self, verb, details):
        """The quotas whose counters a verb may move."""
        if verb == "take":
            return [take.quota for take in details[0] if take.quota in self.bank.quotas]
        if verb == "settle":
            charged = {charge.quota for entry in details[0] for charge in entry.charges}
            covering = {
                name for name, quota in self.bank.quotas.items() for entry in details[0] if covers(quota, entry)
            }
            return [name for name in self.bank.quotas if name in charged | covering]
        return list(self.bank.quotas)

    def _used(self, named):
        used = {}
        for name in named:
            if windows.is_rolling(self.bank.quotas[name].window):
                standing = self.bank.standing(name, self.bank_now())
                used[name, 0] = standing.settled + standing.leased
                continue
            for row, amount in self.bank.settled.get(name, {}).items():
                used[name, row] = amount
            for slip in self.bank.of.get(name, {}).values():
                if slip.expires_ns > self.bank_now():
                    row = (name, slip.window_ns)
                    used[row] = used.get(row, 0) + slip.left
        return used

    def _excuses(self, entries):
        """What settling these may add above every limit: what no live lease of its window pays for."""
        slips, excused = self.bank.slips, Counter()
        left = {slip.id: slip.left for slip in slips.values() if slip.expires_ns > self.bank_now()}
        for entry in {entry.id: entry for entry in entries if entry.id not in self.bank.entries}.values():
            for quota in self.bank.quotas.values():
                if covers(quota, entry) and (amount := measured(quota.unit, entry)):
                    row = 0 if windows.is_rolling(quota.window) else windows.window_of(quota.window, entry.at_ns)
                    for charge in entry.charges:
                        if (
                            charge.quota == quota.id
                            and charge.lease in left
                            and row in (0, slips[charge.lease].window_ns)
                        ):
                            paid = min(left[charge.lease], charge.amount)
                            left[charge.lease] -= paid
                            amount -= paid
                    excused[quota.id, row] += max(0, amount)
        self.happened["excused"] += sum(excused.values())
        return excused

    def _check_counters(self, before, after, excused):
        for row, used in after.items():
            quota = self.bank.quotas[row[0]]
            if quota.stop == "soft":
                continue
            if used <= quota.amount:
                continue
            self.exceeded.add(quota.id)
            if used > max(quota.amount, before.get(row, 0) + excused.get(row, 0)):
                self.broken(f"{row} has {used} of {quota.amount} used; it was {before.get(row, 0)}")
            if self.plan["calm"]:
                self.broken(f"{row} has {used} of {quota.amount} used, and nothing went wrong")

    def _tally(self, answer):
        for one in answer.values() if isinstance(answer, dict) else ():
            if isinstance(one, Lease):
                self.happened["leases"] += 1
            elif isinstance(one, Standing):
                self.happened["recalls" if one.recalling else "noes"] += 1

    def _notify(self):
        heard, self.bank.heard = self.bank.heard, []
        if not self.plan["notify"]:
            return
        for quota in heard:
            for worker in self.workers:
                self.at(self.now + self.latency(), lambda worker=worker, quota=quota: self._recall(worker, quota))

    def _recall(self, worker, quota):
        if worker.alive and max(worker.cut_until, worker.paused_until) <= self.now:
            worker.purse.recall(quota)
            worker.wake("keep")

    # -- the workers, looked at

    def look(self, worker):
        """What a worker believes to hold is behind it at the bank, while both say that the lease lives."""
        mono, slips, quotas, now = worker.mono(), self.bank.slips, self.bank.quotas, self.bank_now()
        free = dict.fromkeys(quotas, 0)
        spooled = Counter()
        for charge in [
            charge for entry in worker.spool if entry.id not in self.bank.entries for charge in entry.charges
        ]:
            spooled[charge.lease] += charge.amount
        for held in worker.purse._by_id.values():
            promised = reserved(worker.purse, held)
            if held.free < 0 or promised != held.reserved:
                self.broken(f"{worker.name} holds {held}")
            if mono >= held.ends_ns or held.quota not in quotas:
                continue
            free[held.quota] += held.free
            slip = slips.get(held.id)
            if slip is None or slip.expires_ns <= now:
                if self.now < self.ahead_until:
                    continue
                self.broken(f"{worker.name} believes that {held} lives")
            backed = slip.left - held.free - promised - spooled[held.id]
            # What it gave back may be on its way, or have met a clock that ended the lease for a while.
            if backed < 0 or (backed > 0 and held.given <= held.told and not self.undated_until):
                self.broken(f"{worker.name} holds {held} of {slip}")
        for quota, amount in free.items():
            self._see(worker.idle_seen, quota, amount)

    def look_at(self, worker, reservation):
        """What a call is admitted with is leased, alive, and of the windows in which it will count."""
        for hold in holds(reservation):
            quota, slip = self.bank.quotas.get(hold.quota), self.bank.slips.get(hold.lease)
            if hold.lease == UNLEASED and self.plan["calm"]:
                self.broken(f"{worker.name} admitted a call with {hold}, and nothing went wrong")
            if quota is None or hold.lease == UNLEASED:
                continue
            if slip is None or slip.expires_ns <= self.bank_now():
                if self.now < self.ahead_until:
                    continue
                self.broken(f"{worker.name} admitted a call with the dead {hold}")
            counts = windows.window_of(quota.window, reservation.at_ns)
            dated = self.now >= self.undated_until
            if dated and counts != slip.window_ns and not windows.is_rolling(quota.window):
                self.broken(f"{worker.name} admitted a call of {counts} with {slip}")

    def _see(self, seen, quota, amount):
        samples = seen.setdefault(quota, [])
        if not samples or samples[-1][1] != amount:
            samples.append((self.now, amount))

    def _lately(self, seen, quota):
        """The least that was seen in the last MISSED_NS."""
        least = None
        for when, amount in reversed(seen.get(quota, [])):
            least = amount if least is None else min(least, amount)
            if when <= self.now - MISSED_NS:
                return least
        return 0

    def refused(self, worker, waiting):
        """No refusal is false: what was free for a moment, here, at the bank and idle elsewhere, was too little."""
        quota_id, standing = waiting.outcome
        self.note(worker.name, "refuses", waiting.demands, waiting.outcome)
        if standing is None:
            self.happened["closed"] += 1
            if self.plan["calm"]:
                self.broken("the bank was thought to be away")
            return
        self.happened["refused"] += 1
        if quota_id not in self.bank.quotas or self.now - worker.trouble_ns < TROUBLE_NS:
            return
        amount = next(demand.amount for demand in waiting.demands if demand.quota.id == quota_id)
        # A limit may have been lowered, and the lease of another ended, since they were last looked at.
        self._see(self.free_seen, quota_id, self.bank.standing(quota_id, self.bank_now()).free)
        free = worker.purse.free(quota_id, worker.mono()) + self._lately(self.free_seen, quota_id)
        for other in self.workers:
            well = other.alive and self.now - other.trouble_ns >= TROUBLE_NS
            if other is not worker and well:
                self.look(other)
                free += self._lately(other.idle_seen, quota_id)
        if free >= amount:
            self.broken(f"{worker.name} refused {amount} of {quota_id} while {free} was free")

    # -- calls

    def call(self, worker, template, estimate):
        """A call comes to a worker, which demands of every quota that it knows and that covers it."""
        if not worker.alive or worker.paused_until > self.now:
            return
        template = template | {"id": f"{self._count:016x}", "at_ns": 0}
        known = Entry(**template)
        sizes = {"requests": 1, "parallel": 1, **estimate}
        demands = [Demand(quota, sizes[quota.unit]) for quota in worker.quotas if covers(quota, known)]
        worker.start(template, demands)

    def settled(self, purse, reservation, template):
        """How a call ended, and what its attempts settle with."""
        state = self.rng.choices(("complete", "failed", "cancelled", "retried"), (14, 2, 2, 2))[0]
        state = "complete" if self.plan.get("spends_all") else state
        reserved = {hold.unit: 0 for hold in holds(reservation)}
        for unit in reserved:
            by_quota = Counter()
            for hold in holds(reservation):
                by_quota[hold.quota] += hold.amount if hold.unit == unit else 0
            reserved[unit] = max(by_quota.values())
        entries = []
        if state == "retried":
            entries.append(self._entry(purse.draw, reservation, template, reserved, state=state, requests=1))
            state = "complete"
        entries.append(
            self._entry(purse.settle, reservation, template, reserved, state=state, requests=0 if entries else 1)
        )
        if purse.settle(reservation, {"nano_usd": 5}) != ():
            self.broken(f"{reservation} settled twice")
        self.billed.extend(entries)
        return entries

    def _entry(self, pay, reservation, template, reserved, *, state, requests):
        used = {"requests": requests}
        for unit in ("tokens", "nano_usd"):
            most = reserved.get(unit, 0 if self.plan["calm"] else 50) if requests or state == "complete" else 0
            most = most // 2 if state == "retried" or not requests else most
            used[unit] = 0 if state == "failed" else self.rng.randint(0, most)
            used[unit] = most if self.plan.get("spends_all") else used[unit]
            if self.happens("excess"):
                used[unit] += reserved.get(unit, 50) * 2
        charges = pay(reservation, used)
        for quota in {hold.quota: hold.unit for hold in holds(reservation) if hold.unit != "parallel"}.items():
            if sum(charge.amount for charge in charges if charge.quota == quota[0]) != used[quota[1]]:
                self.broken(f"{used} was charged as {charges}")
        number = f"{template['id']}-{state}-{requests}"
        details = {"tokens": "output_tokens", "nano_usd": "nano_usd", "requests": "requests"}
        usage = {details[unit]: amount for unit, amount in used.items()}
        return Entry(**template | usage | {"id": number, "state": state, "charges": charges})

    # -- the end

    def rest(self):
        """Nobody calls any more, everybody is well: nothing is held, so nobody can be refused for it."""
        if held := [slip for slip in self.bank.slips.values() if slip.left and slip.expires_ns > self.bank_now()]:
            self.broken(f"held by nobody's call: {held}")

    def close(self):
        """Every worker dies at once; its spool is delivered by the next; one lease time later nothing is left over."""
        self.stalled_until = 0
        for worker in self.workers:
            worker.alive = False
        spools = {id(worker.spool): worker.spool for worker in self.workers}
        late = Worker(self, "last", deque())
        for spool in spools.values():
            self.bank_does(late, "settle", [tuple(spool)])
        late.alive = False
        self.now += LEASE_NS
        now_of(self.bank.reap())
        if self.bank.slips:
            self.broken(f"leases leaked: {self.bank.slips}")
        if {entry.id for entry in self.billed} != set(self.bank.entries):
            self.broken("the ledger is not what was billed")
        for quota in self.bank.quotas.values():
            rows = self.bank.settled.get(quota.id, {})
            if rows != self.bank.derived(quota):
                self.broken(f"{quota.id} counts {rows}, its ledger says {self.bank.derived(quota)}")
