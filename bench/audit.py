"""How fast an audit chain verifies: an export offline, and the same events in the database; what an append costs.

Prints events per second against the goal and against bare SHA-256 of the same bytes, which is the limit, and writes
bench/results/audit.json. Wall time, one core for the checker; the database's own work is on another one where there is one.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from flyball.app import build_context
from flyball.audit import service, sink_store, store, verifying
from flyball.audit.chain import Marked, canonical, chained, merkle_root
from flyball.audit.checkpoints import Stood, make
from flyball.audit.exporting import export
from flyball.audit.offline import verify_file
from flyball.audit.records import Event, Wanted
from flyball.audit.signing import signing_key
from flyball.infra.context import Context
from flyball.infra.db.database import Database, execute, fetch_one
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.settings import Settings

RESULTS = Path(__file__).parent / "results" / "audit.json"
GOAL = 500_000.0
EVERY = 1_000  # events between checkpoints


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.events, options.runs))
    for name, value in figures.items():
        against = f"  goal {GOAL:,.0f}/s  ratio {value / GOAL:.2f}" if name.startswith("verify") else ""
        print(f"{name:56} {value:14,.1f}{against}")
    machine = {"when": time.strftime("%Y-%m-%d %H:%M:%S%z"), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    RESULTS.parent.mkdir(exist_ok=True)
    told = {"machine": machine, "events": options.events, "figures": figures, "goal": GOAL}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")


async def measure(events: int, runs: int) -> dict[str, float]:
    """Every figure, by name."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", Path(folder) / "run", durable=False)
        settings = Settings(data=folder, database_url=server.start())
        try:
            database = Database(settings.database_url, most=2)
            await database.open()
            await migrate(database)
            await database.close()
            async with build_context(settings, process="bench") as ctx:
                return await measure_chain(ctx, events, runs)
        finally:
            server.stop()


async def measure_chain(ctx: Context, events: int, runs: int) -> dict[str, float]:
    """What is measured over one chain of so many events with a checkpoint every thousand."""
    figures = {"append, ms per event (one after the other)": await appends(ctx)}
    sizes = await fill(ctx, events)
    path = ctx.layout.root / "export.jsonl"
    begun = time.perf_counter()
    with path.open("wb") as file:
        async for part in await export(ctx):
            file.write(part)
    figures["export, events/s"] = events / (time.perf_counter() - begun)
    found = verify_file(path)
    assert found.ok, found.finding  # noqa: S101 -- a benchmark of something else would be worse than none
    assert (await verifying.verify(ctx)).ok  # noqa: S101 -- likewise
    walls, processor = timed(lambda: verify_file(path), runs)
    figures["verify a file offline, events/s"] = found.events / min(walls)
    figures["verify a file offline, median, events/s"] = found.events / statistics.median(walls)
    figures["verify a file offline, by processor time, events/s"] = found.events / min(processor)
    walls, processor = [], []
    for _ in range(runs):
        begun, worked = time.perf_counter(), time.process_time()
        await verifying.verify(ctx)
        walls.append(time.perf_counter() - begun)
        processor.append(time.process_time() - worked)
    figures["verify the database, events/s"] = found.events / min(walls)
    figures["verify the database, median, events/s"] = found.events / statistics.median(walls)
    figures["verify the database, by our processor time, events/s"] = found.events / min(processor)
    _, bare = timed(lambda: bare_hashing(sizes), runs)
    figures["limit: bare SHA-256 of as many bytes, by processor time"] = sizes[0] / min(bare)
    figures |= await lists(ctx, runs)
    return figures


def timed(deed: Callable[[], object], runs: int) -> tuple[list[float], list[float]]:
    """Wall and processor seconds of each run."""
    walls, processor = [], []
    for _ in range(runs):
        begun, worked = time.perf_counter(), time.process_time()
        deed()
        walls.append(time.perf_counter() - begun)
        processor.append(time.process_time() - worked)
    return walls, processor


