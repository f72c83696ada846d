"""One HTTP/1.1 connection over a Unix socket: one exchange at a time, with back-pressure both ways.

Knows bytes, heads and bodies. Knows not who is on the other side, nor when a connection is kept: that is the pool's.
"""

import asyncio
from collections import deque
from pathlib import Path
from typing import TypeAlias, cast

import httptools

from .errors import PeerCutError

Headers: TypeAlias = list[tuple[bytes, bytes]]
_MOST_WAITING = 256 * 1024  # bytes of a body that wait for their reader before the socket is no longer read


class Connection(asyncio.Protocol):
    """The protocol object; `exchange` begins a request, the rest is fed by the event loop."""

    _parser: httptools.HttpResponseParser
    _head: asyncio.Future[tuple[int, Headers]] | None
    _headers: Headers
    _waiting: deque[bytes]
    _reader: asyncio.Future[None] | None
    _complete: bool
    _paused: bool
    _until_end: bool
    _without_body: bool

    def __init__(self, path: str) -> None:
        self._path = path
        self._transport: asyncio.Transport | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._begin(None)
        self.closed = False
        self.idle_since = 0.0

    # -- what the pool and the reply call

    def begin(self, *, without_body: bool) -> None:
        """A new exchange. `without_body`: the answer to HEAD has none, whatever its headers say."""
        self._begin(asyncio.get_running_loop().create_future(), without_body=without_body)

    async def write(self, data: bytes) -> None:
        """Send, and wait while the other side does not take it. Raises PeerCutError."""
        if self.closed or self._transport is None:
            raise self._cut()
        self._transport.write(data)
        await self._can_write.wait()

    async def head(self) -> tuple[int, Headers]:
        """The answer's status and headers. Raises PeerCutError."""
        if self._head is None:
            raise self._cut()
        await asyncio.shield(self._head)
        return self._head.result()

    async def read(self) -> bytes | None:
        """The next bytes of the body, None at its end. Raises PeerCutError."""
        while not self._waiting:
            if self._complete:
                return None
            if self.closed:
                raise self._cut()
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = b"".join(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    @property
    def reusable(self) -> bool:
        """Whether the exchange is over, all of it was read, and both sides keep the connection open."""
        return self._complete and not self._waiting and self._keep_alive and not self.closed

    def close(self) -> None:
        """Close at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """The socket is closed, by whomever."""
        self.closed = True
        self._can_write.set()
        if self._head is not None and not self._head.done():
            self._head.set_exception(self._cut())
            self._head.exception()  # an exchange that nobody waits for any more is no unhandled error
        elif not self._complete and self._until_end:
            self._complete = True
        self._wake()

    def pause_writing(self) -> None:
        """The other side is slow."""
        self._can_write.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._can_write.set()

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    # -- what the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole; one of 100 to 199 is followed by another."""
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return
        if self._head is None or self._head.done():
            self.close()  # an answer to no question
            return
        self._keep_alive = self._parser.should_keep_alive() and not self._without_body
        framed = any(name in (b"content-length", b"transfer-encoding") for name, _ in self._headers)
        self._until_end = not framed and status not in (204, 304)
        self._head.set_result((status, self._headers))
        if self._without_body:
            self._complete = True
            self._wake()

    def on_body(self, body: bytes) -> None:
        """Some bytes of the body."""
        self._waiting.append(body)
        self._waiting_bytes += len(body)
        if self._waiting_bytes > _MOST_WAITING and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The body is whole."""
        if self._head is not None and self._head.done():
            self._complete = True
            self._wake()
        else:
            self._headers = []

    # --

    def _begin(self, head: asyncio.Future[tuple[int, Headers]] | None, *, without_body: bool = False) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._head = head
        self._headers = []
        self._waiting = deque()
        self._waiting_bytes = 0
        self._reader = None
        self._complete = False
        self._keep_alive = False
        self._until_end = False
        self._paused = False
        self._without_body = without_body

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _cut(self) -> PeerCutError:
        return PeerCutError(
            f"the process behind {Path(self._path).name} closed the connection before its answer was complete",
            next_step="try again; `flyball doctor` tells whether it keeps failing",
        )
