"""flyball in bad surroundings: a full disk, a database that is away, a port that is taken, a directory that it cannot write."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import psutil
import pytest

QUESTION = "How is the lifeboat crew called?"
ANSWER = "Its crew is called by two green rockets."
CONFLICT = 8


@pytest.fixture
def small_disk(data_dir):
    """The data directory on a disk of its own, of 800 MB; only root may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", "size=800m,mode=700", "tmpfs", str(data_dir)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root, with the right to mount, can make a small disk")
    yield data_dir
    subprocess.run(["umount", "--lazy", str(data_dir)], check=True)


def _serve_the_harbour(flyball, corpus):
    """Everything from the folder to a served release; a key."""
    flyball.ask("datasets", "import", "docs", str(corpus.documents), "--name", "harbour", "--licence", "CC-BY-4.0")
    flyball.ask("index", "build", "harbour", "--dataset", "harbour")
    flyball.ask("apply", str(corpus.example))
    proposed = flyball.ask(
        "release", "propose", "ask-harbour", "--variant", "sentence", "--override", "this test is about something else"
    )
    flyball.ask("release", "approve", proposed["id"])
    flyball.ask("release", "serve", proposed["id"])
    return flyball.ask("keys", "create", "desk")["key"]


def _until_answered(flyball, desk):
    def ask():
        with contextlib.suppress(openai.APIError):
            return desk.ask(QUESTION)
        return None

    return flyball.until(ask, "nobody answers")


def _assert_each_is_seen_once(flyball, answers):
    """Every trace with its three spans, and nothing twice."""
    wanted = {answer.trace_id for answer in answers}

    def spans():
        found = flyball.run("sql", "select trace_id, span_id from spans", "--limit", "10000")
        return Counter((one["trace_id"], one["span_id"]) for one in found.told) if found.code == 0 else Counter()

    def seen():
        by_trace = Counter(trace_id for trace_id, _ in spans())
        return all(by_trace[trace_id] == 3 for trace_id in wanted)

    flyball.until(seen, "the traces are not to be seen", show=spans)
    assert set(spans().values()) == {1}


