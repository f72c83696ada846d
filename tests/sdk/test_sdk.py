"""The SDK as an application uses it: it observes, and never gets in the way."""

import asyncio
import logging
import os
import subprocess
import sys
import threading

import msgspec
import pytest

import flyball
from flyball.kit.errors import UnavailableError
from flyball.sdk import recording
from flyball.sdk import telemetry as sdk_telemetry
from flyball.sdk.client import AsyncClient, NotConfiguredError, RefusedError
from flyball.sdk.texts import LONGEST_TEXT
from flyball.traces.records import Span


def by_name(listener) -> dict[str, dict]:
    assert flyball.flush()
    msgspec.convert(listener.spans, tuple[Span, ...])  # what the server takes
    return {span["name"]: span for span in listener.spans}


def test_the_public_face_is_short_and_sorted() -> None:
    assert flyball.__all__ == sorted(flyball.__all__)
    assert all(callable(getattr(flyball, name)) for name in flyball.__all__)
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        flyball.unknown  # noqa: B018


def test_calls_become_spans_that_nest_as_the_calls_do(listener) -> None:
    @flyball.observe(name="search", kind="retrieval")
    def search(query: str, k: int = 5) -> list[str]:
        return [query] * k

    @flyball.observe(name="answer")
    def answer(question: str) -> str:
        search(question, k=2)
        return f"an answer to {question}"

    assert answer("why?") == "an answer to why?"

    spans = by_name(listener)
    outer, inner = spans["answer"], spans["search"]
    assert (inner["trace_id"], inner["parent_id"]) == (outer["trace_id"], outer["span_id"])
    assert (outer.get("parent_id", ""), outer["status"], outer["output"]) == ("", "ok", "an answer to why?")
    assert (inner["kind"], inner["input"], inner["output"]) == (
        "retrieval",
        '{"query":"why?","k":2}',
        '["why?","why?"]',
    )
    assert outer["start_ns"] <= inner["start_ns"] <= inner["end_ns"] <= outer["end_ns"]


def test_an_error_is_recorded_and_raised_as_it_was(listener) -> None:
    @flyball.observe(name="broken")
    def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        broken()

    span = by_name(listener)["broken"]
    assert (span["status"], span["error"]) == ("error", "KeyError: 'x'")


