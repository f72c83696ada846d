"""The folder in which spans wait while flyball is away: bounded, it outlives the process, and everything arrives once."""

import collections
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import flyball
from flyball.sdk import recording
from flyball.sdk import telemetry as sdk_telemetry
from flyball.sdk.offline import Offline

NOWHERE = "http://127.0.0.1:9"
PROGRAM = """
import itertools, sys, time
import flyball

@flyball.observe(name="work")
def work(number):
    return number

first, most, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
for number in itertools.count(first):
    if number == first + most:
        break
    work(number)
    print(number, time.monotonic(), flush=True)
    time.sleep(pause)
"""


def environment(url: str, folder: Path, **more: str) -> dict[str, str]:
    return os.environ | {"FLYBALL_SERVER": url, "FLYBALL_KEY": "key", "FLYBALL_OFFLINE": str(folder)} | more


def run(url: str, folder: Path, first: int, most: int, **more: str) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(first), str(most), "0"],
        env=environment(url, folder, **more),
        check=True,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )


def waiting(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in {".span", ".feedback", ".otlp"}]


def numbers(listener) -> list[int]:
    return sorted(int(span["output"]) for span in listener.spans)


def open_here(url: str, folder: Path, **more) -> None:
    sdk_telemetry.reset(None, server=url, key="key", offline=str(folder), **more)


def test_what_a_process_could_not_send_the_next_one_sends(listener, tmp_path) -> None:
    began = time.monotonic()
    run(NOWHERE, tmp_path, 0, 300)
    took = time.monotonic() - began
    assert waiting(tmp_path)
    assert took < 30  # it does not wait at its end for a flyball that is away

    run(listener.url, tmp_path, 300, 10)

    assert numbers(listener) == list(range(310))
    assert waiting(tmp_path) == []


def test_files_are_private(tmp_path) -> None:
    run(NOWHERE, tmp_path / "spool", 0, 10)

    (path,) = waiting(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_batch_that_was_taken_without_an_answer_is_sent_again_as_it_was(listener, tmp_path) -> None:
    listener.answers = [-1, 503, -1]
    open_here(listener.url, tmp_path)
    for number in range(50):
        with flyball.span("work") as span:
            span.set(output=number)
    assert flyball.flush(20)

    bodies = [json.dumps(body) for _, body, _ in listener.calls]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert waiting(tmp_path) == []


@pytest.mark.parametrize("rounds", [6, pytest.param(60, marks=pytest.mark.long)])
def test_no_span_is_lost_or_changed_when_the_process_is_killed(listener, tmp_path, rounds) -> None:
    """Killed at any moment, while flyball is there, away, busy, or takes without a word: what ended a second before is safe."""
    chance = random.Random(7)
    listener.judge = lambda _: chance.choice([200, 200, 503, 429, -1])
    safe: list[int] = []
    for turn in range(rounds):
        url = chance.choice([listener.url, listener.url, NOWHERE])
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(turn * 100_000), "99999", "0.002"],
            env=environment(url, tmp_path),
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(chance.uniform(1.3, 2.5))
        killed = time.monotonic()
        process.send_signal(signal.SIGKILL)
        printed = [line.split() for line in process.communicate()[0].splitlines()]
        safe += [int(line[0]) for line in printed if len(line) == 2 and float(line[1]) < killed - 1]
    listener.judge = lambda _: 200
    run(listener.url, tmp_path, rounds * 100_000, 1)

    versions = collections.defaultdict(set)
    for span in listener.spans:
        versions[span["output"]].add(json.dumps(span, sort_keys=True))
    assert len(safe) > 50 * rounds
    assert [number for number in safe if str(number) not in versions] == []
    assert [number for number, said in versions.items() if len(said) > 1] == []
    assert waiting(tmp_path) == []


