"""The spool: bounded, crash-safe, and delivered exactly once."""

import asyncio
import contextlib
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.infra.db.database import Connection, Database, DatabaseAwayError, execute, fetch_all
from flyball.infra.spool.drain import Drain
from flyball.infra.spool.errors import SpoolAwayError, SpoolInUseError
from flyball.infra.spool.spool import Spool
from flyball.infra.spool.spool_file import SpoolFile
from flyball.kit.clock import FixedClock, SystemClock

EVERYTHING = {"most_records": 10**6, "most_bytes": 10**9}


@pytest.fixture
async def shelf(database: Database) -> Database:
    """A database with a table that takes records, each at most ten thousand long."""
    async with database.owner_connection() as connection:
        await execute(
            connection,
            "create table shelf (id bigint generated always as identity, record bytea check (length(record) <= 10000))",
        )
    return database


async def deliver(connection: Connection, records: Sequence[bytes], _now_ns: int) -> None:
    for record in records:
        await execute(connection, "insert into shelf (record) values (%s)", record)


async def on_the_shelf(database: Database) -> list[bytes]:
    async with database.connection() as connection:
        return [row["record"] for row in await fetch_all(connection, "select record from shelf order by id")]


def some_records(count: int) -> list[bytes]:
    return [f"record {number}".encode() for number in range(count)]


@given(sizes=st.lists(st.integers(0, 9_000), max_size=30), steps=st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_records_come_back_whole_and_in_order_however_they_straddle_slots(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], steps: int
) -> None:
    file = SpoolFile.create(tmp_path_factory.mktemp("spool") / "a.spool", capacity=32 * 4096, slot_bytes=4096)
    found, position, written = [], 0, []
    for number, size in enumerate(sizes):
        payload = random.Random(number).randbytes(size)
        if file.append(payload):
            written.append(payload)
        if number % steps == 0:
            chunk = file.read(position, most_records=3, most_bytes=10**9)
            found += chunk.records
            position = chunk.end
            file.release(position)
    adopted = SpoolFile.adopt(file.path)
    assert adopted.read(position, **EVERYTHING).records == file.read(position, **EVERYTHING).records
    found += file.read(position, **EVERYTHING).records

    assert found == written


def test_a_full_spool_drops_and_counts_and_takes_again_when_room_is_released(tmp_path: Path) -> None:
    file = SpoolFile.create(tmp_path / "a.spool", capacity=4 * 4096, slot_bytes=4096)
    kept = sum(file.append(b"x" * 1000) for _ in range(30))

    assert kept == 16
    assert file.dropped == 14

    file.release(file.read(0, **EVERYTHING).end)

    assert file.append(b"y" * 8000)


def test_a_spool_file_takes_its_disk_at_once_and_no_more_later(tmp_path: Path) -> None:
    file = SpoolFile.create(tmp_path / "a.spool", capacity=1 << 20)
    size, blocks = file.path.stat().st_size, file.path.stat().st_blocks
    while file.append(b"x" * 1000):
        pass

    assert blocks * 512 >= size
    assert (file.path.stat().st_size, file.path.stat().st_blocks) == (size, blocks)


def test_a_disk_that_is_full_is_named_when_the_spool_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flyball.infra.spool.spool_file.os.posix_fallocate", no_room)

    with pytest.raises(SpoolAwayError, match=r"No space left.*FLYBALL_SPOOL_BYTES"):
        Spool(tmp_path, "gateway-1", capacity=4096)

    assert not list(tmp_path.rglob("*.making"))


def test_two_processes_cannot_bear_the_same_writer_name(tmp_path: Path) -> None:
    with Spool(tmp_path, "gateway-1", capacity=4096):
        with pytest.raises(SpoolInUseError, match="gateway-1 is held by process"):
            Spool(tmp_path, "gateway-1", capacity=4096)
        Spool(tmp_path, "gateway-2", capacity=4096).close()

    Spool(tmp_path, "gateway-1", capacity=4096).close()


