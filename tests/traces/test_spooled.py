"""Spans in the gateway's spool: each reaches the inbox exactly once."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from flyball.infra.db.database import Database, fetch_all
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.kit.clock import SystemClock
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.traces.records import Span
from flyball.traces.spooled import SpooledSpans, deliver_spans


def a_span(**fields: object) -> Span:
    return Span(
        **{
            "trace_id": new_trace_id(),
            "span_id": new_span_id(),
            "name": "call",
            "project": "default",
            "start_ns": 1,
            "end_ns": 2,
        }
        | fields
    )


async def keys_in_inbox(database: Database) -> list[str]:
    async with database.connection() as connection:
        return [row["key"] for row in await fetch_all(connection, "select key from inbox order by id")]


async def test_what_is_appended_reaches_the_inbox_in_order(database: Database, tmp_path: Path) -> None:
    spans = [a_span(input="x" * size) for size in range(0, 50_000, 1_000)]
    with Spool(tmp_path, "gateway-1", capacity=1 << 22) as spool:
        drain, kept = Drain(spool, database, SystemClock(), deliver_spans), SpooledSpans(spool)
        for span in spans:
            assert kept.append(span)
        assert await drain.finish()

        assert await keys_in_inbox(database) == [span.key for span in spans]
        assert spool.waiting_bytes == 0
    assert not list(tmp_path.rglob("*.spool"))


async def test_a_span_that_the_inbox_refuses_is_set_aside_and_the_others_pass(
    database: Database, tmp_path: Path
) -> None:
    spans = [a_span(project="nobody" if number == 7 else "default") for number in range(20)]
    with Spool(tmp_path, "gateway-1", capacity=1 << 16) as spool:
        drain, kept = Drain(spool, database, SystemClock(), deliver_spans), SpooledSpans(spool)
        for span in spans:
            kept.append(span)
        assert await drain.finish()

        assert await keys_in_inbox(database) == [span.key for span in spans if span.project == "default"]
        assert drain.refused == 1
        assert b"violates foreign key" in (tmp_path / "gateway-1" / "refused.jsonl").read_bytes()


async def test_killing_the_process_at_random_moments_loses_and_doubles_nothing(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    chance = random.Random(7)
    acknowledged: list[str] = []
    for _ in range(8):
        acknowledged += await asyncio.to_thread(produce_until_killed, tmp_path, database_url, chance.uniform(0, 0.4))
    with Spool(tmp_path, "gateway-1", capacity=1 << 16) as spool:
        assert await Drain(spool, database, SystemClock(), deliver_spans).finish()
    found = await keys_in_inbox(database)

    assert len(acknowledged) > 500
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))
    assert len(found) - len(acknowledged) <= 8  # at most one per kill was kept and not yet acknowledged


def produce_until_killed(folder: Path, url: str, seconds: float) -> list[str]:
    command = [sys.executable, str(Path(__file__).with_name("spool_producer.py")), str(folder), url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    timer = threading.Timer(seconds, process.send_signal, (signal.SIGKILL,))
    timer.start()
    lines = process.stdout.read().split("\n")
    process.stdout.close()
    process.wait()
    timer.join()
    return [line for line in lines if len(line) == 49]


def test_what_the_gateway_imports_of_this_room_is_light() -> None:
    modules = ("records", "inbox", "spooled", "errors")
    program = f"import sys, {', '.join(f'flyball.traces.{name}' for name in modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    assert loaded.isdisjoint({"pyarrow", "duckdb", "lancedb", "deltalake", "fastapi", "dbos", "numpy"})