def bare_hashing(sizes: tuple[int, int]) -> None:
    """As many hashes over as many bytes, and nothing else."""
    many, size = sizes
    data, sha256 = b"x" * (size + 32), hashlib.sha256
    for _ in range(many):
        sha256(data).digest()


async def appends(ctx: Context, many: int = 300) -> float:
    """Milliseconds of one audited transaction."""
    begun = time.perf_counter()
    for number in range(many):
        async with ctx.db.transaction() as connection:
            await service.record(
                connection, ctx, action="keys.create", object_kind="key", object_id=f"key_{number}", after={"n": number}
            )
    return (time.perf_counter() - begun) * 1000 / many


async def fill(ctx: Context, events: int) -> tuple[int, int]:
    """A chain of so many events, written at once; how many, and the bytes of one."""
    key, at_ns = signing_key(ctx.layout), ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        seq, previous = await store.lock_head(connection, ctx.project)
    first = await service.show_event(ctx, seq)
    hashes: list[bytes] = []
    before: Marked | None = None
    since = 0
    async with ctx.db.owner_connection() as connection:
        rows = await connection.execute("select hash from audit_events order by seq")
        hashes += [bytes(row["hash"]) for row in await rows.fetchall()]
        marks = []
        async with (
            connection.cursor() as cursor,
            cursor.copy("copy audit_events (project, seq, canonical, hash) from stdin") as copy,
        ):
            for number in range(seq + 1, events + 1):
                event = made_like(first, number, at_ns)
                previous = chained(previous, event)
                hashes.append(previous)
                await copy.write_row((ctx.project, number, canonical(event).decode(), previous))
                if number % EVERY == 0 or number == events:
                    root = merkle_root(hashes[since:]).hex()
                    stood = Stood("checkpoint", since + 1, number, previous, root, at_ns)
                    body, signature = make(key, ctx.project, before, stood, at_ns=at_ns)
                    before = Marked(before.number + 1 if before else 1, body.decode(), signature.hex())
                    marks.append((before.number, body, signature))
                    since = number
        for number, body, signature in marks:
            await store.add_checkpoint(connection, ctx.project, number, body, signature)
        await execute(connection, "update audit_heads set seq = %s, hash = %s", events, previous)
    async with ctx.db.owner_connection() as connection:
        await execute(connection, "vacuum analyze audit_events")
    return events, len(canonical(first))


def made_like(event: Event, seq: int, at_ns: int) -> Event:
    """Another event of about the same size."""
    names = ("ada", "maria", "robin", "lin")
    actions = ("keys.create", "releases.approve", "datasets.import", "sessions.create", "traces.read")
    return msgspec.structs.replace(
        event,
        seq=seq,
        at_ns=at_ns + seq,
        mono_ns=seq,
        actor_name=names[seq % 4],
        action=actions[seq % 5],
        object_id=f"key_{seq % 1000}",
        request_id=f"{seq:026}",
    )


async def lists(ctx: Context, runs: int) -> dict[str, float]:
    """Milliseconds of the questions behind the page."""
    asked = {
        "newest": Wanted(),
        "by who": Wanted(actor="maria"),
        "by a name that nobody has": Wanted(actor="nobody"),
        "by action": Wanted(action="releases.approve"),
        "by object": Wanted(object_kind="key", object_id="key_77"),
        "by a stretch of time": Wanted(from_ns=1, until_ns=2),
    }
    found = {}
    for name, wanted in asked.items():
        walls = []
        for _ in range(runs):
            begun = time.perf_counter()
            await service.list_events(ctx, wanted=wanted)
            walls.append(time.perf_counter() - begun)
        found[f"list {name}, ms"] = statistics.median(walls) * 1000
    async with ctx.db.connection() as connection:
        assert await sink_store.cursors(connection, ctx.project) == {}  # noqa: S101 -- nothing is sent meanwhile
        row = await fetch_one(connection, "select pg_total_relation_size('audit_events') as bytes")
    found["kept per event, bytes"] = (row["bytes"] if row else 0) / (await service.list_events(ctx)).items[0].seq
    return found


if __name__ == "__main__":
    main()