def test_a_file_that_is_no_spool_is_set_aside_and_does_not_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "gateway-1").mkdir()
    (tmp_path / "gateway-1" / "odd.spool").write_bytes(b"hello")

    with Spool(tmp_path, "gateway-1", capacity=4096) as spool:
        assert spool.left == ()
        assert (tmp_path / "gateway-1" / "odd.damaged").read_bytes() == b"hello"


async def test_what_is_appended_is_delivered_in_order(shelf: Database, tmp_path: Path) -> None:
    records = [bytes(size) for size in range(0, 10_000, 100)]
    with Spool(tmp_path, "gateway-1", capacity=1 << 22) as spool:
        drain = Drain(spool, shelf, SystemClock(), deliver)
        for record in records:
            assert spool.append(record)
        assert await drain.finish()

        assert await on_the_shelf(shelf) == records
        assert spool.waiting_bytes == 0
    assert not list(tmp_path.rglob("*.spool"))


async def test_where_moving_takes_long_what_comes_meanwhile_goes_together(shelf: Database, tmp_path: Path) -> None:
    clock, moved = FixedClock(), []

    async def deliver_slowly(connection: Connection, records: Sequence[bytes], _now_ns: int) -> None:
        moved.append((asyncio.get_running_loop().time(), len(records)))
        clock.advance(0.015)

    with Spool(tmp_path, "gateway-1", capacity=1 << 20) as spool:
        running = asyncio.create_task(Drain(spool, shelf, clock, deliver_slowly, pause_seconds=0.001).run())
        while len(moved) < 3:
            spool.append(b"another")
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    (first_at, one), (second_at, second), (_, third) = moved
    assert second_at - first_at >= 0.3
    assert one == 1 < min(second, third)


async def seconds_to_empty(spool: Spool, drain: Drain) -> float:
    began = asyncio.get_running_loop().time()
    running = asyncio.create_task(drain.run())
    while spool.waiting_bytes:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    return asyncio.get_running_loop().time() - began


async def test_what_is_there_already_waits_for_nothing_however_large_its_records_are(
    shelf: Database, tmp_path: Path
) -> None:
    clock, moved = FixedClock(), []

    async def deliver_slowly(_connection: Connection, records: Sequence[bytes], _now_ns: int) -> None:
        moved.append(len(records))
        clock.advance(0.1)

    with Spool(tmp_path, "gateway-1", capacity=1 << 25) as spool:
        for _ in range(12):
            assert spool.append(bytes(1_500_000))
        took = await seconds_to_empty(spool, Drain(spool, shelf, clock, deliver_slowly))

    assert moved == [3, 3, 3, 3]
    assert took < 0.5  # the rest after one of them


async def test_what_is_there_already_waits_for_nothing_where_a_record_is_refused(
    shelf: Database, tmp_path: Path
) -> None:
    clock = FixedClock()

    async def deliver_slowly(connection: Connection, records: Sequence[bytes], now_ns: int) -> None:
        clock.advance(0.1)
        await deliver(connection, records, now_ns)

    with Spool(tmp_path, "gateway-1", capacity=1 << 17) as spool:
        for record in (*some_records(10), bytes(10_001), *some_records(10)):
            spool.append(record)
        drain = Drain(spool, shelf, clock, deliver_slowly)
        took = await seconds_to_empty(spool, drain)

    assert (drain.delivered, drain.refused) == (20, 1)
    assert took < 0.5


async def test_however_long_it_rested_before_the_first_error_waits_no_longer(shelf: Database, tmp_path: Path) -> None:
    clock, tried = FixedClock(), []

    async def deliver_once(_connection: Connection, _records: Sequence[bytes], _now_ns: int) -> None:
        tried.append(asyncio.get_running_loop().time())
        clock.advance(0.1)
        if len(tried) == 2:
            raise DatabaseAwayError("the connection broke")

    with Spool(tmp_path, "gateway-1", capacity=1 << 16) as spool:
        running = asyncio.create_task(Drain(spool, shelf, clock, deliver_once, pause_seconds=0.01).run())
        while len(tried) < 3:
            spool.append(b"another")
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    first, failed, again = tried
    assert failed - first >= 0.4
    assert again - failed < 0.4


