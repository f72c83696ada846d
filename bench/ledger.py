"""What budgets, limits and the ledger add to a call: processor time of admitting and settling it, against 60 us.

python bench/ledger.py [--calls 20000] [--out bench/results/ledger.json]

One worker's till over the embedded PostgreSQL, with its spool and its drain, as a gateway worker has them. A call falls under as
many quotas as the row says (money, tokens, requests and parallel calls on key, project and model); it is admitted, billed as one
attempt, settled, and its entry is kept in the spool. `delivery` is the processor time for bringing an entry to PostgreSQL, which a worker's
courier spends and no call waits for; `database` is that of PostgreSQL's processes meanwhile, in ticks of 10 ms.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flyball.gateway.bill import Called, entries_of
from flyball.gateway.choose import ModelRoute
from flyball.gateway.expecting import Expectations
from flyball.gateway.record import Attempt
from flyball.gateway.snapshot import KnownModel
from flyball.infra.db.database import Database
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.kit.clock import SystemClock
from flyball.ledger import quota_store
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.cover import Cover
from flyball.ledger.lender import Lender
from flyball.ledger.records import Quota
from flyball.ledger.settling import SpooledEntries, deliver_entries
from flyball.llm.translation import dialect
from flyball.llm.usage import Usage
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.pricing import cost
from flyball.models.records import Prices
from flyball.projects.key_records import ActiveKey

LIMIT_US = 60.0
COUNTS = (0, 1, 4, 12)
UNITS = ("nano_usd", "tokens", "requests", "parallel")
PLACES = (("key", "key_1"), ("project", ""), ("model", "fast"))
BODY = b'{"model": "fast", "max_tokens": 200, "messages": [{"role": "user", "content": "Why does a governor hunt?"}]}'
ROUNDS = 9


def quotas(count: int) -> list[Quota]:
    """So many of the twelve that three places and four units make."""
    made = [(unit, place) for place in PLACES for unit in UNITS][:count]
    return [
        Quota(
            id=f"quota_{count}_{number}", organisation="org_default", project="default", unit=unit, scope_kind=kind,
            scope=scope, amount=10**15 if unit != "parallel" else 1_000, window="total" if unit == "parallel" else "month",
        )
        for number, (unit, (kind, scope)) in enumerate(made)
    ]  # fmt: skip


async def measure(calls: int) -> list[dict[str, Any]]:
    """A row per number of quotas."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", Path(folder) / "run", durable=False)
        database = Database(server.start(), most=3)
        try:
            await database.open()
            await migrate(database)
            return [await row(server, database, Path(folder), count, calls) for count in COUNTS]
        finally:
            await database.close()
            server.stop()


async def row(server: EmbeddedPostgres, database: Database, folder: Path, count: int, calls: int) -> dict[str, Any]:
    """What one call takes that falls under so many quotas."""
    declared = quotas(count)
    async with database.owner_connection() as connection:
        found = await (await connection.execute("select organisation from projects where id = 'default'")).fetchone()
        organisation = found["organisation"] if found else ""
        for quota in declared:
            await quota_store.insert(connection, in_organisation(quota, organisation))
    clock = SystemClock()
    with Spool(folder / "spool", f"ledger-{count + 1}", capacity=256 * 1024 * 1024) as spool:
        drain = Drain(spool, database, clock, deliver_entries)
        lender = Lender(PostgresBank(database), SpooledEntries(spool), clock, f"bench-{count}")
        async with lender.at_work():
            made = [in_organisation(quota, organisation) for quota in declared]
            await serve(lender, made, organisation, 200)  # leases come, expectations settle
            took = [await serve(lender, made, organisation, calls // ROUNDS) for _ in range(ROUNDS)]
            began, began_there = time.process_time(), seconds_of(server)
            while spool.waiting_bytes:
                await drain.move()
            delivery = (time.process_time() - began) * 1e6 / drain.delivered
            there = (seconds_of(server) - began_there) * 1e6 / drain.delivered
    async with database.owner_connection() as connection:
        for quota in declared:
            await quota_store.remove(connection, quota.id, clock.now_ns())
    return {
        "quotas": count,
        "us": statistics.median(took),
        "best_us": min(took),
        "delivery_us": delivery,
        "database_us": there,
    }


def seconds_of(server: EmbeddedPostgres) -> float:
    """Processor time of the server's processes, as Linux tells it, and of those that have ended."""
    ticks = 0
    for told in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended
            of = told.read_text().rpartition(")")[2].split()
            ticks += int(of[11]) + int(of[12]) if int(of[1]) == server.pid else 0
            ticks += int(of[13]) + int(of[14]) if told.parent.name == str(server.pid) else 0
    return ticks / os.sysconf("SC_CLK_TCK")


async def serve(lender: Lender, declared: Sequence[Quota], organisation: str, calls: int) -> float:
    """Microseconds of processor time for a call."""
    endpoint = ResolvedEndpoint("openai-compatible", "http://127.0.0.1:1/v1", "m", None, 1.0)
    prices = Prices(input="0.15", output="0.60")
    route = ModelRoute(KnownModel(name="fast", version=1, hash="h", endpoints=(endpoint,), prices=prices), (endpoint,))
    caller = ActiveKey(hash=b"", id="key_1", project="default", name="bench", permissions=frozenset({"gateway.call"}))
    asked, expectations = dialect("openai_chat").ask(BODY), Expectations()
    usage = Usage(input_tokens=11, output_tokens=9)
    cover = Cover.of(declared)
    began = time.process_time()
    for number in range(calls):
        amounts = expectations.of("default", route, asked).amounts(cover)
        reservation = lender.at_once(cover, amounts) or await lender.admit(cover.demands(amounts))
        called = Called(
            caller=caller, organisation=organisation, at_ns=reservation.at_ns or time.time_ns(), trace_id=f"{number:032x}",
            span_id=f"{number:016x}", tags=(),
        )  # fmt: skip
        attempt = Attempt(endpoint, called.at_ns)
        attempt.usage, attempt.cost, attempt.answered = usage, cost(usage, prices), True
        entries = entries_of(called, route, [attempt], ())
        lender.settle(reservation, entries)
        expectations.learn("default", route, entries)
    return (time.process_time() - began) * 1e6 / calls


def in_organisation(quota: Quota, organisation: str) -> Quota:
    """The quota in the organisation that there is."""
    return Quota(**{name: getattr(quota, name) for name in Quota.__struct_fields__} | {"organisation": organisation})


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "ledger.json")
    options = parser.parse_args()
    rows = asyncio.run(measure(options.calls))
    print(f"{'quotas':>8}{'us a call':>12}{'of limit':>10}{'best':>8}{'delivery us':>13}{'database us':>13}")
    for found in rows:
        print(
            f"{found['quotas']:8}{found['us']:12.1f}{found['us'] / LIMIT_US:10.0%}{found['best_us']:8.1f}{found['delivery_us']:13.1f}{found['database_us']:13.1f}"
        )
    machine = {"when": time.strftime("%Y-%m-%d %H:%M:%S%z"), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine, "limit_us": LIMIT_US, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
