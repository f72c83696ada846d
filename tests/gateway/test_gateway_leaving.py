"""A caller who is gone costs nothing: what answered it is hung up on at once, however it left and whatever was being said.

What is promised is a hundred milliseconds. A test that shares its processor with others may itself wait longer than that for its turn,
so the tests wait for the event and allow a second; what they prove is that no timeout, no next piece and no end of the answer is
waited for.
"""

import asyncio
import contextlib
import socket
import struct
from types import SimpleNamespace

import faces
import pytest
from faces import ANTHROPIC, CHAT
from surroundings import CHUNK, KEY

from flyball.gateway.app import GatewayApp

SOON = 1.0
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


class Upstream:
    """Says a first piece of a stream, goes on or falls silent, and notes when it is hung up on."""

    def __init__(self):
        self.goes_on = False
        self.begins = True
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.handling = {}

    async def handle(self, reader, writer):
        self.handling[asyncio.current_task()] = writer
        length = 0
        while (line := await reader.readline()) not in (b"\r\n", b""):
            length = int(line.split()[1]) if line.startswith(b"content-length:") else length
        await reader.readexactly(length)
        self.asked.set()
        if self.begins:
            writer.write(HEAD + b"data: " + CHUNK + b"\n\n")
        talking = asyncio.create_task(self._go_on(writer))
        with contextlib.suppress(ConnectionError):
            await reader.read()
        self.hung_up.set()
        talking.cancel()
        await closed(writer)

    async def _go_on(self, writer):
        while self.goes_on:
            writer.write(b"data: " + CHUNK + b"\n\n")
            await asyncio.sleep(0.001)


async def closed(writer):
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture
async def talker(gateway):
    upstream = Upstream()
    server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0)
    place = SimpleNamespace(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    gateway.know(models={"fast": faces.behind(place, CHAT)})
    yield upstream
    server.close()
    for writer in upstream.handling.values():
        await closed(writer)
    await asyncio.gather(*upstream.handling)


async def calling(gateway, caller, *, stream=True):
    """A caller who has asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.base.rpartition(":")[2]))
    body = faces.body_of(caller, stream=stream)
    head = f"POST {faces.path_of(caller, stream=stream)} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    return reader, writer


async def leave(writer, how):
    """Close the connection, politely or at once."""
    if how == "reset":
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    await closed(writer)


@pytest.mark.parametrize("caller", [CHAT, ANTHROPIC], ids=["relayed", "translated"])
@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("goes_on", [False, True], ids=["silent", "talking"])
async def test_who_leaves_in_the_middle_of_a_stream_ends_it_at_once(gateway, talker, caller, how, goes_on):
    talker.goes_on = goes_on
    reader, writer = await calling(gateway, caller)
    await reader.readuntil(b"hi")

    await leave(writer, how)

    async with asyncio.timeout(SOON):
        await talker.hung_up.wait()
    assert (await gateway.settled()).root.attributes["error_code"] == "client_closed_request"
    assert gateway.house.gate.calls == gateway.house.gate.bytes == 0


@pytest.mark.parametrize("caller", [CHAT, ANTHROPIC], ids=["relayed", "translated"])
@pytest.mark.parametrize("stream", [False, True])
async def test_who_leaves_before_the_answer_begins_ends_the_question_at_once(gateway, talker, caller, stream):
    talker.begins = False
    _, writer = await calling(gateway, caller, stream=stream)
    await talker.asked.wait()

    await leave(writer, "closed")

    async with asyncio.timeout(SOON):
        await talker.hung_up.wait()
    assert (await gateway.settled()).root.attributes["error_code"] == "client_closed_request"


@pytest.mark.parametrize("caller", [CHAT, ANTHROPIC], ids=["relayed", "translated"])
@pytest.mark.parametrize("fails_at", [1, 2, 3])
async def test_a_piece_that_cannot_be_sent_ends_the_stream_at_once(gateway, talker, caller, fails_at):
    """The server may learn that a caller is gone by a failed send alone, before it has said so."""
    talker.goes_on = True
    sent = []

    async def send(message):
        sent.append(message)
        if len(sent) >= fails_at:
            raise ConnectionResetError("the caller is gone")

    body = [{"type": "http.request", "body": faces.body_of(caller, stream=True), "more_body": False}]

    async def receive():
        return body.pop() if body else await asyncio.Event().wait()

    path = faces.path_of(caller, stream=True)
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": [(b"authorization", f"Bearer {KEY}".encode())], "client": None,
        "server": ("127.0.0.1", 4000),
    }  # fmt: skip

    with contextlib.suppress(OSError):
        await GatewayApp(gateway.house)(scope, receive, send)

    async with asyncio.timeout(SOON):
        await talker.hung_up.wait()
    assert len(sent) <= fails_at + 1
    assert (await gateway.settled()).root.status == "error"
    assert len([span for span in gateway.spans if span.kind == "gateway"]) == 1
    assert gateway.house.gate.calls == gateway.house.gate.bytes == 0
