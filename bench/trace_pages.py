"""How long the questions behind the trace pages take on 100,000 traces (300,000 spans), and what the way there carries.

python bench/trace_pages.py [--traces 100000] [--out bench/results/trace_pages.json]

Server time: the verb and its answer as JSON, in one process, on an embedded PostgreSQL and local tables. The tables are as a
running flyball has them: compacted files, a tail of small ones, and a head of spans that still wait in the inbox.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil

from flyball.infra.blobs.store import Blobs
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Database
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.infra.lake.lake import Lake
from flyball.infra.layout import Layout
from flyball.infra.secrets.keyring import Keyring
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.kit.clock import SystemClock
from flyball.kit.paging import encode_cursor
from flyball.llm.usage import Usage
from flyball.settings import Settings
from flyball.traces import service
from flyball.traces.flusher import Flusher
from flyball.traces.records import Span, TraceFilter
from flyball.traces.spooled import SpooledSpans, deliver_spans
from flyball.traces.tables import PAYLOADS, SPANS, store_span

SECOND = 1_000_000_000
BATCH = 5_000
TAIL = 40  # small files that compaction has not joined yet
HEAD = 600  # spans that wait in the inbox: half a second at more than a thousand a second
WORDS = [f"{number:x}" for number in random.Random(1).choices(range(16, 1 << 24), k=4_000)]  # noqa: S311 -- words, no secrets


def spans_of(number: int, start_ns: int, chance: random.Random) -> list[Span]:
    """A call of a function as the gateway records it: its own span, the variant's, a retrieval."""
    trace_id, root_id, variant_id = (f"{chance.getrandbits(bits):0{bits // 4}x}" for bits in (128, 64, 64))
    names = {
        "trace_id": trace_id,
        "project": "default",
        "function": chance.choice(("ask-stdlib", "triage", "summarise")),
        "variant": chance.choice(("rules", "small")),
        "variant_hash": "sha256:" + "0" * 64,
        "release": f"rel_{number // 20_000}",
    }

    def text(most: int) -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(5, most)))

    failed = chance.random() < 0.02
    end_ns = start_ns + chance.randint(SECOND // 100, SECOND)
    question, answer = text(20), text(90)
    return [
        Span(
            span_id=root_id,
            name="chat ask",
            kind="gateway",
            kind_otel="server",
            start_ns=start_ns,
            end_ns=end_ns,
            status="error" if failed else "ok",
            input=question,
            output=answer,
            attributes={"key": "app", "stream": False, "release_hash": "sha256:" + "1" * 64},
            **names,
        ),
        Span(
            span_id=variant_id,
            parent_id=root_id,
            name="ask / rules",
            kind="variant",
            start_ns=start_ns + 1_000,
            end_ns=end_ns,
            status="ok",
            input=question,
            output=answer,
            usage=Usage(input_tokens=chance.randint(10, 900), output_tokens=chance.randint(10, 300)),
            cost_nano_usd=chance.randint(0, 10**6),
            attributes={
                "passages": [{"chunk_id": f"doc#{n}", "score": 1.5, "start": n, "end": n + 900} for n in range(5)]
            },
            **names,
        ),
        Span(
            span_id=f"{chance.getrandbits(64):016x}",
            parent_id=variant_id,
            name="retrieve stdlib",
            kind="retrieval",
            start_ns=start_ns + 2_000,
            end_ns=start_ns + 9_000_000,
            status="ok",
            input=question,
            output=text(20),
            **names,
        ),
    ]


async def fill(ctx: Context, traces: int) -> list[str]:
    """The tables and the inbox; some ids of traces."""
    chance, now_ns, rows, payloads, ids, number = random.Random(2), ctx.clock.now_ns(), [], [], [], 0  # noqa: S311
    step = 86_400 * SECOND // traces  # a day of them
    waiting: list[Span] = []
    small = (HEAD // 3, TAIL * 100)
    batch_number = 0

    def write() -> None:
        nonlocal batch_number, rows, payloads
        batch_number += 1
        ctx.lake.append(PAYLOADS, payloads, writer="bench", sequence=batch_number)
        ctx.lake.append(SPANS, rows, writer="bench", sequence=batch_number)
        rows, payloads = [], []

    for number in range(traces):
        spans = spans_of(number, now_ns - (traces - number) * step, chance)
        if number % (traces // 20) == 0:
            ids.append(spans[0].trace_id)
        if number >= traces - small[0]:
            waiting += spans
            continue
        stored = [store_span(span) for span in spans]
        rows += [each.row for each in stored]
        payloads += [payload for each in stored for payload in each.payloads]
        tail = number >= traces - small[0] - small[1]
        if len(rows) >= (300 if tail else BATCH):
            write()
        if number == traces - small[0] - small[1] - 1:
            for table in (SPANS, PAYLOADS):
                ctx.lake.compact(table, keep_hours=0)
    write()
    await service.take_spans(ctx, waiting)
    return ids


async def ask_all(ctx: Context, ids: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Every question some times, in turn."""
    newest = ctx.clock.now_ns()
    deep = encode_cursor(newest - 12 * 3600 * SECOND, "")
    listed = service.list_traces
    questions: dict[str, Callable[[int], Awaitable[Any]]] = {
        "list, newest 50": lambda _: listed(ctx),
        "list, 50 from the middle": lambda _: listed(ctx, cursor=deep),
        "list, one function": lambda _: listed(ctx, TraceFilter(function="triage")),
        "list, failed": lambda _: listed(ctx, TraceFilter(status="error")),
        "list, failed of one function": lambda _: listed(ctx, TraceFilter(status="error", function="triage")),
        "list, an old release": lambda _: listed(ctx, TraceFilter(release="rel_0")),
        "list, no match": lambda _: listed(ctx, TraceFilter(function="nothing")),
        "list, a frequent text": lambda _: listed(ctx, TraceFilter(text=WORDS[7])),
        "list, a text that nothing has": lambda _: listed(ctx, TraceFilter(text="zzzqq")),
        "list, the last hour": lambda _: listed(ctx, TraceFilter(since_ns=newest - 3600 * SECOND)),
        "one trace as a tree": lambda round_: service.get_trace(ctx, ids[round_ % len(ids)]),
        "counts": lambda _: service.count_traces(ctx),
        "scores, newest 50": lambda _: service.list_scores(ctx),
    }
    walls: dict[str, list[float]] = {name: [] for name in questions}
    processors: dict[str, list[float]] = {name: [] for name in questions}
    for round_ in range(rounds + 1):
        for name, question in questions.items():
            start, processor = time.perf_counter(), time.process_time()
            msgspec.json.encode(await question(round_))
            if round_:  # the first round opens files and warms up
                walls[name].append((time.perf_counter() - start) * 1_000)
                processors[name].append((time.process_time() - processor) * 1_000)
    return {
        name: {
            "median_ms": statistics.median(walls[name]),
            "p95_ms": sorted(walls[name])[int(rounds * 0.95)],
            "cpu_ms": statistics.median(processors[name]),  # says the same on a machine that is busy with other things
        }
        for name in questions
    }


async def carry(ctx: Context, spans: int) -> dict[str, float]:
    """Spans from the spool through the inbox into the tables: how long each part takes."""
    chance = random.Random(3)  # noqa: S311 -- a load, no secrets
    made = [span for n in range(spans // 3) for span in spans_of(n, ctx.clock.now_ns(), chance)]
    with Spool(ctx.layout.spool, "bench", capacity=256 * 1024 * 1024) as spool:
        start = time.perf_counter()
        spooled = SpooledSpans(spool)
        kept = sum(spooled.append(span) for span in made)
        appended = time.perf_counter()
        await Drain(spool, ctx.db, ctx.clock, deliver_spans).finish(seconds=300)
        drained = time.perf_counter()
        flusher = Flusher(ctx)
        await flusher.finish(seconds=300)
        flushed = time.perf_counter()
    return {
        "spans": kept,
        "append_us": (appended - start) / kept * 1e6,
        "drain_per_second": kept / (drained - appended),
        "flush_per_second": (kept + HEAD) / (flushed - drained),
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="flyball-bench-") as folder:
        layout = Layout(Path(folder))
        layout.create()
        server = EmbeddedPostgres(layout.postgres, layout.sockets)
        database = Database(server.start())
        try:
            await database.open()
            await migrate(database)
            ctx = Context(
                db=database,
                lake=Lake(layout.lake.as_uri()),
                blobs=Blobs(layout.blobs.as_uri()),
                layout=layout,
                clock=SystemClock(),
                settings=Settings(data=folder),
                keyring=Keyring(Settings(data=folder), layout, SystemClock()),
                project="default",
                actor=Actor(id="system:bench", kind="system", name="bench"),
            )
            ids = await fill(ctx, options.traces)
            files = len(ctx.lake.files(SPANS))
            questions = await ask_all(ctx, ids, options.rounds)
            size = sum(path.stat().st_size for path in layout.lake.rglob("*.parquet"))
            memory = psutil.Process().memory_info().rss / 1e6
            way = await carry(ctx, 30_000)
        finally:
            await database.close()
            server.stop()
    table = {"traces": options.traces, "files": files, "waiting_spans": HEAD, "parquet_mb": size / 1e6}
    return {"machine": machine(), "tables": table, "memory_mb": memory, "questions": questions, "way": way}


def machine() -> dict[str, Any]:
    """Where this was measured, and how busy it was with other things."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M:%S%z"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "trace_pages.json")
    options = parser.parse_args()
    found = asyncio.run(run(options))
    for name, row in found["questions"].items():
        print(
            f"{name:32} median {row['median_ms']:6.1f} ms   p95 {row['p95_ms']:6.1f} ms   cpu {row['cpu_ms']:6.1f} ms"
        )
    print(*(f"{name} {value:,.1f}" for name, value in (found["tables"] | found["way"]).items()), sep=", ")
    print(f"load of the machine {found['machine']['load']:.1f} on {found['machine']['cores']} cores")
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