def test_the_folder_is_bounded_and_what_comes_then_is_kept_in_memory_or_dropped(tmp_path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(recording, "MOST_WAITING", 50)
    open_here(NOWHERE, tmp_path, offline_bytes=64 * 1024)
    with caplog.at_level(logging.WARNING, "flyball"):
        for _ in range(40):
            for number in range(10):
                with flyball.span("work", input="x" * 1_000) as span:
                    span.set(output=number)
            flyball.flush(0.02)
    held = sum(path.stat().st_size for path in waiting(tmp_path))
    dropped = sdk_telemetry.telemetry().dropped
    sdk_telemetry.reset()

    assert held <= 64 * 1024
    assert dropped > 0
    assert any("the offline folder is full" in record.message for record in caplog.records)


def test_an_application_that_says_little_leaves_few_files(tmp_path) -> None:
    open_here(NOWHERE, tmp_path)
    for number in range(100):
        with flyball.span("work") as span:
            span.set(output=number)
        flyball.flush(0.01)
    sdk_telemetry.telemetry().flush(1, leaving=True)
    files = waiting(tmp_path)
    offline = Offline(str(tmp_path), 1 << 20, "key")
    batches = [offline.read(path) for path in sorted(files)]
    sdk_telemetry.reset()

    assert len(files) <= 5
    spans = json.loads(b"[" + b",".join(batch.body for batch in batches) + b"]")
    assert [span["output"] for span in spans] == [str(number) for number in range(100)]
    assert sum(batch.records for batch in batches) == 100


def test_torn_and_foreign_files_are_left_out(listener, tmp_path) -> None:
    run(NOWHERE, tmp_path, 0, 5)
    (good,) = waiting(tmp_path)
    for name, data in {
        f"{good.stem[:-1]}1.span": good.read_bytes()[:-1],
        f"{good.stem[:-1]}2.span": b"nonsense",
        f"{good.stem[:-1]}3.span": b"",
        f"{good.stem[:-1]}4.span.part": good.read_bytes(),
        f"{good.stem[:-1]}5.unknown": good.read_bytes(),
    }.items():
        (good.parent / name).write_bytes(data)

    run(listener.url, tmp_path, 5, 1)

    assert numbers(listener) == list(range(6))
    assert [path.name for path in good.parent.iterdir() if not path.name.endswith((".lock", ".unknown"))] == []


def test_what_was_said_under_one_key_is_never_sent_under_another(listener, tmp_path, caplog) -> None:
    run(NOWHERE, tmp_path, 0, 5, FLYBALL_KEY="another")
    with caplog.at_level(logging.WARNING, "flyball"):
        open_here(listener.url, tmp_path)
        with flyball.span("work") as span:
            span.set(output=7)
        assert flyball.flush(10)

    assert numbers(listener) == [7]
    assert len(waiting(tmp_path)) == 1
    assert any("1 batches in" in record.message for record in caplog.records)


def test_living_processes_and_their_children_do_not_take_each_others_batches(tmp_path) -> None:
    one = Offline(str(tmp_path), 1 << 20, "key")
    path = one.write("span", 1, b"{}")
    two = Offline(str(tmp_path), 1 << 20, "key")
    assert two.left_behind() == []

    child = os.fork()
    if child == 0:
        one.close()  # what a forked process does
        os._exit(0 if Offline(str(tmp_path), 1 << 20, "key").left_behind() == [] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    one.close()
    assert two.left_behind() == [path]
    assert two.left_behind() == []  # once


def test_a_folder_that_cannot_be_used_is_told_and_memory_takes_its_place(listener, tmp_path, caplog) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING, "flyball"):
        open_here(listener.url, tmp_path / "file")
        with flyball.span("work") as span:
            span.set(output=1)
        assert flyball.flush(10)

    assert numbers(listener) == [1]
    assert any("the offline folder cannot be used" in record.message for record in caplog.records)


def test_a_folder_that_goes_away_in_the_middle_is_told_and_memory_takes_its_place(listener, tmp_path, caplog) -> None:
    open_here(listener.url, tmp_path / "spool")
    with flyball.span("work") as span:
        span.set(output=1)
    assert flyball.flush(10)
    for path in sorted((tmp_path / "spool").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with caplog.at_level(logging.WARNING, "flyball"), flyball.span("work") as span:
        span.set(output=2)
    assert flyball.flush(10)

    assert numbers(listener) == [1, 2]
    assert any("the offline folder fails" in record.message for record in caplog.records)


def test_a_key_that_is_refused_loses_nothing_where_there_is_a_folder(listener, tmp_path) -> None:
    listener.answers = [401, 401]
    open_here(listener.url, tmp_path)
    with flyball.span("work") as span:
        span.set(output=1)
    assert flyball.flush(10)

    assert numbers(listener) == [1]
    assert sdk_telemetry.telemetry().dropped == 0


def test_feedback_waits_in_the_folder_as_well(listener, tmp_path) -> None:
    open_here(NOWHERE, tmp_path)
    with flyball.span("work"):
        flyball.feedback(-1, comment="wrong")
    assert not flyball.flush(0.5)

    assert sorted(path.suffix for path in waiting(tmp_path)) == [".feedback", ".span"]
    sdk_telemetry.reset()
