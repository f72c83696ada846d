"""One HTTP/1.1 connection: one exchange at a time, with back-pressure both ways, whatever carries the bytes.

Knows bytes, heads and bodies. Knows not who is on the other side, nor when a connection is kept: that is the pool's.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, cast

import httptools

Headers: TypeAlias = list[tuple[bytes, bytes]]
_MOST_WAITING = 256 * 1024  # bytes of a body that wait for their reader before the socket is no longer read
_LARGEST_HEAD = 256 * 1024


class _Exchange(asyncio.Protocol):
    """What is known of one answer, as the parser tells it."""

    _parser: httptools.HttpResponseParser
    _head: asyncio.Future[tuple[int, Headers]] | None
    _headers: Headers
    _waiting: deque[bytes]
    _reader: asyncio.Future[None] | None
    _complete: bool
    _paused: bool
    _until_end: bool
    _without_body: bool

    _keep_alive: bool
    _head_bytes: int
    _waiting_bytes: int
    _transport: asyncio.Transport | None
    closed: bool

    def close(self) -> None:
        """Close at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

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

    def _begin(self, head: asyncio.Future[tuple[int, Headers]] | None, *, without_body: bool = False) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._head = head
        self._headers = []
        self._head_bytes = 0
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


class Connection(_Exchange):
    """The protocol object; `begin` begins an exchange, the rest is fed by the event loop.

    `cut` words what its waiters see when the connection ends too early; it is given the reason, in words, where there is one.
    """

    def __init__(self, cut: Callable[[str], Exception]) -> None:
        self._cut = cut
        self._why = ""
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
            raise self._cut(self._why)
        self._transport.write(data)
        await self._can_write.wait()

    def send(self, data: bytes) -> None:
        """Send what is in memory anyway; `head` tells of a failure."""
        if not self.closed and self._transport is not None:
            self._transport.write(data)

    async def head(self) -> tuple[int, Headers]:
        """The answer's status and headers. Raises PeerCutError."""
        if self._head is None:
            raise self._cut(self._why)
        await asyncio.shield(self._head)
        return self._head.result()

    async def encrypt(self, context: ssl.SSLContext, name: str) -> None:
        """From here on encrypted, for the server of that name. Raises OSError."""
        if self._transport is None:
            raise self._cut(self._why)
        carrier = await asyncio.get_running_loop().start_tls(self._transport, self, context, server_hostname=name)
        if carrier is None:
            raise self._cut("it was closed while it was being encrypted")
        self._transport = carrier

    async def read(self) -> bytes | None:
        """The next bytes of the body, None at its end. Raises PeerCutError."""
        while not self._waiting:
            if self._complete:
                return None
            if self.closed:
                raise self._cut(self._why)
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

    # -- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed, by whomever."""
        self.closed = True
        self._why = self._why or str(exc or "")
        self._can_write.set()
        if self._head is not None and not self._head.done():
            self._head.set_exception(self._cut(self._why))
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
        waited = self._head is not None and not self._head.done()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._why = f"what came is no HTTP: {error}"
            self.close()
            return
        if waited and self._head is not None and not self._head.done():
            self._head_bytes += len(data)
            if self._head_bytes > _LARGEST_HEAD:  # the parser keeps a line until it ends
                self._why = f"its head is larger than {_LARGEST_HEAD} bytes"
                self.close()
