"""The embedded server: made once, started fast, and back after every kind of kill."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from flyball.infra.db.database import Database, DatabaseAwayError, execute, fetch_one
from flyball.infra.db.embedded import EmbeddedPostgres, EmbeddedPostgresError


@pytest.fixture
def server(data_dir: Path):
    server = EmbeddedPostgres(data_dir / "postgres", data_dir / "run")
    yield server
    server.stop()


def ask(url: str, sql: str):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


def test_the_first_start_makes_it_and_later_starts_keep_what_is_there(server):
    ask(server.start(), "create table kept as select 1 as one")
    server.stop()

    assert not server.running
    assert ask(server.start(), "select one from kept") == 1


def test_it_commits_to_the_disk_listens_on_a_socket_alone_and_is_utf8(server):
    url = server.start()

    assert ask(url, "show fsync") == "on"
    assert ask(url, "show listen_addresses") == ""
    assert ask(url, "show server_encoding") == "UTF8"
    assert ask(url, "show timezone") == "UTC"


def test_segments_of_its_log_are_small_since_everybody_waits_while_one_is_made(server):
    assert ask(server.start(), "show wal_segment_size") == "1MB"


def test_it_never_runs_as_root(server):
    server.start()

    assert psutil.Process(server.pid).uids().effective != 0


def test_after_a_kill_it_starts_again_with_all_that_was_committed(server):
    url = server.start()
    ask(url, "create table kept (n int)")
    for number in range(3):
        ask(url, f"insert into kept values ({number})")
        os.kill(server.pid, signal.SIGKILL)
        server.start()

    assert ask(url, "select count(*) from kept") == 3


def test_a_server_that_hangs_between_a_crash_and_its_shutdown_is_not_waited_for_long(server, data_dir):
    ask(server.start(), "create table kept as select 1 as one")
    for child in psutil.Process(server.pid).children():
        with contextlib.suppress(psutil.Error):  # a backend that has just ended
            if "checkpointer" in " ".join(child.cmdline()):
                child.kill()
    time.sleep(0.05)
    os.kill(server.pid, signal.SIGINT)  # as when its supervisor ends

    began = time.monotonic()
    after = EmbeddedPostgres(data_dir / "postgres", data_dir / "run")
    try:
        assert ask(after.start(), "select one from kept") == 1
        assert time.monotonic() - began < 60
    finally:
        after.stop()


def test_a_lock_file_whose_number_is_now_another_program_does_not_stop_it(server):
    server.start()
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    lock = server.directory / "postmaster.pid"
    lock.write_text(lock.read_text().replace(lock.read_text().split("\n", 1)[0], str(os.getpid()), 1))

    assert ask(server.start(), "select 1") == 1


def test_a_server_that_was_left_running_is_taken_over(server, data_dir):
    left = server.start()
    ask(left, "create table kept as select 7 as n")
    other = EmbeddedPostgres(data_dir / "postgres", data_dir / "run")

    assert ask(other.start(), "select n from kept") == 7
    assert not server.running
    other.stop()


_SUPERVISOR = """
import sys, time
from pathlib import Path
from flyball.infra.db.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]) / "postgres", Path(sys.argv[1]) / "run")
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_it_ends_with_its_supervisor_however_that_ends(server, data_dir):
    supervisor = subprocess.Popen([sys.executable, "-c", _SUPERVISOR, str(data_dir)], stdout=subprocess.PIPE)
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    for _ in range(500):
        if not psutil.pid_exists(pid):
            break
        time.sleep(0.01)

    assert not psutil.pid_exists(pid)
    assert ask(server.start(), "select 1") == 1


def test_a_directory_that_was_half_made_is_made_anew(server):
    unfinished = server.directory.with_name("postgres.new")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    assert ask(server.start(), "select 1") == 1
    assert not unfinished.exists()


def test_a_directory_of_another_version_is_refused_by_number(server):
    server.directory.mkdir()
    (server.directory / "PG_VERSION").write_text("9\n")

    with pytest.raises(EmbeddedPostgresError, match="made by PostgreSQL 9"):
        server.start()


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "something").write_text("of somebody else's")

    with pytest.raises(EmbeddedPostgresError, match="no PostgreSQL"):
        EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run").start()


def test_a_server_that_cannot_start_says_what_its_log_says(server):
    server.start()
    server.stop()
    (server.directory / "postgresql.conf").write_text("shared_buffers = nonsense\n")

    with pytest.raises(EmbeddedPostgresError, match="shared_buffers"):
        server.start()
    assert not server.running


async def test_while_it_is_away_the_database_says_so_and_works_again_after(server):
    database = Database(server.start(), most=2)
    database._pool.timeout = 1
    await database.open()
    server.stop()

    with pytest.raises(DatabaseAwayError, match="flyball doctor"):
        async with database.connection() as connection:
            await fetch_one(connection, "select 1")

    database._pool.timeout = 10
    server.start()
    async with database.transaction() as connection:
        await execute(connection, "create table back (n int)")
    await database.close()
