"""The application that observes: it is never broken, never held up, and gets its own errors and results as they were."""

import asyncio
import gc
import logging
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

import flyball
from flyball.sdk import recording
from flyball.sdk import telemetry as sdk_telemetry
from flyball.sdk.client import AsyncClient

sdk_observe = sys.modules["flyball.sdk.observe"]  # the room's door has the function under that name


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("ours, not yours")


PLACES = [
    (sdk_observe, "RunningSpan"),
    (sdk_observe, "caught_arguments"),
    (sdk_observe, "caught"),
    (sdk_observe, "error_text"),
    (recording.Telemetry, "take"),
    (recording.Telemetry, "_collect"),
    (recording.Telemetry, "_open"),
    (recording, "Writer"),
    (recording.threading, "Thread"),
]


@pytest.mark.parametrize(("owner", "name"), PLACES, ids=[name for _, name in PLACES])
async def test_whatever_fails_inside_the_application_goes_on(listener, monkeypatch, caplog, owner, name) -> None:
    @flyball.observe
    def plain(number: int) -> int:
        flyball.current_span().set(model="x")
        return number

    @flyball.observe
    async def coroutine(number: int) -> int:
        return number

    @flyball.observe
    def generator(number: int):
        got = yield number
        yield got

    @flyball.observe
    async def asynchronous(number: int):
        yield number

    @flyball.observe
    def failing() -> None:
        raise KeyError("yours")

    monkeypatch.setattr(owner, name, broken)
    with caplog.at_level(logging.WARNING, "flyball"):
        assert plain(1) == 1
        assert await coroutine(2) == 2
        items = generator(3)
        assert (next(items), items.send(4)) == (3, 4)
        assert [item async for item in asynchronous(5)] == [5]
        with flyball.span("work"):
            flyball.feedback(1)
        with pytest.raises(KeyError, match="yours"):
            failing()
    monkeypatch.undo()

    assert len(caplog.records) <= 5
    assert flyball.current_trace_id() == ""


