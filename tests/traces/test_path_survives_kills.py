"""The whole way of a span, from a worker's spool to the table, while both of its processes are killed again and again."""

import asyncio
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

from flyball.infra.context import Context
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.traces.flusher import Flusher
from flyball.traces.spooled import deliver_spans
from flyball.traces.tables import SPANS

KILLS = 6


def run_and_kill(script: str, arguments: list[str], seconds: list[float]) -> list[str]:
    """Start the process, kill it after each of the times; everything that it said."""
    said: list[str] = []
    for wait in seconds:
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        timer = threading.Timer(wait, process.send_signal, (signal.SIGKILL,))
        timer.start()
        said += process.stdout.read().split("\n")
        process.stdout.close()
        process.wait()
        timer.join()
    return said


async def test_every_acknowledged_span_is_in_the_table_once_though_everybody_was_killed(
    ctx: Context, database_url: str
) -> None:
    chance = random.Random(23)
    spool, data = str(ctx.layout.spool), str(ctx.layout.root)
    moments = [[chance.uniform(0, 0.7) for _ in range(KILLS)] for _ in range(2)]
    said, _ = await asyncio.gather(
        asyncio.to_thread(run_and_kill, "spool_producer.py", [spool, database_url], moments[0]),
        asyncio.to_thread(run_and_kill, "flusher_process.py", [data, database_url], moments[1]),
    )
    acknowledged = [line for line in said if len(line) == 49]
    with Spool(ctx.layout.spool, "gateway-1", capacity=1 << 16) as rest:
        assert await Drain(rest, ctx.db, ctx.clock, deliver_spans).finish()
    assert await Flusher(ctx).finish()
    rows = ctx.lake.query("select trace_id || '/' || span_id as key from spans", tables=(SPANS,))
    found = [row["key"] for row in rows]

    assert len(acknowledged) > 200
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found)) <= len(acknowledged) + KILLS
