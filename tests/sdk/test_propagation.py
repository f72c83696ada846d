"""A trace goes on in the next process and in other threads: W3C's headers in and out, and contexts."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flyball
from flyball.sdk import propagation

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def sent(listener) -> dict[str, dict]:
    assert flyball.flush()
    return {span["name"]: span for span in listener.spans}


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": PARENT},
        {"Traceparent": PARENT},
        {"HTTP_TRACEPARENT": PARENT, "wsgi.input": object()},
        [(b"host", b"x"), (b"traceparent", PARENT.encode())],
        {"traceparent": f"cc-{TRACE}-{SPAN}-01-what-comes-later"},
        {"traceparent": f"00-{TRACE}-{SPAN}-03"},
    ],
)
def test_a_trace_that_came_in_goes_on(listener, headers) -> None:
    with flyball.trace_context(headers), flyball.span("inside"):
        assert flyball.current_trace_id() == TRACE

    span = sent(listener)["inside"]
    assert (span["trace_id"], span["parent_id"], span["remote_parent"]) == (TRACE, SPAN, True)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01\nx: y",
    ],
)
def test_what_is_no_traceparent_begins_a_trace_of_its_own(listener, value) -> None:
    with flyball.trace_context({"traceparent": value}), flyball.span("inside"):
        pass

    span = sent(listener)["inside"]
    assert span["trace_id"] != TRACE
    assert "parent_id" not in span


def test_what_goes_out_is_what_the_next_process_understands(listener) -> None:
    state = {"traceparent": PARENT, "tracestate": "vendor=1", "baggage": "tenant=acme;p=1,session.id=old"}
    with flyball.trace_context(state, user="Ada Lovelace"), flyball.span("caller") as caller:
        caller.set(session="s 1")
        headers = flyball.trace_headers()
        plain = flyball.trace_headers(baggage=False)

    with flyball.trace_context(headers), flyball.span("callee"):
        pass

    assert headers["traceparent"] == f"00-{TRACE}-{caller.span_id}-01"
    assert headers["tracestate"] == "vendor=1"
    assert headers["baggage"] == "session.id=s%201,user.id=Ada%20Lovelace,tenant=acme;p=1"
    assert "baggage" not in plain
    callee = sent(listener)["callee"]
    assert (callee["trace_id"], callee["parent_id"]) == (TRACE, caller.span_id)
    assert (callee["session_id"], callee["user_id"]) == ("s 1", "Ada Lovelace")


def test_what_was_not_recorded_there_is_not_recorded_here(listener) -> None:
    with flyball.trace_context({"traceparent": PARENT[:-1] + "0"}), flyball.span("inside"):
        headers = flyball.trace_headers()

    assert sent(listener) == {}
    assert headers["traceparent"].endswith("-00")


def test_session_and_user_may_come_without_a_trace(listener) -> None:
    with flyball.trace_context(session="s-1", user="ada", tags=("beta",)):
        with flyball.span("one"):
            pass
        with flyball.trace_context(session="s-2"), flyball.span("two"):
            pass
    with flyball.span("three"), flyball.trace_context(session="s-3"), flyball.span("four"):
        pass

    spans = sent(listener)
    assert (spans["one"]["session_id"], spans["one"]["user_id"], spans["one"]["tags"]) == ("s-1", "ada", ["beta"])
    assert (spans["two"]["session_id"], spans["two"]["user_id"]) == ("s-2", "ada")
    assert spans["one"]["trace_id"] != spans["two"]["trace_id"]
    assert spans["three"]["session_id"] == spans["four"]["session_id"] == "s-3"
    assert spans["four"]["parent_id"] == spans["three"]["span_id"]


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=80)), st.text(max_size=200), st.text(max_size=200))
def test_headers_of_any_make_are_read_without_an_error(headers, traceparent, baggage) -> None:
    carried = propagation.read(headers | {"traceparent": traceparent, "baggage": baggage, "tracestate": baggage})

    outgoing = propagation.baggage(carried.baggage, carried.session, carried.user)
    assert "\n" not in outgoing + carried.tracestate
    assert "\r" not in outgoing + carried.tracestate


def test_threads_observe_inside_the_span_that_began_them(listener) -> None:
    @flyball.observe(name="work")
    def work(number: int) -> int:
        barrier.wait(5)
        return number

    barrier = threading.Barrier(3)
    with flyball.span("outer") as outer:
        inside = flyball.in_context(work)
        threads = [threading.Thread(target=inside, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    barrier = threading.Barrier(1)
    lost = threading.Thread(target=work, args=(3,))
    lost.start()
    lost.join()

    assert flyball.flush()
    parents = {int(span["output"]): span.get("parent_id") for span in listener.spans if span["name"] == "work"}
    assert parents == {0: outer.span_id, 1: outer.span_id, 2: outer.span_id, 3: None}


def test_a_pool_observes_inside_the_span_that_handed_the_work_in(listener) -> None:
    @flyball.observe(name="work")
    def work(number: int) -> int:
        return number

    with flyball.ContextThreadPoolExecutor(2) as pool:
        with flyball.span("outer") as outer:
            assert list(pool.map(work, range(4))) == [0, 1, 2, 3]
            assert pool.submit(work, number=4).result() == 4
        with flyball.span("later") as later:
            pool.submit(work, 5).result()
    with ThreadPoolExecutor(1) as pool, flyball.span("third") as third:
        pool.submit(flyball.in_context(work), 6).result()

    assert flyball.flush()
    parents = {int(span["output"]): span["parent_id"] for span in listener.spans if span["name"] == "work"}
    assert parents == dict.fromkeys(range(5), outer.span_id) | {5: later.span_id, 6: third.span_id}


async def test_a_thread_of_asyncio_observes_inside_as_well(listener) -> None:
    @flyball.observe(name="work")
    def work() -> None: ...

    with flyball.span("outer") as outer:
        await asyncio.to_thread(work)
        await asyncio.get_running_loop().run_in_executor(None, flyball.in_context(work))

    await asyncio.to_thread(flyball.flush)
    assert [span["parent_id"] for span in listener.spans if span["name"] == "work"] == [outer.span_id] * 2
