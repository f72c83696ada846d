"""Workers that spend from leases and settle through their spools, and are killed. Run by the tests of kills and of the race.

python spending_processes.py URL FOLDER WORKERS TASKS COUNT LEASE_SECONDS CALL_SECONDS: forks the workers, each of which makes COUNT
reservations in all its lives; a call takes up to so long. `kill N` on standing input kills worker N with SIGKILL and starts its next life; `tell` prints what
all have done, as JSON; `end` lets them finish, waits for them and prints it once more.
"""

import asyncio
import contextlib
import json
import mmap
import os
import random
import secrets
import signal
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from flyball.infra.db.database import Database
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.kit.clock import SystemClock
from flyball.kit.ids import new_span_id
from flyball.ledger import quota_store
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.line import Line, Refusal
from flyball.ledger.purse import Purse
from flyball.ledger.records import Demand, Entry, Reservation
from flyball.ledger.settling import SpooledEntries, deliver_entries

MOST_COST = 4
_NUMBERS = struct.Struct("<4Q")  # settled calls, their cost, refusals, lives that ended by a fault


class Shared:
    """What each worker has done, in memory that its death does not take along."""

    def __init__(self, workers):
        self._memory = mmap.mmap(-1, _NUMBERS.size * (workers + 1))
        self._workers = workers

    def of(self, worker):
        return _NUMBERS.unpack_from(self._memory, worker * _NUMBERS.size)

    def add(self, worker, *, calls=0, cost=0, refusals=0, faults=0):
        sums = [old + new for old, new in zip(self.of(worker), (calls, cost, refusals, faults), strict=True)]
        _NUMBERS.pack_into(self._memory, worker * _NUMBERS.size, *sums)

    def end(self):
        self.add(self._workers, calls=1)

    @property
    def ending(self):
        return self.of(self._workers)[0] > 0

    def told(self):
        rows = [self.of(worker) for worker in range(self._workers)]
        return dict(zip(("calls", "cost", "refusals", "faults"), map(sum, zip(*rows, strict=True)), strict=True))


class Spender:
    """One life of one worker: calls that reserve, happen and settle, and the loop that asks the bank for them."""

    def __init__(self, life, bank, spool, quotas):
        self._number, self._shared, self._count = life.number, life.shared, life.count
        self._call_seconds = life.call_seconds
        self._bank, self._quotas = bank, quotas
        self._name = f"worker-{life.number}-{secrets.token_hex(4)}"
        self._entries = SpooledEntries(spool)
        self._purse = Purse()
        self._line = Line(self._purse)
        self._asks, self._answered = asyncio.Event(), asyncio.Event()

    async def spend(self):
        while self._shared.of(self._number)[0] < self._count and not self._shared.ending:
            demands = [Demand(quota, MOST_COST if quota.unit == "nano_usd" else 1) for quota in self._quotas]
            outcome = self._line.join(demands, time.monotonic_ns())
            while not isinstance(outcome, Reservation | Refusal):
                self._asks.set()
                await self._answered.wait()
                outcome = outcome.outcome or outcome
            if isinstance(outcome, Refusal):
                self._shared.add(self._number, refusals=1)
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(random.choice((0, 0, self._call_seconds)))
            await self._settle(outcome)

    async def _settle(self, reservation):
        cost = random.randint(0, MOST_COST)
        charges = self._purse.settle(reservation, {"nano_usd": cost, "requests": 1})
        entry = Entry(
            id=new_span_id(),
            project="default",
            organisation="default",
            at_ns=reservation.at_ns,
            key_id="k",
            nano_usd=cost,
            charges=charges,
        )
        while not self._entries.append(entry):
            await asyncio.sleep(0.01)
        self._shared.add(self._number, calls=1, cost=cost)

    async def lend(self, every_ns):
        renewed_ns = 0
        while not asyncio.current_task().cancelling():  # waiting for a connection may swallow it
            await self._take()
            if time.monotonic_ns() - renewed_ns >= every_ns:
                renewed_ns = time.monotonic_ns()
                await self._renew(renewed_ns)
                await self._give_back()
            else:
                await self._give_back(recalled=True)
            self._answered.set()
            self._answered.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await self._asks.wait()
            self._asks.clear()
            await asyncio.sleep(0.001)  # who asks meanwhile shares the question

    async def close(self):
        await self._give_back(closing=True)

    async def _take(self):
        asked_ns = time.monotonic_ns()
        due_ns = self._line.due_ns()
        if due_ns is None or due_ns > asked_ns:
            return
        _, takes = self._line.takes(asked_ns)
        if takes:
            answers = await self._bank.take(self._name, takes)
            self._line.answered(answers, asked_ns=asked_ns, now_ns=time.monotonic_ns())

    async def _renew(self, asked_ns):
        if names := self._purse.renewable(asked_ns):
            leases = await self._bank.renew(self._name, names)
            self._purse.renewed(names, leases, asked_ns=asked_ns, now_ns=time.monotonic_ns())

    async def _give_back(self, **how):
        if back := self._purse.idle(time.monotonic_ns(), **how):
            await self._bank.give_back(self._name, back)
            self._purse.given_back(back)


class Life(NamedTuple):
    """Which worker it is of, and what it is to do."""

    number: int
    shared: Shared
    url: str
    folder: Path
    tasks: int
    count: int
    lease_seconds: float
    call_seconds: float


async def live(life):
    database = Database(life.url, most=1)
    await database.open()
    lease_ns = int(life.lease_seconds * 1e9)
    bank = PostgresBank(database, lease_ns=lease_ns, timeout_seconds=60)
    with Spool(life.folder, f"worker-{life.number}", capacity=1 << 20, slot_bytes=1 << 16) as spool:
        drain = Drain(spool, database, SystemClock(), deliver_entries)
        spender = Spender(life, bank, spool, await quotas_of(database))
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(drain.run()), group.create_task(spender.lend(lease_ns // 5))]
            await asyncio.gather(*(spender.spend() for _ in range(life.tasks)))
            for loop in loops:
                loop.cancel()
        await spender.close()
        assert await drain.finish(seconds=60)
        assert spool.dropped == 0
        assert drain.refused == 0
    await database.close()


async def quotas_of(database):
    async with database.connection() as connection:
        return await quota_store.every(connection)


def main():
    url, folder, workers, tasks, count, lease_seconds, call_seconds = sys.argv[1:]
    shared = Shared(int(workers))

    def begin(number):
        life = Life(
            number, shared, url, Path(folder), int(tasks), int(count), float(lease_seconds), float(call_seconds)
        )
        pid = os.fork()
        if pid == 0:
            random.seed()
            try:
                asyncio.run(live(life))
            except BaseException:  # noqa: BLE001 -- whatever it is, it is counted as a fault
                traceback.print_exc()
                shared.add(number, faults=1)
                os._exit(1)
            os._exit(0)
        return pid

    pids = [begin(number) for number in range(int(workers))]
    for line in sys.stdin:
        deed, *which = line.split()
        if deed == "kill":
            os.kill(pids[int(which[0])], signal.SIGKILL)
            os.waitpid(pids[int(which[0])], 0)
            pids[int(which[0])] = begin(int(which[0]))
        elif deed == "end":
            shared.end()
            while pids:
                os.waitpid(pids.pop(), 0)
        print(json.dumps(shared.told()), flush=True)  # noqa: T201 -- what the test waits for
    for pid in pids:  # whoever started us went away
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
