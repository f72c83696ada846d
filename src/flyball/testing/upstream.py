"""A provider that does as it is told, down to the bytes on the wire: it resets, stalls, cuts, lies, on demand.

A small HTTP/1.1 server of its own, because a fault of the wire (a reset, half a chunk) is what no framework lets one do,
and because a benchmark needs an upstream that costs nearly nothing.
"""

import asyncio
import socket
import struct
from collections import deque
from functools import cache
from typing import NamedTuple, Self, cast

import httptools
import msgspec

from . import openai
from .script import Turn, turn_from_model

_REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


class Received(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedUpstream:
    """An upstream on a loopback port. `then(...)` queues turns, one per request; without one it answers plainly."""

    def __init__(self, *, port: int = 0, keep_requests: bool = True) -> None:
        self._port = port
        self._keep = keep_requests
        self._turns: deque[Turn] = deque()
        self._server: asyncio.Server | None = None
        self.otherwise = Turn()
        self.requests: list[Received] = []
        self.connections: set[_Connection] = set()
        self.hangups = 0  # connections that a client closed while it was being answered

    @property
    def base_url(self) -> str:
        """What a model's endpoint names as its `base_url`."""
        return f"http://127.0.0.1:{self._port}/v1"

    def then(self, *turns: Turn) -> None:
        """What to do with the next requests, in order."""
        self._turns.extend(turns)

    async def start(self) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self._port, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop every connection: whoever calls now is refused. `start` listens on the same port."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.drop()
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def take_turn(self, model: str) -> Turn:
        """What to do with this request: the model's name may say it, else the queue, else the plain answer."""
        return turn_from_model(model) or (self._turns.popleft() if self._turns else self.otherwise)

    def note(self, request: Received) -> None:
        """Keep a request for tests to look at."""
        if self._keep:
            self.requests.append(request)


class _Connection(asyncio.Protocol):
    """One client. Requests on it are answered one after the other."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self._upstream = upstream
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._path = ""
        self._body: list[bytes] = []
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # create_server gives nothing else
        self._upstream.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        self._upstream.connections.discard(self)
        if self._answering is not None and not self._answering.done():
            self._upstream.hangups += 1
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_url(self, url: bytes) -> None:
        self._path = url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        request = Received(method, self._path, self._headers, b"".join(self._body))
        self._headers, self._body = {}, []
        self._upstream.note(request)
        try:
            ask = msgspec.json.decode(request.body, type=openai.Ask)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._send(400, b'{"error": {"message": "not JSON"}}')
            return
        turn = self._upstream.take_turn(ask.model)
        if not turn.fault and not turn.delay_seconds and not ask.stream:
            self._transport.write(_plain_answer(turn, ask.model))
        else:
            self._answering = asyncio.get_running_loop().create_task(self._perform(turn, ask))

    async def _perform(self, turn: Turn, ask: openai.Ask) -> None:
        if turn.delay_seconds:
            await asyncio.sleep(turn.delay_seconds)
        if turn.fault == "reset":
            self._reset()
        elif turn.fault == "stall":
            await asyncio.sleep(3600)
        elif turn.fault == "status":
            self._send(
                turn.status, openai.error(turn), *([f"retry-after: {turn.retry_after}"] if turn.retry_after else [])
            )
        elif ask.stream:
            await self._stream(turn, ask)
        else:
            await self._whole(turn, ask)

    async def _whole(self, turn: Turn, ask: openai.Ask) -> None:
        answer = _plain_answer(turn, ask.model)
        if turn.fault not in ("reset_midway", "stall_midway", "cut", "unfinished"):
            self._transport.write(answer)
            return
        self._transport.write(answer[: len(answer) - 40])
        await self._break(turn)

    async def _stream(self, turn: Turn, ask: openai.Ask) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: scripted\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        events = openai.events(turn, ask)
        breaks = turn.fault in ("reset_midway", "stall_midway", "cut", "unfinished")
        if breaks:
            events = events[: turn.after_chunks]
        if turn.chunk_bytes:
            data = b"".join(events)
            events = [data[at : at + turn.chunk_bytes] for at in range(0, len(data), turn.chunk_bytes)]
        for number, event in enumerate(events):
            if number and turn.pause_seconds:
                await asyncio.sleep(turn.pause_seconds)
            self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        if breaks:
            await asyncio.sleep(0.01)  # what was written so far is on its way before the fault
            await self._break(turn)
        else:
            self._transport.write(b"0\r\n\r\n")

    async def _break(self, turn: Turn) -> None:
        if turn.fault == "stall_midway":
            await asyncio.sleep(3600)
        elif turn.fault == "reset_midway":
            self._reset()
        elif turn.fault == "cut":
            self._transport.close()
        else:
            self._transport.write(b"0\r\n\r\n")

    def _send(self, status: int, body: bytes, *headers: str) -> None:
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", "content-type: application/json"]
        lines += [f"content-length: {len(body)}", *headers]
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def _reset(self) -> None:
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    @property
    def waiting_bytes(self) -> int:
        """What was written and the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def drop(self) -> None:
        """Close at once."""
        self._transport.abort()


@cache
def _plain_answer(turn: Turn, model: str) -> bytes:
    body = openai.whole(turn, model)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: scripted\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
