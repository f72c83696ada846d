"""A provider that does as it is told, down to the bytes on the wire: it resets, stalls, cuts, lies, on demand.

A small HTTP/1.1 server of its own, because a fault of the wire (a reset, half a chunk) is what no framework lets one do,
and because a benchmark needs an upstream that costs nearly nothing. The words are the dialects'.
"""

import asyncio
import socket
import struct
from collections import deque
from functools import lru_cache
from typing import Self, cast

import httptools
import msgspec

from . import anthropic, gemini, openai_chat
from .bills import Bill, bill_of
from .dialect import Ask, Dialect, Failure, Issued, Place, Received, Streamed, scripted
from .routing import route
from .script import Turn, turn_from_model

_REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}
_FRAMINGS = {"sse": "text/event-stream", "array": "application/json", "frames": "application/vnd.amazon.eventstream"}
_PAGE = b"<!doctype html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>\n"
_BREAKS = ("reset_midway", "stall_midway", "cut", "unfinished")


class ScriptedUpstream:
    """An upstream on a loopback port. `then(...)` queues turns, one per request; without one it answers plainly.

    With `strict` it refuses what the vendor of each dialect refuses; with `key` it looks for it as each vendor does.
    A request that is refused takes no turn.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        keep_requests: bool = True,
        models: tuple[str, ...] = ("mock-small",),
        strict: bool = False,
        key: str = "",
    ) -> None:
        self._port = port
        self._keep = keep_requests
        self._turns: deque[Turn] = deque()
        self._server: asyncio.Server | None = None
        self.models = models
        self.strict = strict
        self.key = key
        self.issued = Issued()  # by answers given strictly; a test may add to it
        self.otherwise = Turn()
        self.requests: list[Received] = []
        self.bills: list[Bill] = []  # a tuple for each answer: see `bills`
        self.connections: set[_Connection] = set()
        self.hangups = 0  # connections that a client closed while it was being answered

    @property
    def root_url(self) -> str:
        """Where it listens: what the clients of Anthropic, Gemini and Bedrock are given."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """What a model's endpoint names as its `base_url`, and OpenAI's clients too."""
        return f"{self.root_url}/v1"

    def then(self, *turns: Turn) -> None:
        """What to do with the next requests, in order."""
        self._turns.extend(turns)

    def forget(self) -> None:
        """Drop the turns that no request has taken."""
        self._turns.clear()

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

    def bill(self, turn: Turn, ask: Ask, *, pieces: int, whole: bool) -> None:
        """Keep what an answer would be billed for."""
        found = bill_of(turn, ask, pieces=pieces, whole=whole)
        if found is not None and self._keep:
            self.bills.append(found)

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
        self._path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode("latin-1")
        request = Received(method, self._path, self._headers, b"".join(self._body))
        self._headers, self._path, self._body = {}, "", []
        self._upstream.note(request)
        where = route(request.path)
        if where is None:
            unknown = Failure(404, f"Unknown request URL: {method} {request.path}", "unknown_url")
            self._fail(openai_chat, unknown, Ask())
            return
        dialect, place, query = where
        listing = place.verb == "models"
        if listing:
            dialect = _lister(request.headers) or dialect
        key = self._upstream.key
        locked = dialect.locked(key, request.headers, query) if key else None
        if locked is not None:
            self._fail(dialect, locked, Ask())
        elif listing:
            self._send(200, dialect.models(self._upstream.models), dialect.REQUEST_ID)
        else:
            self._take(dialect, place, query, request)

    def _refused(self, dialect: Dialect, ask: Ask, request: Received) -> Failure | None:
        body = msgspec.json.decode(request.body)
        return dialect.refusal(body, ask, request.headers, self._upstream.issued)

    def _take(self, dialect: Dialect, place: Place, query: str, request: Received) -> None:
        try:
            ask = dialect.ask(place, query, request.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._fail(dialect, Failure(400, "not JSON"), Ask())
            return
        strict = self._upstream.strict
        refused = self._refused(dialect, ask, request) if strict else None
        if refused is not None:
            self._fail(dialect, refused, ask)
            return
        turn = self._upstream.take_turn(ask.model)
        if strict:
            dialect.issue(turn, ask, self._upstream.issued)
        if not turn.fault and not turn.delay_seconds and not ask.stream:
            self._transport.write(_plain_answer(dialect, turn, ask))
            self._upstream.bill(turn, ask, pieces=1, whole=True)
        else:
            self._answering = asyncio.get_running_loop().create_task(self._perform(dialect, turn, ask))

    async def _perform(self, dialect: Dialect, turn: Turn, ask: Ask) -> None:
        if turn.delay_seconds:
            await asyncio.sleep(turn.delay_seconds)
        if turn.fault == "reset":
            self._reset()
        elif turn.fault == "stall":
            await asyncio.sleep(3600)
        elif turn.fault == "status":
            self._fail(dialect, scripted(turn), ask, turn)
        elif turn.fault == "html":
            self._send(turn.status, _raw(turn) or _PAGE, *_extra(turn), kind="text/html; charset=utf-8")
        elif turn.fault == "empty":
            kind = _FRAMINGS[ask.framing] if ask.stream else "application/json"
            self._send(200, b"", dialect.REQUEST_ID, *_extra(turn), kind=kind)
        elif ask.stream:
            await self._stream(dialect, turn, ask)
        else:
            await self._whole(dialect, turn, ask)

    async def _whole(self, dialect: Dialect, turn: Turn, ask: Ask) -> None:
        answer = _plain_answer(dialect, turn, ask)
        self._upstream.bill(turn, ask, pieces=1, whole=turn.fault not in _BREAKS and not self._transport.is_closing())
        if turn.fault not in _BREAKS:
            self._transport.write(answer)
        elif turn.fault == "unfinished":
            body = _body(dialect, turn, ask)
            self._send(200, body[: len(body) // 2], dialect.REQUEST_ID, *_extra(turn))
        else:
            self._transport.write(answer[: len(answer) - min(40, len(_body(dialect, turn, ask)) // 2)])
            await self._break(turn)

    async def _stream(self, dialect: Dialect, turn: Turn, ask: Ask) -> None:
        head = [f"content-type: {_FRAMINGS[ask.framing]}", dialect.REQUEST_ID, *_extra(turn)]
        self._transport.write(_head(200, *head, "transfer-encoding: chunked"))
        streamed = _raw_stream(turn) or dialect.events(turn, ask)
        breaks = turn.fault in _BREAKS
        events = streamed.first(turn.after_chunks) if breaks else streamed.events
        if turn.chunk_bytes:
            data = b"".join(events)
            events = [data[at : at + turn.chunk_bytes] for at in range(0, len(data), turn.chunk_bytes)]
        sent = 0
        try:
            for event in events:
                if sent and turn.pause_seconds:
                    await asyncio.sleep(turn.pause_seconds)
                if self._transport.is_closing():
                    return
                self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
                sent += 1
        finally:
            self._upstream.bill(turn, ask, pieces=sent, whole=not breaks and sent == len(events))
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

    def _fail(self, dialect: Dialect, failure: Failure, ask: Ask, turn: Turn | None = None) -> None:
        worded = dialect.error(failure, ask)
        lines = [dialect.REQUEST_ID, *worded.headers, *(_extra(turn) if turn is not None else ())]
        if failure.retry_after:
            lines.append(f"retry-after: {failure.retry_after}")
        body = _raw(turn) if turn is not None else None
        self._send(failure.status, worded.body if body is None else body, *lines)

    def _send(self, status: int, body: bytes, *headers: str, kind: str = "application/json") -> None:
        self._transport.write(_head(status, f"content-type: {kind}", f"content-length: {len(body)}", *headers) + body)

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


def _lister(headers: dict[str, str]) -> Dialect | None:
    """Three vendors list their models at one path; their clients' headers tell them apart."""
    if "anthropic-version" in headers:
        return anthropic
    return gemini if "x-goog-api-key" in headers else None


@lru_cache(1024)
def _plain_answer(dialect: Dialect, turn: Turn, ask: Ask) -> bytes:
    body = _body(dialect, turn, ask)
    lines = ["content-type: application/json", dialect.REQUEST_ID, *_extra(turn), f"content-length: {len(body)}"]
    return _head(200, *lines) + body


def _body(dialect: Dialect, turn: Turn, ask: Ask) -> bytes:
    raw = _raw(turn)
    if raw is not None:
        return raw
    return dialect.counted(turn) if ask.verb == "count" else dialect.whole(turn, ask)


def _raw(turn: Turn) -> bytes | None:
    return b"".join(turn.raw) if isinstance(turn.raw, tuple) else turn.raw


def _raw_stream(turn: Turn) -> Streamed | None:
    if turn.raw is None:
        return None
    return Streamed([*turn.raw] if isinstance(turn.raw, tuple) else [turn.raw])


def _extra(turn: Turn) -> tuple[str, ...]:
    return tuple(f"{name}: {value}" for name, value in turn.headers)


def _head(status: int, *lines: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", *lines)).encode() + b"\r\n\r\n"
