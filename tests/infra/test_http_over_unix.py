"""Asking another process over its Unix socket, with a real server on the other side."""

import asyncio
import contextlib
from pathlib import Path

import pytest
import uvicorn

from flyball.infra.sockets.errors import PeerAwayError, PeerCutError
from flyball.infra.sockets.http_over_unix import HttpOverUnix


class Peer:
    """A server that echoes, streams, is slow or falls over, by path."""

    def __init__(self):
        self.disconnected = asyncio.Event()

    async def __call__(self, scope, receive, send):
        path = scope["path"]
        if path == "/hang":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.disconnected.set()
            return
        if path == "/early":
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"3")]})
            await send({"type": "http.response.body", "body": b"big"})
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = [(b"x-method", scope["method"].encode()), (b"x-length", str(len(body)).encode())]
        if path == "/echo":
            headers.append((b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        elif path == "/empty":
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for number in range(int(path.removeprefix("/count/"))):
                await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def peer(tmp_path_factory):
    socket = Path(tmp_path_factory.mktemp("s")) / "peer.sock"
    peer = Peer()
    peer.socket = socket
    server = uvicorn.Server(uvicorn.Config(peer, uds=str(socket), log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield peer
    server.should_exit = server.force_exit = True
    await serving


@pytest.fixture
def client(peer):
    client = HttpOverUnix(peer.socket)
    yield client
    client.close()


async def test_a_request_and_its_answer_arrive_whole(client):
    async with client.request("POST", "/echo", headers=[(b"content-type", b"text/plain")], body=b"hello") as reply:
        assert reply.status == 200
        assert (b"x-method", b"POST") in reply.headers
        assert await reply.read_all() == b"hello"


async def test_a_streamed_body_of_unknown_length_arrives_whole(client):
    async def pieces():
        for number in range(100):
            await asyncio.sleep(0)
            yield b"%d," % number

    async with client.request("PUT", "/echo", body=pieces()) as reply:
        assert await reply.read_all() == b"".join(b"%d," % number for number in range(100))


async def test_a_streamed_answer_is_read_as_it_comes(client):
    async with client.request("GET", "/count/1000") as reply:
        body = await reply.read_all()

    assert body == b"".join(b"%d\n" % number for number in range(1000))


async def test_megabytes_go_both_ways(client):
    data = b"x" * 8_000_000

    async with client.request("POST", "/echo", body=data) as reply:
        assert await reply.read_all() == data


async def test_one_connection_serves_requests_one_after_the_other(client):
    for _ in range(5):
        async with client.request("POST", "/echo", body=b"x") as reply:
            await reply.read_all()

    assert len(client._idle) == 1


async def test_many_requests_at_once_do_not_mix(client):
    async def echo(number):
        async with client.request("POST", "/echo", body=b"%d" % number) as reply:
            return await reply.read_all()

    assert await asyncio.gather(*(echo(number) for number in range(100))) == [b"%d" % number for number in range(100)]


async def test_answers_without_a_body_end(client):
    for method, path in (("GET", "/empty"), ("HEAD", "/echo"), ("HEAD", "/count/3")):
        async with client.request(method, path) as reply:
            assert await reply.read_all() == b""


async def test_leaving_early_tells_the_other_side(client, peer):
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.1), client.request("GET", "/hang"):
            pass

    await asyncio.wait_for(peer.disconnected.wait(), 1)


async def test_an_answer_may_come_before_the_body_was_sent(client):
    async def endless():
        while True:
            await asyncio.sleep(0.01)
            yield b"x" * 1000

    async with client.request("POST", "/early", body=endless()) as reply:
        assert reply.status == 413
        assert await reply.read() == b"big"


async def test_a_caller_whose_own_body_fails_gets_that_failure(client):
    async def broken():
        yield b"x"
        raise ValueError("the caller's own")

    with pytest.raises(ValueError, match="the caller's own"):
        async with client.request("POST", "/echo", body=broken()):
            pass


async def test_nobody_there_is_said_at_once_and_names_the_socket(tmp_path):
    with pytest.raises(PeerAwayError, match=r"nobody answers at .*none\.sock"):
        async with HttpOverUnix(tmp_path / "none.sock").request("GET", "/"):
            pass


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
    ],
)
async def test_an_answer_that_breaks_off_is_an_error(tmp_path, answer):
    async def fall_over(reader, writer):
        await reader.read(10)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(fall_over, tmp_path / "s")
    with pytest.raises(PeerCutError):
        async with HttpOverUnix(tmp_path / "s").request("GET", "/") as reply:
            await reply.read_all()
    server.close()


async def test_a_slow_reader_holds_the_writer_back(client):
    async with client.request("GET", "/count/200000") as reply:
        await reply.read()
        await asyncio.sleep(0.3)
        assert reply.connection._waiting_bytes < 1_000_000

        assert (await reply.read_all()).endswith(b"199999\n")
