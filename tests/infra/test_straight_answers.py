"""An answer goes out as uvicorn would write it, byte by byte, and what it refuses is refused."""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from flyball.infra.sockets.answers import StraightCycle

START, BODY = "http.response.start", "http.response.body"


class Transport:
    def __init__(self):
        self.written, self.closed = b"", False

    def write(self, data):
        self.written += data

    def close(self):
        self.closed = True


def said(kind, messages, *, method="GET", keep_alive=True):
    """What a cycle wrote, whether it closed the connection, and whether its answer was complete; "refused" where it raised."""
    transport, ended = Transport(), []
    cycle = kind(
        scope={"type": "http", "method": method}, transport=transport, flow=FlowControl(transport), logger=None,
        access_logger=None, access_log=False, default_headers=[(b"date", b"today")], message_event=asyncio.Event(),
        expect_100_continue=True, keep_alive=keep_alive, on_response=lambda: ended.append(1),
    )  # fmt: skip
    try:
        for message in messages:
            coroutine = cycle.send(message)
            with pytest.raises(StopIteration):
                coroutine.send(None)
    except RuntimeError:
        refused = True
    else:
        refused = False
    # Of a head that is refused nothing is written, and the connection ends whatever it said.
    keep_alive = cycle.keep_alive and not (refused and not transport.written)
    waiting = cycle.waiting_for_100_continue
    return transport.written, transport.closed, cycle.response_complete, ended, waiting, keep_alive, refused


def head(*headers, status=200):
    return {"type": START, "status": status, "headers": headers}


def piece(body, *, more=False):
    return {"type": BODY, "body": body, "more_body": more}


names = st.sampled_from(
    [
        b"content-length",
        b"Content-Length",
        b"transfer-encoding",
        b"connection",
        b"x-a",
        b"X_b",
        b"x a",
        b"x\r\nb",
        b"x:c",
    ]
)
values = st.one_of(
    st.sampled_from([b"5", b"0", b"chunked", b"Chunked", b"close", b"keep-alive, Close", b"a\tb", b"\xe9"]),
    st.sampled_from([b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"\x00", b"\x7f"]),
)
headers = st.lists(st.tuples(names, values), max_size=4)
messages = st.one_of(
    st.builds(lambda lines, status: head(*lines, status=status), headers, st.sampled_from([200, 204, 304, 404])),
    st.builds(piece, st.sampled_from([b"", b"hello", b"\x00" * 20]), more=st.booleans()),
    st.just({"type": "http.response.trailers"}),
)


def is_number(lines):
    return all(value.isdigit() for name, value in lines if name.lower() == b"content-length")


@given(headers, st.lists(messages, max_size=3), st.sampled_from(["GET", "HEAD"]), st.booleans())
@example([(b"content-length", b"5")], [piece(b"hello")], "GET", True)
@example([(b"content-length", b"5"), (b"content-length", b"5")], [piece(b"hello")], "GET", True)
@example([(b"content-length", b"5")], [piece(b"hell")], "GET", True)
@example([(b"content-length", b"5")], [piece(b"hello", more=True), piece(b"!")], "GET", True)
@example([], [piece(b"hello", more=True), piece(b"")], "GET", False)
@example([(b"connection", b"close")], [piece(b"hello"), piece(b"again")], "GET", True)
@example([(b"x-a", b"a\r\nset-cookie: b")], [], "GET", True)
@example([(b"connection", b"close"), (b"x-a", b"a\r\nset-cookie: b")], [], "GET", True)
@example([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity")], [piece(b"hello")], "GET", True)
@example(
    [(b"transfer-encoding", b"Chunked"), (b"transfer-encoding", b"x"), (b"content-length", b"5")],
    [piece(b"hello")],
    "GET",
    True,
)
def test_an_answer_is_what_uvicorn_writes(lines, more, method, keep_alive):
    if not is_number(lines):
        return
    sent = [head(*lines), *more]

    assert said(StraightCycle, sent, method=method, keep_alive=keep_alive) == said(
        RequestResponseCycle, sent, method=method, keep_alive=keep_alive
    )


@given(headers)
def test_no_value_and_no_name_makes_another_line(lines):
    if not is_number(lines):
        return
    written, *_, refused = said(StraightCycle, [head(*lines)])

    assert refused or written.count(b"\r\n") <= 2 + 1 + len(lines) + 1  # with the status, the date and the framing
    assert refused or written.count(b"\n") == written.count(b"\r") == written.count(b"\r\n")


@pytest.mark.parametrize("pairs", [[[b"x-a", b"1"]], ((b"x-a", b"1") for _ in range(1)), iter([[b"x-a", b"1"]])])
def test_headers_are_any_pairs(pairs):
    written, *_ = said(StraightCycle, [{"type": START, "status": 200, "headers": pairs}])

    assert written == b"HTTP/1.1 200 OK\r\ndate: today\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n"


def test_who_has_left_is_told_nothing():
    class Left(StraightCycle):
        def __init__(self, **named):
            super().__init__(**named)
            self.disconnected = True

    assert said(Left, [head(), piece(b"hello")])[0] == b""
