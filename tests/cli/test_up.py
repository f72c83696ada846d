"""`flyball up` as a person meets it: start-up lines, refusals, kill -9, stopping in order. PostgreSQL is the real one."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from flyball.infra.processes.lock import holder_of
from flyball.kit.layout import Layout

PROGRAM = Path(__file__).with_name("up_with_fakes.py")


class Up:
    """A running `flyball up`, its output read line by line."""

    def __init__(self, data: Path, *options: str, port: int = 0, **environment: str) -> None:
        self.data = data
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "up", "--data", str(data), "--port", str(port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )

    def until(self, words: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return self.lines[-1]
        raise AssertionError(f"it ended without saying {words!r}:\n" + "\n".join(self.lines))

    def rest(self) -> str:
        assert self.process.stdout is not None
        self.lines += self.process.stdout.read().splitlines()
        return "\n".join(self.lines)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.rest()
        return self.process.wait(30)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def called(self, word: str) -> list[psutil.Process]:
        """Those of the family with this word in their command; one that ends while it is looked at is not of them."""
        found = []
        for one in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [one] if word in one.cmdline() else []
        return found


def wait_for(look: Callable[[], object], seconds: float = 10) -> object:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.fixture
def up(data_dir: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*options: str, **settings: object) -> Up:
        started.append(Up(data_dir, *options, **settings))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.rest()
        one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()


def test_a_first_start_says_what_it_does_and_where_to_go(up, data_dir):
    running = up()
    address = running.until("Ready in").rpartition(" ")[2]
    running.until("Stop with Ctrl-C.")

    text = "\n".join(running.lines)
    assert text.startswith("flyball 0.1.0 on " + str(data_dir))
    for name in ("postgres", "gateway-1", "worker", "control"):
        assert f"  {name:<10} ready in" in text
    assert f"Sign in, once, within the hour: {address}/sign-in/once" in text
    holder = holder_of(Layout(data_dir).lock)
    assert holder is not None
    assert (holder.pid, holder.address) == (running.process.pid, address)


def test_stopping_goes_in_order_and_the_database_is_there_until_the_last_child_has_stopped(up, data_dir):
    running = up()
    running.until("Ready in")

    assert running.stop() == 0

    assert [line.split()[0] for line in (data_dir / "stopped").read_text().splitlines()] == [
        "gateway-1",
        "worker",
        "control",
    ]
    ends = [line.split()[0] for line in running.lines if "stopped after" in line]
    assert ends == ["gateway-1", "worker", "control", "postgres"]


def test_a_second_start_on_the_same_directory_is_refused_with_the_reason(up, data_dir):
    running = up()
    running.until("Ready in")
    second = up()

    assert f"error: flyball is already running on {data_dir} (process {running.process.pid}, since" in second.rest()
    assert "next: use that one" in second.rest()
    assert second.process.wait() == 8


def test_a_port_in_use_is_refused_naming_who_uses_it(up):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = up(port=taken.getsockname()[1])

        assert f"is in use by process {os.getpid()}, " in running.rest()
    assert running.process.wait() == 8


def test_a_killed_start_leaves_no_process_and_the_next_start_works(up, data_dir):
    running = up()
    running.until("Ready in")
    family = running.family()
    assert len(family) > 4

    running.process.kill()
    running.process.wait()

    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    again = up()
    again.until("Ready in")
    assert again.stop() == 0


def test_a_killed_database_is_started_again(up, data_dir):
    running = up()
    running.until("Ready in")
    [postmaster] = [one for one in psutil.Process(running.process.pid).children() if one.name() == "postgres"]

    postmaster.kill()

    running.until("postgres   ended; starting it again")
    running.until("postgres   ready again")
    assert running.stop() == 0


def test_a_child_that_cannot_start_ends_the_start_with_its_last_words_and_leaves_nothing(up, data_dir):
    (data_dir / "worker.broken").touch()
    running = up()

    text = running.rest()
    assert "error: worker ended with exit code 1; it said last:\n    the snapshot cannot be read" in text
    assert f"next: read {data_dir}/logs/worker.log" in text
    assert running.process.wait() == 1
    assert holder_of(Layout(data_dir).lock) is None


def test_beyond_loopback_it_does_not_start_without_a_word_about_tls(up, data_dir):
    running = up("--host", "0.0.0.0")  # noqa: S104 -- it is refused

    text = running.rest()
    assert "nothing says how the way to it is encrypted" in text
    assert "postgres" not in text
    assert running.process.wait() == 6


def test_beyond_loopback_it_does_not_start_before_somebody_has_a_password(up, data_dir):
    running = up("--host", "0.0.0.0", "--tls", "proxy")  # noqa: S104 -- it is refused

    assert "nobody has set a password yet" in running.rest()
    assert running.process.wait() == 6


def test_a_signal_during_the_start_stops_it_cleanly(up, data_dir):
    running = up()
    running.until("flyball 0.1.0")
    time.sleep(0.3)

    assert running.stop() == 0
    assert "Ready in" not in running.rest()


def test_it_goes_on_when_nobody_reads_its_lines_any_more(up, data_dir):
    running = up()
    running.until("Ready in")
    assert running.process.stdout is not None
    running.process.stdout.close()
    running.process.stdout = Path(os.devnull).open()  # noqa: SIM115 -- closed by the fixture
    [worker] = running.called("worker")

    worker.kill()

    again = wait_for(lambda: [one for one in running.called("worker") if one.pid != worker.pid])
    assert again
    assert running.stop() == 0


def test_with_json_the_output_is_one_value(up):
    running = up("--json")
    running.until("}")

    text = "\n".join(running.lines)
    told = json.loads(text[text.index("{") :])
    assert told["address"].startswith("http://127.0.0.1:")
    assert told["process"] == running.process.pid


def test_the_configuration_is_applied_when_everything_runs(up, tmp_path):
    (tmp_path / "flyball.yaml").write_text("project: default\n")
    running = up("--config", str(tmp_path / "flyball.yaml"))

    assert running.until("config") == f"  config     {tmp_path}/flyball.yaml: prompt ask"
    running.until("Ready in")


def test_a_configuration_that_is_refused_ends_the_start_with_its_reason(up, tmp_path):
    (tmp_path / "flyball.yaml").write_text("frobnicate: 1\n")
    running = up("--config", str(tmp_path))

    assert "error: flyball.yaml:1:1: unknown key\n  next: correct it" in running.rest()
    assert running.process.wait() == 2


def test_a_database_of_ones_own_is_used_and_left_alone(up, data_dir, empty_database_url):
    running = up(FLYBALL_DATABASE_URL=empty_database_url)
    running.until("ready in")
    running.until("Ready in")

    assert any("the one of FLYBALL_DATABASE_URL" in line for line in running.lines)
    assert not (data_dir / "postgres").exists()
    assert running.stop() == 0
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("select count(*) from schema_migrations").fetchone() != (0,)


@pytest.mark.parametrize(
    ("place", "words"),
    [("file", "is not a directory"), ("proc", "cannot be")],
)
def test_a_directory_that_cannot_be_used_is_explained(tmp_path, place, words):
    (tmp_path / "file").touch()
    data = {"file": tmp_path / "file", "proc": Path("/proc/flyball")}[place]
    running = Up(data)

    assert words in running.rest()
    assert "next: " in running.rest()
    assert running.process.wait() == 1
    assert running.process.stdout is not None
    running.process.stdout.close()
