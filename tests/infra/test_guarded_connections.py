"""Strangers at the public port: heads without end, bodies that trickle, readers that do not read, and honest ones beside them."""

import asyncio
import contextlib
import socket

import pytest

from flyball.infra.sockets.guarded import Allowance
from flyball.infra.sockets.serving import Server

HEAD = b"POST / HTTP/1.1\r\nhost: a\r\n"
WHOLE = HEAD + b"content-length: 2\r\n\r\nhi"
BRIEF = Allowance(
    head_bytes=4096,
    fields=20,
    head_seconds=0.3,
    body_grace_seconds=0.3,
    body_rate=10_000,
    unread_seconds=0.3,
    look_seconds=0.05,
)


class App:
    """Answers with the length of the body; `/long` with more than any buffer holds, `/hold` only when told."""

    def __init__(self):
        self.whole = 0
        self.left = 0
        self.go_on = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["path"] == "/hold":
            await self.go_on.wait()
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            size, more = size + len(message["body"]), message["more_body"]
        self.whole += 1
        answer = b"x" * 64_000_000 if scope["path"] == "/long" else str(size).encode()
        length = (b"content-length", str(len(answer)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})


@pytest.fixture
async def app():
    return App()


@pytest.fixture
async def connect(app):
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = Server(app, allowance=BRIEF, hears_signals=False)
    serving = asyncio.create_task(server.serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    opened = []

    async def connect():
        reader, writer = await asyncio.open_connection(*bound.getsockname())
        opened.append(writer)
        return reader, writer

    yield connect
    for writer in opened:
        writer.close()
    server.force_exit = True
    server.stop()
    await serving


async def ended(reader):
    """Everything until the connection's end, which must come."""
    came = b""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):  # where we were still sending; what came before it counts
            while piece := await reader.read(65_536):
                came += piece
    return came


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /" + b"a" * 9000, id="an address without end"),
        pytest.param(HEAD + b"x-long: " + b"a" * 9000, id="a header without end"),
        pytest.param(HEAD + b"x-long: " + b"a" * 9000 + b"\r\n\r\n", id="a long header"),
        pytest.param(HEAD + b"a: b\r\n" * 30 + b"\r\n", id="many headers"),
        pytest.param(HEAD + b"a: b\r\n" * 3000, id="headers without end"),
    ],
)
async def test_a_head_that_is_too_large_is_refused_before_anybody_works_on_it(connect, app, head):
    reader, writer = await connect()
    writer.write(head)

    assert (await ended(reader)).startswith(b"HTTP/1.1 431 ")
    assert app.whole == app.left == 0


async def test_a_head_that_trickles_is_ended(connect):
    reader, writer = await connect()

    async def trickle():
        for byte in HEAD * 10:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    assert (await ended(reader)).startswith(b"HTTP/1.1 408 ")
    trickling.cancel()


@pytest.mark.parametrize("said", [b"", b"\r\n"])
async def test_whoever_says_nothing_is_hung_up_on(connect, said):
    reader, writer = await connect()
    writer.write(said)

    assert b"200" not in await ended(reader)


async def test_empty_lines_do_not_keep_an_idle_connection_for_ever(connect):
    reader, writer = await connect()
    writer.write(WHOLE)
    assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200 ")

    async def knock():
        while True:
            writer.write(b"\r\n")
            await asyncio.sleep(0.1)

    knocking = asyncio.create_task(knock())
    await ended(reader)
    knocking.cancel()


async def test_a_body_that_trickles_is_ended_and_its_reader_is_told(connect, app):
    reader, writer = await connect()
    writer.write(HEAD + b"content-length: 100000\r\n\r\n")

    async def trickle():
        while True:
            writer.write(b"x" * 10)
            await asyncio.sleep(0.02)

    trickling = asyncio.create_task(trickle())
    assert (await ended(reader)).startswith(b"HTTP/1.1 408 ")
    trickling.cancel()
    assert app.left == 1


async def test_a_body_that_keeps_its_pace_may_take_longer_than_the_grace(connect, app):
    reader, writer = await connect()
    writer.write(HEAD + b"content-length: 32000\r\n\r\n")
    for _ in range(16):
        writer.write(b"x" * 2000)
        await asyncio.sleep(0.05)

    assert (await reader.readuntil(b"32000")).startswith(b"HTTP/1.1 200 ")
    assert app.whole == 1


@pytest.mark.parametrize("fast", [1, 90_000])
async def test_a_body_that_stops_coming_is_ended_however_fast_it_came_before(connect, app, fast):
    reader, writer = await connect()
    writer.write(HEAD + b"content-length: 100000\r\n\r\n" + b"x" * fast)

    async with asyncio.timeout(2):
        assert (await ended(reader)).startswith(b"HTTP/1.1 408 ")
    assert app.left == 1


async def test_a_body_that_we_hold_up_ourselves_is_not_blamed(connect, app):
    reader, writer = await connect()
    body = b"x" * 3_000_000
    writer.write(b"POST /hold HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await asyncio.sleep(0.6)
    app.go_on.set()

    assert (await reader.readuntil(b"3000000")).startswith(b"HTTP/1.1 200 ")


async def test_an_answer_that_nobody_reads_is_given_up(connect, app):
    reader, writer = await connect()
    reader._transport.pause_reading()
    writer.write(b"GET /long HTTP/1.1\r\nhost: a\r\n\r\n")
    await asyncio.sleep(1.5)
    reader._transport.resume_reading()

    assert app.whole == 1
    assert len(await ended(reader)) < 64_000_000


async def test_an_offer_to_speak_something_else_is_declined_and_ends_the_connection(connect):
    reader, writer = await connect()
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n" + b"z" * 5000)

    answer = await ended(reader)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_honest_clients_are_served_while_strangers_hold_connections(connect):
    for _ in range(200):
        _, writer = await connect()
        writer.write(HEAD)
    for _ in range(3):
        reader, writer = await connect()
        for _ in range(3):
            writer.write(WHOLE)
            assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200 ")
        writer.write(WHOLE * 3)
        await reader.readuntil(b"\r\n\r\n2")
        await reader.readuntil(b"\r\n\r\n2")
        await reader.readuntil(b"\r\n\r\n2")
