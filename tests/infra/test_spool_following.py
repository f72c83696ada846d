"""A spool that one process appends to and another delivers, with nothing between them but the file."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.infra.db.database import Connection, Database, execute, fetch_all
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.following import FollowedSpool
from flyball.infra.spool.spool import Spool, spool_name
from flyball.infra.spool.spool_file import SpoolFile
from flyball.kit.clock import SystemClock

EVERYTHING = {"most_records": 10**6, "most_bytes": 10**9}
APPENDS = """
import sys
from pathlib import Path
from flyball.infra.spool.spool_file import SpoolFile

file = SpoolFile.create(Path(sys.argv[1]), capacity=16 * 4096, slot_bytes=4096)
print("ready", flush=True)
for number in range(int(sys.argv[2])):
    while not file.append(b"%d " % number * (number % 700)):
        pass
"""


@given(sizes=st.lists(st.integers(0, 9_000), max_size=60), steps=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_what_one_appends_another_reads_and_the_room_that_it_releases_is_used_again(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], steps: int
) -> None:
    appends = SpoolFile.create(tmp_path_factory.mktemp("spool") / "a.spool", capacity=16 * 4096, slot_bytes=4096)
    follows = SpoolFile.follow(appends.path)
    found: list[bytes] = []
    written = [random.Random(number).randbytes(size) for number, size in enumerate(sizes)]
    for number, payload in enumerate(written):
        assert appends.append(payload)
        if number % steps == 0:
            chunk = follows.read(follows.released, **EVERYTHING)
            found += chunk.records
            follows.release(chunk.end)
            assert appends.waiting_bytes == follows.waiting_bytes == 0
    found += follows.read(follows.released, **EVERYTHING).records

    assert found == written


def test_a_process_that_appends_at_full_speed_is_followed_without_a_gap_round_after_round(tmp_path: Path) -> None:
    path, count = tmp_path / "a.spool", 20_000
    process = subprocess.Popen([sys.executable, "-c", APPENDS, str(path), str(count)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    follows, seen = SpoolFile.follow(path), 0
    ends = time.monotonic() + 60
    while seen < count and time.monotonic() < ends:
        chunk = follows.read(follows.released, most_records=50, most_bytes=10**6)
        for record in chunk.records:
            assert record == b"%d " % seen * (seen % 700)
            seen += 1
        follows.release(chunk.end)
    process.kill()
    process.wait()
    process.stdout.close()

    assert seen == count
    assert follows.end > 100 * path.stat().st_size


async def test_one_delivers_what_the_other_records_and_what_a_dead_one_left(database: Database, tmp_path: Path) -> None:
    dead = Spool(tmp_path, "gateway-1", capacity=1 << 16)
    dead.append(b"left")
    dead.close()
    async with database.owner_connection() as connection:
        await execute(connection, "create table shelf (id bigint generated always as identity, record bytea)")

    with contextlib.ExitStack() as stack:
        spool = stack.enter_context(Spool(tmp_path, "gateway-1", capacity=1 << 16, adopts=False))
        followed = stack.enter_context(FollowedSpool(tmp_path, "gateway-1", spool_name(spool.own)))
        running = asyncio.create_task(Drain(followed, database, SystemClock(), deliver).run())
        for number in range(100):
            spool.append(b"%d" % number)
            await asyncio.sleep(0.001)
        async with asyncio.timeout(10):
            while spool.waiting_bytes or followed.left:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    async with database.connection() as connection:
        records = [row["record"] for row in await fetch_all(connection, "select record from shelf order by id")]
    assert records == [b"left", *(b"%d" % number for number in range(100))]
    assert not list(tmp_path.rglob("*.spool"))


async def deliver(connection: Connection, records: Sequence[bytes], _now_ns: int) -> None:
    for record in records:
        await execute(connection, "insert into shelf (record) values (%s)", record)


def test_a_spool_has_one_that_delivers_it_and_the_next_waits_until_that_one_is_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "gateway-1", capacity=1 << 16, adopts=False)
    program = f"""
from pathlib import Path
from flyball.infra.spool.following import FollowedSpool
import time
with FollowedSpool(Path({str(tmp_path)!r}), "gateway-1", {spool_name(spool.own)!r}):
    print("mine", flush=True)
    time.sleep(60)
"""
    first = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"mine\n"
    second = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert second.stdout is not None
    os.set_blocking(second.stdout.fileno(), False)
    time.sleep(0.5)
    early = second.stdout.read()
    os.set_blocking(second.stdout.fileno(), True)
    first.send_signal(signal.SIGKILL)
    first.wait()
    late = second.stdout.readline()
    second.kill()
    second.wait()
    for process in (first, second):
        process.stdout.close()
    spool.close()

    assert (early, late) == (None, b"mine\n")
