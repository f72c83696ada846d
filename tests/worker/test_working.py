"""The jobs worker, as a real process: runs what is queued, and a kill -9 loses no finished step and doubles none."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from flyball.infra.context import Context
from flyball.infra.db.database import Database
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.runs import service
from flyball.runs.errors import RunFailedError

SCRIPT = Path(__file__).with_name("scripted_jobs.py")


class Workers:
    """Starts worker processes, one after the other, and ends what is left."""

    def __init__(self, ctx: Context) -> None:
        self._settings = ctx.settings
        self.folder = ctx.layout.root
        self.running: list[subprocess.Popen] = []

    def start(self) -> subprocess.Popen:
        knobs = {"FLYBALL_DATA": self._settings.data, "FLYBALL_DATABASE_URL": self._settings.database_url}
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(self.folder)], env={**os.environ, **knobs}, stdout=log, stderr=log
            )
        self.running.append(process)
        return process

    def steps(self) -> list[str]:
        with suppress(FileNotFoundError):
            return (self.folder / "steps").read_text().splitlines()
        return []

    async def until(self, line: str) -> None:
        async with asyncio.timeout(30):
            while line not in self.steps():
                await asyncio.sleep(0.01)

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


@pytest.fixture
def workers(ctx):
    workers = Workers(ctx)
    yield workers
    workers.end()


async def queue(ctx: Context, kind: str, **arguments):
    async with ctx.db.transaction() as connection:
        return await service.enqueue(connection, ctx, kind, arguments)


async def test_queued_runs_are_done_and_their_results_kept(ctx, workers):
    before = await queue(ctx, "test.count", name="before", steps=2)
    workers.start()
    first = await service.wait(ctx, before.id, timeout=30)
    during = await queue(ctx, "test.count", name="during", steps=3)
    second = await service.wait(ctx, during.id, timeout=5)

    assert first.result == {"total": 10}
    assert second.result == {"total": 30}
    assert (second.done, second.total, second.attempts) == (3, 3, 1)


async def test_a_worker_that_is_killed_in_the_middle_is_continued_at_the_last_finished_step(ctx, workers):
    run = await queue(ctx, "test.count", name="a", steps=5, gates=[3])
    first = workers.start()
    await workers.until("begin a 3")
    first.send_signal(signal.SIGKILL)
    first.wait()
    (workers.folder / "gate-3").touch()
    workers.start()

    ended = await service.wait(ctx, run.id, timeout=30)

    counted = Counter(workers.steps())
    assert ended.result == {"total": 100}
    assert [counted[f"end a {number}"] for number in range(5)] == [1, 1, 1, 1, 1]
    assert [counted[f"begin a {number}"] for number in range(5)] == [1, 1, 1, 2, 1]  # only the step that was cut off
    assert ended.attempts == 2


async def test_killed_at_every_step_it_still_ends_with_each_step_done_once(ctx, workers):
    run = await queue(ctx, "test.count", name="a", steps=4, gates=[0, 1, 2, 3])
    for number in range(4):
        process = workers.start()
        await workers.until(f"begin a {number}")
        process.send_signal(signal.SIGKILL)
        process.wait()
        (workers.folder / f"gate-{number}").touch()
    workers.start()

    ended = await service.wait(ctx, run.id, timeout=30)

    counted = Counter(line for line in workers.steps() if line.startswith("end"))
    assert ended.result == {"total": 60}
    assert counted == {f"end a {number}": 1 for number in range(4)}


async def test_a_worker_that_is_asked_to_stop_finishes_its_step_and_leaves_the_rest(ctx, workers):
    run = await queue(ctx, "test.count", name="a", steps=3, gates=[1])
    first = workers.start()
    await workers.until("begin a 1")
    first.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.2)
    (workers.folder / "gate-1").touch()
    code = await asyncio.to_thread(first.wait, 20)
    stopped = await service.get(ctx, run.id)
    workers.start()
    ended = await service.wait(ctx, run.id, timeout=30)

    assert code == 0
    assert stopped.status == "running"
    assert ended.result == {"total": 30}
    assert Counter(workers.steps()) == {f"{word} a {number}": 1 for word in ("begin", "end") for number in range(3)}


async def test_a_job_that_fails_keeps_its_reason_and_next_step(ctx, workers):
    known = await queue(ctx, "test.break")
    wrong = await queue(ctx, "test.wrong", zero=0)
    nothing = await queue(ctx, "test.nothing")
    workers.start()

    with pytest.raises(RunFailedError, match=r"the dataset 'x' exists already\. Next: choose another name"):
        await service.wait(ctx, known.id, timeout=30)
    with pytest.raises(RunFailedError, match="ZeroDivisionError"):
        await service.wait(ctx, wrong.id, timeout=30)
    with pytest.raises(RunFailedError, match=r"test\.nothing.*test\.break, test\.count"):
        await service.wait(ctx, nothing.id, timeout=30)
    assert (await service.get(ctx, known.id)).error_code == "conflict"


async def test_a_second_worker_waits_until_the_first_is_gone(ctx, workers):
    first = workers.start()
    gate = await queue(ctx, "test.count", name="a", steps=1, gates=[0])
    await workers.until("begin a 0")
    workers.start()
    other = await queue(ctx, "test.count", name="b", steps=1)
    await service.wait(ctx, other.id, timeout=10)
    first.send_signal(signal.SIGKILL)
    first.wait()
    (workers.folder / "gate-0").touch()
    await service.wait(ctx, gate.id, timeout=30)

    assert Counter(workers.steps()) == {"begin a 0": 2, "end a 0": 1, "begin b 0": 1, "end b 0": 1}


async def test_the_command_itself_starts_with_the_rooms_jobs_says_ready_and_stops_cleanly(ctx):
    knobs = {"FLYBALL_DATA": ctx.settings.data, "FLYBALL_DATABASE_URL": ctx.settings.database_url}
    reader, writer = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flyball.worker", "jobs",
        env={**os.environ, **knobs, "FLYBALL_READY_FD": str(writer)}, pass_fds=(writer,), stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    said = await asyncio.wait_for(asyncio.to_thread(os.read, reader, 16), 60)
    os.close(reader)
    process.terminate()
    _, complaints = await asyncio.wait_for(process.communicate(), 30)

    assert said == b"ready\n", complaints.decode()
    assert process.returncode == 0, complaints.decode()


def test_a_word_that_is_no_process_is_refused_with_those_that_are():
    done = subprocess.run([sys.executable, "-m", "flyball.worker", "job"], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "jobs|runner" in done.stderr


@pytest.fixture
async def own_server(ctx, data_dir):
    """A PostgreSQL of this test alone, to be killed; the context points to it."""
    server = EmbeddedPostgres(data_dir / "postgres", data_dir / "run")
    database = Database(server.start(), most=3)
    await database.open()
    await migrate(database)
    settings = msgspec.structs.replace(ctx.settings, database_url=server.url)
    yield replace(ctx, db=database, settings=settings), server
    await database.close()
    server.stop()


async def test_a_run_outlives_a_database_that_is_killed_and_comes_back(own_server):
    ctx, server = own_server
    workers = Workers(ctx)
    run = await queue(ctx, "test.count", name="a", steps=4, gates=[2])
    workers.start()
    await workers.until("begin a 2")
    os.kill(server.pid, signal.SIGKILL)
    (workers.folder / "gate-2").touch()
    await asyncio.sleep(1.5)
    server.start()

    ended = await service.wait(ctx, run.id, timeout=60)

    workers.end()
    assert ended.result == {"total": 60}
    assert Counter(workers.steps()) == {f"{word} a {number}": 1 for word in ("begin", "end") for number in range(4)}