async def test_coroutines_that_run_at_once_keep_their_own_children(listener) -> None:
    @flyball.observe
    async def child(number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    @flyball.observe
    async def parent(number: int) -> tuple[str, int]:
        return flyball.current_trace_id(), await child(number)

    results = await asyncio.gather(*(parent(number) for number in range(10)))
    await asyncio.to_thread(flyball.flush)

    traces = dict(results)
    children = [span for span in listener.spans if span["name"].endswith("child")]
    assert len(traces) == len(children) == 10
    assert {(span["trace_id"], span["output"]) for span in children} == {(t, str(n)) for t, n in traces.items()}
    assert flyball.current_trace_id() == ""


def test_a_generator_is_one_span_and_stays_a_generator(listener) -> None:
    @flyball.observe(name="inside")
    def inside() -> None: ...

    @flyball.observe(name="words")
    def words():
        inside()
        try:
            got = yield "a"
        except ValueError:
            got = "caught"
        yield got
        return "end"

    generator = words()
    assert next(generator) == "a"
    assert flyball.current_trace_id() == ""
    assert generator.throw(ValueError) == "caught"
    with pytest.raises(StopIteration) as stop:
        generator.send(None)
    assert stop.value.value == "end"

    closed = words()
    assert next(closed) == "a"
    assert closed.send("b") == "b"
    closed.close()

    assert flyball.flush()
    found = [span for span in listener.spans if span["name"] == "words"]
    assert [(span["output"], span["status"]) for span in found] == [("acaught", "ok"), ("ab", "ok")]
    parents = {span["parent_id"] for span in listener.spans if span["name"] == "inside"}
    assert parents == {span["span_id"] for span in found}


async def test_an_asynchronous_generator_is_one_span_and_stays_one(listener) -> None:
    @flyball.observe(name="stream")
    async def stream(*, fail: bool = False):
        received = yield 1
        await asyncio.sleep(0)
        yield received
        if fail:
            raise RuntimeError("cut")

    whole = stream()
    assert await anext(whole) == 1
    assert await whole.asend(2) == 2
    with pytest.raises(StopAsyncIteration):
        await anext(whole)
    left = stream()
    assert await anext(left) == 1
    await left.aclose()
    with pytest.raises(RuntimeError, match="cut"):
        [item async for item in stream(fail=True)]
    await asyncio.to_thread(flyball.flush)

    assert [(span["output"], span["status"]) for span in listener.spans] == [
        ("[1,2]", "ok"),
        ("[1]", "ok"),
        ("[1,null]", "error"),
    ]


def test_what_cannot_be_shown_does_not_disturb_the_application(listener) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    @flyball.observe(name="odd")
    def odd(value: object, *, text: str) -> Odd:
        return Odd()

    @flyball.observe(name="big", keep_input=False)
    def big(secret: str) -> str:
        return "x" * (LONGEST_TEXT + 1)

    assert isinstance(odd(Odd(), text="\ud800"), Odd)
    assert len(big("secret")) == LONGEST_TEXT + 1
    with pytest.raises(TypeError):
        odd()

    spans = by_name(listener)
    assert spans["big"]["output"].endswith("… (1,000,001 characters)")
    assert "input" not in spans["big"] or spans["big"]["input"] == ""
    assert "cannot be shown" in listener.spans[0]["output"]


def test_methods_and_signatures_stay_what_they_were(listener) -> None:
    import inspect

    class Service:
        @flyball.observe
        def ask(self, question: str) -> str:
            """Ask."""
            return question

    assert Service().ask("q") == "q"
    assert str(inspect.signature(Service.ask)) == "(self, question: str) -> str"
    assert Service.ask.__doc__ == "Ask."
    (span,) = by_name(listener).values()
    assert span["input"] == '{"question":"q"}'
    assert span["name"].endswith("Service.ask")


def test_feedback_follows_the_spans_it_is_about(listener) -> None:
    @flyball.observe
    def answer() -> str:
        flyball.feedback(1, comment="good")
        return flyball.current_trace_id()

    trace_id = answer()
    assert flyball.flush()

    paths = [path for path, *_ in listener.calls]
    assert sorted(paths) == ["/api/feedback", "/api/traces/spans"]
    (said,) = [body for path, body, _ in listener.calls if path == "/api/feedback"]
    assert (said["trace_id"], said["value"], said["comment"]) == (trace_id, 1, "good")


def test_feedback_waits_for_a_trace_whose_spans_are_still_running(listener) -> None:
    listener.judge = lambda body: 200 if "spans" in body or listener.spans else 404
    with flyball.span("long") as span:
        flyball.feedback(1)
        assert not flyball.flush(0.5)
        assert listener.calls == []
    assert flyball.flush(20)

    (said,) = [body for path, body, _ in listener.calls if path == "/api/feedback"]
    assert said["trace_id"] == span.trace_id


def test_feedback_on_a_trace_that_is_not_recorded_is_not_sent(listener) -> None:
    sdk_telemetry.reset(AsyncClient(listener.url, "key"), sample=0.0)
    with flyball.span("not recorded"):
        flyball.feedback(1)
        flyball.feedback(-1, trace_id="1" * 32)
    assert flyball.flush()

    assert [body["value"] for _, body, _ in listener.calls] == [-1]


def test_many_spans_go_in_few_calls(listener) -> None:
    @flyball.observe
    def work(number: int) -> int:
        return number

    for number in range(2_000):
        work(number)
    assert flyball.flush()

    assert sorted(int(span["output"]) for span in listener.spans) == list(range(2_000))
    assert len(listener.calls) <= 10
    assert all(headers["authorization"] == "Bearer flyball_test" for _, _, headers in listener.calls)


def test_while_flyball_is_away_spans_wait_and_then_arrive_once(listener, caplog) -> None:
    listener.answers = [503, 429, 500]

    @flyball.observe
    def work() -> None: ...

    with caplog.at_level(logging.WARNING, "flyball"):
        work()
        assert flyball.flush()

    assert len(listener.spans) == 1
    assert len(caplog.records) == 0 or all("trying again" in record.message for record in caplog.records)


def test_what_flyball_refuses_is_dropped_counted_and_told_once(listener, caplog) -> None:
    listener.answers = [400, 400]

    @flyball.observe
    def work() -> None: ...

    with caplog.at_level(logging.WARNING, "flyball"):
        for _ in range(2):
            work()
            assert flyball.flush()

    assert sdk_telemetry.telemetry().dropped == 2
    assert [record.message for record in caplog.records] == [
        "POST /api/traces/spans was refused with 400: status 400. Next: wait"
    ]


def test_a_full_queue_drops_and_counts_and_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_WAITING", 10)
    sdk_telemetry.reset(AsyncClient("http://127.0.0.1:9", "key"))

    @flyball.observe
    def work() -> None: ...

    try:
        for _ in range(50):
            work()

        assert sdk_telemetry.telemetry().dropped >= 30
        assert not flyball.flush(0.05)
    finally:
        sdk_telemetry.reset()


def test_without_configuration_nothing_happens_and_one_warning_says_so(caplog, monkeypatch) -> None:
    monkeypatch.delenv("FLYBALL_SERVER", raising=False)
    sdk_telemetry.reset()

    @flyball.observe
    def work() -> int:
        flyball.feedback(1)
        return 1

    with caplog.at_level(logging.WARNING, "flyball"):
        assert [work() for _ in range(3)] == [1, 1, 1]

    assert flyball.flush(0.1)
    assert len(caplog.records) == 1
    assert "FLYBALL_SERVER" in caplog.text


def test_an_address_that_cannot_be_called_is_told_once_and_nothing_waits_for_it(caplog) -> None:
    sdk_telemetry.reset(AsyncClient("127.0.0.1:9", "key"))

    @flyball.observe
    def work() -> int:
        return 1

    with caplog.at_level(logging.WARNING, "flyball"):
        assert work() == 1
        assert flyball.flush(2)

    assert [record.getMessage() for record in caplog.records if "no address" in record.getMessage()]
    assert sdk_telemetry.telemetry().dropped == 1
    sdk_telemetry.reset()


def test_threads_observe_at_once_without_loss(listener) -> None:
    @flyball.observe
    def work(number: int) -> int:
        return number

    threads = [threading.Thread(target=lambda: [work(n) for n in range(200)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert flyball.flush()

    assert len(listener.spans) == 1_000
    assert len({span["span_id"] for span in listener.spans}) == 1_000


def test_the_client_says_what_is_wrong(listener) -> None:
    listener.answers = [403]
    with flyball.Client(listener.url, "key") as client, pytest.raises(RefusedError, match="status 403") as refused:
        client.feedback("0" * 32, 1)
    assert (refused.value.status, refused.value.code, refused.value.next_step) == (403, "refused", "wait")

    with pytest.raises(UnavailableError, match=r"does not answer \(Connection refused"):
        flyball.Client("http://127.0.0.1:9", "key").get_trace("0" * 32)
    with pytest.raises(NotConfiguredError, match=r"'127\.0\.0\.1:9' is no address .* such as http://"):
        flyball.Client("127.0.0.1:9", "key").get_trace("0" * 32)
    with pytest.raises(NotConfiguredError, match="flyball keys create"):
        flyball.Client().get_trace("0" * 32)


def test_a_call_carries_its_input_and_is_a_child_of_what_is_observed(listener) -> None:
    @flyball.observe(name="outer")
    def outer(client: flyball.Client) -> dict:
        return client.call("ask-stdlib", {"question": "why?"}, temperature=0)

    with flyball.Client(listener.url, "key") as client:
        answer = outer(client)
    span = by_name(listener)["outer"]
    (headers,) = [headers for path, _, headers in listener.calls if path == "/v1/chat/completions"]

    assert answer["echo"]["flyball"] == {"input": {"question": "why?"}}
    assert (answer["echo"]["model"], answer["echo"]["temperature"]) == ("ask-stdlib", 0)
    assert headers["traceparent"] == f"00-{span['trace_id']}-{span['span_id']}-01"


async def test_the_asynchronous_client_speaks_alike(listener) -> None:
    async with flyball.AsyncClient(listener.url, "key") as client:
        assert await client.send_spans([{"name": "x"}]) == 1
        assert (await client.feedback("0" * 32, -1, comment="no"))["echo"]["comment"] == "no"


PROGRAM = """
import flyball
@flyball.observe
def work(number):
    return number
for number in range(300):
    work(number)
"""


def test_a_program_that_just_ends_has_sent_everything(listener) -> None:
    environment = os.environ | {"FLYBALL_SERVER": listener.url, "FLYBALL_KEY": "key"}
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True, timeout=60)

    assert len(listener.spans) == 300


def test_a_forked_child_sends_its_own_spans(listener) -> None:
    program = (
        PROGRAM + "import os, sys\nflyball.flush()\nif os.fork() == 0:\n    work(1000)\n    sys.exit()\nos.wait()\n"
    )
    environment = os.environ | {"FLYBALL_SERVER": listener.url, "FLYBALL_KEY": "key"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)

    assert sorted(int(span["output"]) for span in listener.spans) == [*range(300), 1000]


SERVER_LIBRARIES = [
    "psycopg",
    "pyarrow",
    "duckdb",
    "deltalake",
    "lancedb",
    "numpy",
    "fastapi",
    "starlette",
    "uvicorn",
    "dbos",
    "pydantic",
    "jinja2",
    "fsspec",
    "typer",
    "rich",
    "yaml",
]


@pytest.mark.parametrize("statement", ["import flyball", "from flyball import Client, observe, feedback"])
def test_importing_the_sdk_brings_none_of_the_servers_libraries(statement: str) -> None:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    assert loaded.isdisjoint(SERVER_LIBRARIES)
    rooms = {".".join(name.split(".")[:3]) for name in done.stdout.split() if name.startswith("flyball.")}
    assert {room for room in rooms if not room.startswith(("flyball.kit", "flyball.sdk"))} <= {
        "flyball.llm",
        "flyball.llm.errors",
        "flyball.llm.messages",
        "flyball.llm.usage",
    }