def _fill(folder: Path, *, leave: int) -> Path:
    """Take the disk's room with one file, all but `leave` bytes."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while (room := shutil.disk_usage(folder).free - leave) > 0:
            file.write(bytes(min(room, 1024 * 1024)))
    return filler


@pytest.mark.timeout(600)
def test_a_full_disk_during_an_import_is_told_and_when_there_is_room_again_it_goes_on(
    small_disk, begin, corpus, application, tmp_path
):
    large = tmp_path / "large"
    large.mkdir()
    for number in range(40):
        (large / f"log-{number}.txt").write_text(
            "".join(f"Entry {number}.{line} of the log.\n" for line in range(40_000))
        )
    flyball = begin()
    flyball.start()
    desk = application(flyball.address, _serve_the_harbour(flyball, corpus))
    answers = [_until_answered(flyball, desk)]
    filler = _fill(small_disk, leave=4 * 1024 * 1024)

    run = flyball.ask("datasets", "import", "docs", str(large), "--name", "large", "--no-wait")
    told = flyball.until(
        lambda: [one for one in [flyball.ask("runs", "show", run["id"])] if "no room" in one["note"] or one["error"]],
        "nobody says that the disk is full",
        show=lambda: flyball.run("runs", "show", run["id"]).out,
    )
    assert told[0]["status"] == "running"
    answers.append(desk.ask(QUESTION))
    assert [row["state"] for row in json.loads(flyball.run("doctor").out) if row["check"] == "disk"] == ["failed"]

    filler.unlink()
    ended = flyball.until(
        lambda: [one for one in [flyball.ask("runs", "show", run["id"])] if one["status"] not in ("queued", "running")],
        "the import does not go on",
    )
    assert (ended[0]["status"], ended[0]["result"]["rows"]) == ("succeeded", 40)
    answers.append(desk.ask(QUESTION))
    _assert_each_is_seen_once(flyball, answers)
    assert flyball.ask("audit", "verify")["ok"] is True
    assert list((small_disk / "staging").iterdir()) == []
    flyball.stop()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_disk_without_any_room_loses_nothing_that_was_answered(small_disk, begin, corpus, application):
    flyball = begin()
    flyball.start()
    desk = application(flyball.address, _serve_the_harbour(flyball, corpus))
    answers = [_until_answered(flyball, desk)]
    filler = _fill(small_disk, leave=0)

    answers += [desk.ask(QUESTION, streamed=number % 2 == 0) for number in range(20)]
    time.sleep(3)  # the inbox, and the tables, are tried meanwhile
    judged = flyball.run("feedback", answers[0].trace_id, "up")
    assert judged.code in (0, 5)  # the database may still have room of its own
    answers += [desk.ask(QUESTION) for _ in range(5)]
    (gateway,) = flyball.called("gateway")
    gateway.kill()
    time.sleep(3)
    filler.unlink()

    answers.append(_until_answered(flyball, desk))
    _assert_each_is_seen_once(flyball, answers)
    flyball.ask("feedback", answers[0].trace_id, "up")
    flyball.until(
        lambda: [one["label"] for one in flyball.sql("select label from scores")] == ["up"],
        "the feedback is not there once",
        show=lambda: flyball.sql("select * from scores"),
    )
    assert flyball.ask("audit", "verify")["ok"] is True
    flyball.stop()


@pytest.mark.timeout(300)
def test_while_the_database_does_not_answer_the_gateway_serves_and_traces_appear_afterwards(begin, corpus, application):
    flyball = begin()
    flyball.start()
    desk = application(flyball.address, _serve_the_harbour(flyball, corpus))
    answers = [_until_answered(flyball, desk)]
    server = flyball.called("postgres")
    began = time.monotonic()
    for one in server:
        one.send_signal(signal.SIGSTOP)

    try:
        slowest = 0.0
        while time.monotonic() - began < 10:
            asked = time.monotonic()
            answers.append(desk.ask(QUESTION, streamed=len(answers) % 2 == 0))
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.2)
    finally:
        for one in server:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)

    assert {answer.text for answer in answers} == {ANSWER}
    assert slowest < 5
    _assert_each_is_seen_once(flyball, answers)
    assert flyball.ask("audit", "verify")["ok"] is True
    flyball.stop()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_what_finds_no_room_in_the_spool_is_counted_aloud_and_the_calls_are_answered(begin, corpus, application):
    flyball = begin({"FLYBALL_SPOOL_BYTES": str(2 * 1024 * 1024)})
    flyball.start()
    desk = application(flyball.address, _serve_the_harbour(flyball, corpus))
    _until_answered(flyball, desk)
    server = flyball.called("postgres")
    for one in server:
        one.send_signal(signal.SIGSTOP)

    try:
        answers = [desk.ask(f"{QUESTION} {'~' * 150_000}") for _ in range(30)]
    finally:
        for one in server:
            one.send_signal(signal.SIGCONT)

    assert {answer.text for answer in answers} == {ANSWER}
    log = flyball.data / "logs" / "gateway-1.log"
    flyball.until(lambda: "found no room" in log.read_text(), "nobody says that spans were dropped", show=log.read_text)
    kept = [one["trace_id"] for one in flyball.ask("traces", "list", "--limit", "50")["items"]]
    assert answers[0].trace_id in kept
    assert answers[-1].trace_id not in kept
    last = desk.ask(QUESTION)
    _assert_each_is_seen_once(flyball, [last])
    flyball.stop()


def test_of_two_starts_at_once_one_runs_and_the_other_says_which(begin, data_dir):
    first, second = begin(), begin()
    with ThreadPoolExecutor() as pool:
        for one in (first, second):
            one.launch()
        ready = list(pool.map(lambda one: one.until_ready(), (first, second)))
    assert sorted(ready) == [False, True]
    winner, loser = (first, second) if ready[0] else (second, first)
    assert loser.process.returncode == CONFLICT

    third = begin()
    third.launch()
    assert third.until_ready() is False
    assert third.process.returncode == CONFLICT
    said = [
        line for line in third.said().splitlines() if line.startswith('{"error"')
    ]  # the one that runs may warn beside
    refused = json.loads(said[-1])["error"]
    assert refused["code"] == "already_running"
    assert f"process {winner.process.pid}" in refused["message"]
    assert str(data_dir) in refused["message"]
    assert f"kill {winner.process.pid}" in refused["next_step"]
    winner.stop()


def test_a_port_that_is_taken_is_named_with_who_has_it(begin):
    flyball = begin()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", flyball.port))
        taken.listen()
        flyball.launch()
        assert flyball.until_ready() is False

    assert flyball.process.returncode == CONFLICT
    refused = json.loads(flyball.said().splitlines()[-1])["error"]
    assert refused["code"] == "port_in_use"
    assert f"port {flyball.port} on 127.0.0.1 is in use by process {os.getpid()}" in refused["message"]
    assert "--port" in refused["next_step"]
    assert flyball.processes() == []
    flyball.start()
    flyball.stop()


def test_a_data_directory_that_cannot_be_written_is_refused_at_once(begin, data_dir):
    readonly = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(data_dir)]
    mounted = os.geteuid() == 0 and subprocess.run(readonly, capture_output=True, check=False).returncode == 0
    if os.geteuid() == 0 and not mounted:
        pytest.skip("root may write everywhere, and may not mount here")
    data_dir.chmod(0o500) if not mounted else None
    flyball = begin()
    began = time.monotonic()

    try:
        flyball.launch()
        assert flyball.until_ready() is False
        doctor = flyball.run("doctor")
    finally:
        if mounted:
            subprocess.run(["umount", str(data_dir)], check=True)
        else:
            data_dir.chmod(0o700)

    assert time.monotonic() - began < 60
    refused = json.loads(flyball.said().splitlines()[-1])["error"]
    assert refused["code"] == "data_directory"
    assert "read-only" in refused["message"] if mounted else "cannot be written" in refused["message"]
    assert "--data" in refused["next_step"]
    assert doctor.code == 1
    assert next(row for row in doctor.told if row["check"] == "data directory")["state"] == "failed"
