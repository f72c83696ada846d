"""Bodies go from the socket to whoever reads them without a parser: whole, and nothing of what comes behind them is lost."""

import asyncio
import contextlib
import random
import socket
from itertools import pairwise

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


async def test_what_comes_behind_the_last_request_is_nobodys(connection):
    reader, writer = connection
    question = asking(LARGE[:100_000]).replace(b"host: a", b"host: a\r\nconnection: close")
    writer.write(question[:1_000])
    await asyncio.sleep(0.02)
    writer.write(question[1_000:] + b"\x00\x01 nonsense\r\n\r\n")

    assert await answer(reader) == LARGE[:100_000]
    assert await reader.read() == b""


async def test_a_length_may_be_written_with_many_zeros(connection):
    reader, writer = connection
    head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %b5\r\n\r\n" % (b"0" * 5_000)
    writer.write(head + b"he")
    await asyncio.sleep(0.02)
    writer.write(b"llo" + asking(b"next"))

    assert await answer(reader) == b"hello"
    assert await answer(reader) == b"next"


OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"
OFFERS = {  # as Java's own client makes them, of a body whose length it knows and of one that it does not
    "counted": b"POST / HTTP/1.1\r\n" + OFFER + b"content-length: 11\r\nhost: a\r\n\r\nhello there",
    "in chunks": b"POST / HTTP/1.1\r\n"
    + OFFER
    + b"transfer-encoding: chunked\r\nhost: a\r\n\r\n5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("size", [1, 7, 1_000])
async def test_who_offers_another_protocol_is_answered_in_this_one_with_all_that_he_sent(connection, offer, size):
    reader, writer = connection
    question = OFFERS[offer]
    for at in range(0, len(question), size):
        writer.write(question[at : at + size])
        await asyncio.sleep(0.001 if size < 1_000 else 0)

    assert await answer(reader) == b"hello there"
    assert await reader.read() == b""


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("behind", [asking(b"another"), b"\x00\x01 nonsense\r\n\r\n", b"z" * 100_000])
async def test_what_comes_behind_an_offer_is_nobodys(connection, offer, behind):
    reader, writer = connection
    writer.write(OFFERS[offer] + behind)

    assert await answer(reader) == b"hello there"
    with contextlib.suppress(ConnectionResetError):  # who goes on sending into a closed connection may be told so
        assert await reader.read() == b""


async def test_an_offer_whose_chunks_are_none_is_refused(connection):
    reader, writer = connection
    writer.write(OFFERS["in chunks"].partition(b"\r\n\r\n")[0] + b"\r\n\r\nnot a size\r\n")

    assert (await reader.readline()).startswith(b"HTTP/1.1 400")


async def test_an_offer_without_a_body_is_answered_at_once(connection):
    reader, writer = connection
    writer.write(b"GET / HTTP/1.1\r\n" + OFFER + b"host: a\r\n\r\n" + asking(b"another"))

    assert await answer(reader) == b""
    assert await reader.read() == b""


@pytest.mark.parametrize("seed", range(8))
async def test_requests_split_anywhere_are_the_same_requests(connection, seed):
    reader, writer = connection
    chance = random.Random(seed)
    bodies = [LARGE[: chance.choice([0, 1, 5, 1_000, 70_000, 300_000])] for _ in range(6)]
    sent = b""
    for body in bodies:
        chunked = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        sent += chance.choice([b"", b"\r\n"]) + (chunked if body and chance.random() < 0.3 else asking(body))
    cuts = sorted({0, len(sent), *(chance.randrange(len(sent)) for _ in range(12))})

    async def send():
        for start, end in pairwise(cuts):
            writer.write(sent[start:end])
            await writer.drain()
            await asyncio.sleep(0.002)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(send())
        for body in bodies:
            assert await answer(reader) == body
