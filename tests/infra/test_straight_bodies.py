"""Bodies go from the socket to whoever reads them without a parser: whole, and nothing of what comes behind them is lost."""

import asyncio
import socket

import pytest

from flyball.infra.sockets.guarded import Allowance
from flyball.infra.sockets.serving import Server

LARGE = bytes(range(256)) * 4096  # a megabyte


class App:
    """Answers with the body; at `/early` before any of it came."""

    async def __call__(self, scope, receive, send):
        body, more = b"", scope["path"] != "/early"
        while more:
            message = await receive()
            assert isinstance(message["body"], bytes)
            body, more = body + message["body"], message["more_body"]
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(params=[Allowance(), None], ids=["public", "own"])
async def connection(request):
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = Server(App(), allowance=request.param, hears_signals=False)
    serving = asyncio.create_task(server.serve([bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(*bound.getsockname())
    yield reader, writer
    writer.close()
    server.force_exit = True
    server.stop()
    await serving


def asking(body, path="/"):
    return f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    return await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))


async def test_a_body_that_comes_in_pieces_arrives_whole_and_so_does_the_next_one(connection):
    reader, writer = connection
    for size in (1, 65_536, len(LARGE)):
        question = asking(LARGE[:size])
        for at in range(0, len(question), 100_000):
            writer.write(question[at : at + 100_000])
            await writer.drain()
            await asyncio.sleep(0.005)  # so that pieces are read apart

        assert await answer(reader) == LARGE[:size]


async def test_what_comes_right_behind_a_body_is_the_next_request(connection):
    reader, writer = connection
    first, second = asking(LARGE[:300_000]), asking(b"second")
    writer.write(first[:1_000])
    await asyncio.sleep(0.02)
    writer.write(first[1_000:] + second + asking(b""))

    assert await answer(reader) == LARGE[:300_000]
    assert await answer(reader) == b"second"
    assert await answer(reader) == b""


async def test_a_body_in_chunks_ends_where_its_chunks_say(connection):
    reader, writer = connection
    writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    for piece in (LARGE[:70_000], LARGE[70_000:140_000]):
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await asyncio.sleep(0.005)
    writer.write(b"0\r\n\r\n" + asking(b"next"))

    assert await answer(reader) == LARGE[:140_000]
    assert await answer(reader) == b"next"


async def test_a_body_that_nobody_waited_for_is_passed_over(connection):
    reader, writer = connection
    question = asking(LARGE[:200_000], "/early")
    writer.write(question[:1_000])
    assert await answer(reader) == b""
    for at in range(1_000, len(question), 50_000):
        writer.write(question[at : at + 50_000])
        await asyncio.sleep(0.005)
    writer.write(asking(b"next"))

    assert await answer(reader) == b"next"


async def test_what_is_no_request_behind_a_body_is_refused(connection):
    reader, writer = connection
    question = asking(LARGE[:100_000])
    writer.write(question[:1_000])
    await asyncio.sleep(0.02)
    writer.write(question[1_000:])
    assert await answer(reader) == LARGE[:100_000]
    writer.write(b"\x00\x01 nonsense\r\n\r\n")

    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