async def test_what_a_dead_process_left_is_moved_by_the_next_one(shelf: Database, tmp_path: Path) -> None:
    dead = Spool(tmp_path, "gateway-1", capacity=1 << 16)
    for record in some_records(10):
        dead.append(record)
    dead.close()

    with Spool(tmp_path, "gateway-1", capacity=1 << 16) as spool:
        assert await Drain(spool, shelf, SystemClock(), deliver).finish()

    assert await on_the_shelf(shelf) == some_records(10)
    assert not list(tmp_path.rglob("*.spool"))


async def test_what_found_no_room_is_told_aloud(shelf: Database, tmp_path: Path, caplog) -> None:
    with Spool(tmp_path, "gateway-1", capacity=1 << 16, slot_bytes=1 << 15) as spool:
        kept = [spool.append(bytes(10_000)) for _ in range(10)]
        running = asyncio.create_task(Drain(spool, shelf, SystemClock(), deliver).run())
        while spool.waiting_bytes:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    lost = kept.count(False)
    assert 0 < lost < 10
    assert f"{lost} records of gateway-1 found no room" in caplog.text


async def test_a_commit_whose_answer_is_lost_moves_nothing_twice(
    shelf: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Spool(tmp_path, "gateway-1", capacity=1 << 16) as spool:
        drain = Drain(spool, shelf, SystemClock(), deliver)
        commit = drain._commit

        async def commit_and_lose_the_answer(portion: object) -> None:
            await commit(portion)
            monkeypatch.undo()
            raise DatabaseAwayError("the connection broke")

        monkeypatch.setattr(drain, "_commit", commit_and_lose_the_answer)
        spool.append(b"one")
        assert await drain.finish()

        assert await on_the_shelf(shelf) == [b"one"]


async def test_a_record_that_is_refused_is_set_aside_and_the_others_pass(shelf: Database, tmp_path: Path) -> None:
    records = some_records(20)
    records[7] = b"x" * 10_001
    with Spool(tmp_path, "gateway-1", capacity=1 << 17) as spool:
        drain = Drain(spool, shelf, SystemClock(), deliver)
        for record in records:
            spool.append(record)
        assert await drain.finish()

        assert await on_the_shelf(shelf) == records[:7] + records[8:]
        assert drain.refused == 1
        assert b"violates check constraint" in (tmp_path / "gateway-1" / "refused.jsonl").read_bytes()


async def test_while_the_database_is_away_records_wait_and_then_arrive(shelf: Database, tmp_path: Path) -> None:
    with Spool(tmp_path, "gateway-1", capacity=1 << 16) as spool:
        drain = Drain(spool, shelf, SystemClock(), deliver)
        async with shelf.owner_connection() as connection:
            await execute(connection, "alter table shelf rename to hidden")
        task = asyncio.create_task(drain.run())
        spool.append(b"one")
        await asyncio.sleep(0.3)

        assert spool.waiting_bytes > 0

        async with shelf.owner_connection() as connection:
            await execute(connection, "alter table hidden rename to shelf")
        async with asyncio.timeout(10):
            while spool.waiting_bytes:
                await asyncio.sleep(0.02)
        task.cancel()

        assert await on_the_shelf(shelf) == [b"one"]


async def test_a_drain_ends_even_where_its_cancellation_was_swallowed(shelf: Database, tmp_path: Path) -> None:
    async def swallow(*_: object) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    with Spool(tmp_path, "gateway-1", capacity=1 << 16) as spool:
        spool.append(b"one")
        running = asyncio.create_task(Drain(spool, shelf, SystemClock(), swallow).run())
        await asyncio.sleep(0.2)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=5)

    assert done == {running}
    assert running.cancelled()


def test_what_the_gateway_imports_of_the_spool_is_light() -> None:
    modules = ("spool", "drain", "errors")
    program = f"import sys, {', '.join(f'flyball.infra.spool.{name}' for name in modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    assert loaded.isdisjoint({"pyarrow", "duckdb", "lancedb", "deltalake", "fastapi", "dbos", "numpy"})
