"""A gateway worker in small: appends spans to its spool, says so, and drains it. Started and killed by tests."""

import asyncio
import os
import sys
from pathlib import Path

from flyball.infra.db.database import Database
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.spool import Spool
from flyball.kit.clock import SystemClock
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.traces.records import Span
from flyball.traces.spooled import SpooledSpans, deliver_spans


async def main(folder: str, url: str) -> None:
    database = Database(url, most=2)
    await database.open()
    spool = Spool(Path(folder), "gateway-1", capacity=256 * 1024, slot_bytes=8 * 1024)
    clock = SystemClock()
    drain = asyncio.create_task(Drain(spool, database, clock, deliver_spans).run())
    kept = SpooledSpans(spool)
    os.write(1, b"ready\n")
    while not drain.done():
        for number in range(20):
            now = clock.now_ns()
            span = Span(
                trace_id=new_trace_id(),
                span_id=new_span_id(),
                name="call",
                project="default",
                start_ns=now,
                end_ns=now,
                input="x" * (number * 100),
            )
            if kept.append(span):
                os.write(1, f"{span.key}\n".encode())
        await asyncio.sleep(0.001)


asyncio.run(main(*sys.argv[1:]))