def test_a_server_that_hangs_holds_nobody_up(tmp_path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        sdk_telemetry.reset(AsyncClient(f"http://127.0.0.1:{silent.getsockname()[1]}", "key"))

        @flyball.observe
        def work() -> None: ...

        began = time.monotonic()
        for _ in range(3_000):
            work()
        took = time.monotonic() - began
        assert not flyball.flush(0.3)
        sdk_telemetry.reset()

    assert took < 30  # the first call alone that waited for the server would take longer


def test_the_application_does_not_wait_while_batches_are_written(listener) -> None:
    """A slow mask is the background's trouble: calls go on beside it."""
    masked = []

    def slow_mask(text):
        time.sleep(0.01)
        masked.append(text)
        return text

    sdk_telemetry.reset(AsyncClient(listener.url, "key"), mask=slow_mask)

    @flyball.observe
    def work(text: str) -> str:
        return text

    for _ in range(100):
        work("x")
    masked_meanwhile = len(masked)
    assert flyball.flush(20)

    assert masked_meanwhile < len(masked)
    assert len(listener.spans) == 100


def test_texts_are_let_go_of_when_they_are_sent(listener) -> None:
    class Text(str):
        __slots__ = ("__weakref__",)

    contexts = []

    @flyball.observe
    def work(text: Text) -> Text:
        contexts.append(flyball.in_context(flyball.current_span))
        return text

    text = Text("long" * 1000)
    seen = weakref.ref(text)
    work(text)
    assert flyball.flush()
    span = contexts[0]()
    del text
    gc.collect()

    assert seen() is None
    assert (span.input, span.output, span.said) == ("", "", None)


def test_one_record_that_cannot_be_taken_takes_no_other_with_it(listener) -> None:
    refuse = {"work-7", "work-31"}
    listener.judge = lambda body: (
        400 if refuse & {span["name"] for span in body["spans"]} and len(body["spans"]) else 200
    )
    for number in range(40):
        with flyball.span(f"work-{number}"):
            pass
    assert flyball.flush(10)

    assert sorted(span["name"] for span in listener.spans) == sorted(
        f"work-{number}" for number in range(40) if f"work-{number}" not in refuse
    )
    assert sdk_telemetry.telemetry().dropped == 2


def test_new_spans_do_not_shorten_the_pauses_between_attempts(listener) -> None:
    attempts = []
    listener.judge = lambda _: attempts.append(1) or 503
    until = time.monotonic() + 3
    while time.monotonic() < until:
        with flyball.span("work"):
            time.sleep(0.02)

    assert 1 <= len(attempts) <= 6  # after pauses of 0.25, 0.5, 1 and 2 s, half of it at the soonest
    listener.judge = lambda _: 200
    assert flyball.flush(10)


FORKING = """
import os, threading, time
import flyball

@flyball.observe(name="work")
def work(number):
    return number

@flyball.observe(name="forks")
def forks():
    child = os.fork()
    if child == 0:
        work(1)
        return 0
    os.waitpid(child, 0)
    work(2)
    return child

stop = False
def busy():
    while not stop:
        work(0)
        time.sleep(0.0005)

threading.Thread(target=busy).start()
time.sleep(0.05)
for _ in range(20):
    if forks() == 0:
        flyball.flush(60)
        os._exit(0)
stop = True
"""


def test_children_that_are_forked_in_the_middle_of_everything_tell_their_own_spans(listener) -> None:
    environment = os.environ | {"FLYBALL_SERVER": listener.url, "FLYBALL_KEY": "key"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], env=environment, check=True, timeout=100)

    spans = [span for span in listener.spans if span["name"] != "work" or span["output"] != "0"]
    assert [span["name"] for span in spans].count("forks") == 20  # told by the parent, not by the child as well
    assert sorted(span["output"] for span in spans if span["name"] == "work") == ["1"] * 20 + ["2"] * 20
    keys = [span["span_id"] for span in listener.spans]
    assert len(keys) == len(set(keys))


CALLS = """
import flyball
try:
    flyball.Client().get_trace("0" * 32)
except flyball.kit.errors.UnavailableError:
    pass
"""
OBSERVES = """
import flyball
with flyball.span("work"):
    pass
"""


@pytest.mark.parametrize("program", [CALLS, OBSERVES])
def test_a_program_that_ends_while_flyball_is_away_ends_well(tmp_path, program) -> None:
    """The HTTP client's threads hand over what came back; at the interpreter's own end that broke it, one time in eight."""

    def ends(number: int) -> tuple[int, str]:
        environment = os.environ | {"FLYBALL_SERVER": "http://127.0.0.1:9", "FLYBALL_KEY": "key"}
        environment["FLYBALL_OFFLINE"] = str(tmp_path / str(number))
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stderr if done.returncode else ""

    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(ends, range(24))) == {(0, "")}


async def test_cancelling_reaches_the_application_as_ever(listener) -> None:
    @flyball.observe(name="waits")
    async def waits() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(waits())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(flyball.flush)

    assert [(span["name"], span["status"], span["error"]) for span in listener.spans] == [
        ("waits", "error", "asyncio.exceptions.CancelledError")
    ]


def test_many_threads_begin_at_once_and_open_one_queue(listener, monkeypatch) -> None:
    opened = []
    original = recording.Telemetry._open
    monkeypatch.setattr(recording.Telemetry, "_open", lambda self: (opened.append(1), time.sleep(0.05), original(self)))
    barrier = threading.Barrier(8)

    @flyball.observe(name="work")
    def work() -> None: ...

    def begin() -> None:
        barrier.wait()
        work()

    sdk_telemetry.reset(AsyncClient(listener.url, "key"))
    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert flyball.flush()

    assert len(opened) == 1
    assert len(listener.spans) == 8
