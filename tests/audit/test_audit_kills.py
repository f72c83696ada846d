"""SIGKILL in the middle of appends, checkpoints, pruning and sending, again and again: every chain verifies after each."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyball.audit.noted import last_noted, noted_checkpoints
from flyball.audit.sealing import note_new, seal
from flyball.audit.verifying import verify
from flyball.infra.context import Context
from flyball.infra.db.database import execute, fetch_all

BUSY = Path(__file__).with_name("busy_process.py")
PROJECTS = ("default", "p")


@pytest.mark.timeout(300)
async def test_every_chain_verifies_after_each_of_20_kills(ctx, database_url, tmp_path):
    await kill_again_and_again(ctx, database_url, tmp_path, kills=20)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_every_chain_verifies_after_each_of_300_kills(ctx, database_url, tmp_path):
    await kill_again_and_again(ctx, database_url, tmp_path, kills=300)


async def kill_again_and_again(ctx: Context, url: str, folder: Path, *, kills: int) -> None:
    async with ctx.db.across_projects().connection() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('p', 'default', 'p', 'p', 1)",
        )
    acknowledged = folder / "acknowledged"
    chance = random.Random(20261121)
    command = [sys.executable, str(BUSY), url, str(ctx.layout.root), str(acknowledged)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as busy:  # noqa: ASYNC220 -- it is the test that waits for it
        for number in range(kills):
            size = acknowledged.stat().st_size if acknowledged.exists() else 0
            busy.stdin.write("go\n")
            busy.stdin.flush()
            pid = int(busy.stdout.readline())
            await first_append(acknowledged, size)
            await asyncio.sleep(chance.uniform(0.0, 0.8))
            os.kill(pid, signal.SIGKILL)
            assert busy.stdout.readline() == "killed\n", f"it ended by itself before kill {number + 1}"
            await check(ctx, acknowledged, f"after kill {number + 1}")
        busy.stdin.close()
    await check_that_everything_happened(ctx)


async def first_append(acknowledged: Path, size: int) -> None:
    deadline = time.monotonic() + 60
    while not acknowledged.exists() or acknowledged.stat().st_size <= size:
        assert time.monotonic() < deadline, "nothing was appended"
        await asyncio.sleep(0.005)


async def check(ctx: Context, acknowledged: Path, when: str) -> None:
    lines = [line.split() for line in acknowledged.read_text().splitlines()]
    for project in PROJECTS:
        found = await verify(ctx.within(project, ctx.actor))
        last = max((int(seq) for name, seq in lines if name == project), default=0)
        assert found.ok, f"{when}, {project}: {found.finding}"
        assert found.head.seq >= last, f"{when}, {project}: event {last} was acknowledged and is not there"


async def check_that_everything_happened(ctx: Context) -> None:
    """The kills met a process that did all it should, and what they cut off is made up for."""
    await note_new(ctx)
    noted = last_noted(ctx.layout)
    for project in PROJECTS:
        mine = ctx.within(project, ctx.actor)
        await seal(mine)
        found = await verify(mine)
        assert found.ok, found.finding
        assert found.begins_at > 1  # it was pruned
        assert found.checkpoints > 5
        assert found.signed_up_to == found.head.seq
        assert noted[project] >= 5
        row = noted_checkpoints(ctx.layout, project)
        assert [each.number for each in row] == list(range(1, len(row) + 1))
    async with ctx.db.across_projects().connection() as connection:
        rows = await fetch_all(connection, "select project, seq from audit_sinks where sent_ns is not null")
        assert {row["project"] for row in rows} == set(PROJECTS)
        orphans = await fetch_all(
            connection,
            "select 1 from audit_events e where not exists "
            "(select from audit_salts s where s.project = e.project and s.seq = e.seq)",
        )
        assert orphans == []
