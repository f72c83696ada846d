"""A process that appends to two chains, signs them, prunes them and sends them on, until it is killed. Run by test_audit_kills.

python busy_process.py DATABASE_URL DATA ACKNOWLEDGED: for every line on standard input it forks a worker that begins, and
prints its process id; what a worker was told is committed stands in the file ACKNOWLEDGED, a line each.
"""

import asyncio
import os
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from flyball.app import build_context
from flyball.audit import service
from flyball.audit.pruning import prune
from flyball.audit.sealing import seal
from flyball.audit.streaming import Streamer
from flyball.infra.context import Context
from flyball.settings import Settings

LONG_AGO_NS = 300 * 86_400 * 1_000_000_000
PROJECTS = ("default", "p")


class LongAgo:
    """The time 300 days ago, so that what is recorded may be pruned at once."""

    def now_ns(self) -> int:
        return time.time_ns() - LONG_AGO_NS

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class Swallowing:
    """A sink that takes everything."""

    name = "swallowing"

    async def send(self, _project, _lines) -> None:
        await asyncio.sleep(0.001)


async def append(ctx: Context, acknowledged: int) -> None:
    then = replace(ctx, clock=LongAgo())
    while True:
        async with ctx.db.transaction() as connection:
            event = await service.record(
                connection, then, action="keys.create", object_kind="key", object_id="k", after={"n": 1}
            )
        os.write(acknowledged, f"{ctx.project} {event.seq}\n".encode())


async def repeat(deed, ctx: Context, longest: float) -> None:
    while True:
        await asyncio.sleep(random.uniform(0, longest))
        await deed(ctx)


async def work(url: str, data: str, acknowledged: Path) -> None:
    settings = Settings(data=data, database_url=url, audit_retention_days=180)
    file = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with build_context(settings, process="busy") as ctx, asyncio.TaskGroup() as group:
        sink = Swallowing()
        streamer = Streamer(ctx, [sink])
        for project in PROJECTS:
            mine = ctx.within(project, ctx.actor)
            group.create_task(append(mine, file))
            group.create_task(repeat(seal, mine, 0.02))
            group.create_task(repeat(prune, mine, 0.05))
        group.create_task(repeat(lambda _: streamer.deliver(sink), ctx, 0.05))


def main() -> None:
    url, data, acknowledged = sys.argv[1:]
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            random.seed()
            asyncio.run(work(url, data, Path(acknowledged)))
        print(pid, flush=True)  # noqa: T201 -- what the test waits for
        _, status = os.waitpid(pid, 0)
        print("killed" if os.WIFSIGNALED(status) else f"ended {status}", flush=True)  # noqa: T201 -- likewise


if __name__ == "__main__":
    main()
