"""What a client of the public port may take of us before anybody knows who it is: bytes, header lines and time.

uvicorn's protocol with the limits that it lacks. A head that is too large, or does not come to its end, a body that
trickles and a reader that has stopped reading end the connection. Knows HTTP's framing; knows no path and no caller.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from .straight import StraightProtocol


class Allowance(NamedTuple):
    """What one connection may take.

    A body comes at `body_rate`, and is never more than its grace behind that, however fast it came before; while we hold it
    up, time stands still.
    """

    head_bytes: int = 64 * 1024
    fields: int = 200
    head_seconds: float = 20.0
    body_grace_seconds: float = 20.0
    body_rate: float = 16 * 1024  # bytes per second
    unread_seconds: float = 120.0  # with an answer that nobody reads
    look_seconds: float = 1.0  # between two looks at the clock


class GuardedProtocol(StraightProtocol):
    """One connection. Counting happens as bytes come; the clock is looked at by `watched`, for all connections at once."""

    def __init__(self, allowance: Allowance, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.allowance = allowance
        self._head_since: float | None = None
        self._head_bytes = 0
        self._fed = 0
        self._begun = False  # a request, of which something has come and something is missing
        self._in_body = False
        self._body_bytes = 0
        self._body_seen = 0  # how many of them at the last look
        self._body_until: float | None = None  # when the body is too late, unless more of it comes
        self._unread_since: float | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """A client has come; its first head is awaited."""
        super().connection_made(transport)
        self._head_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a head or of a body."""
        if self._refused:
            return
        if self._head_since is None and not self._in_body:
            self._head_since = self.loop.time()
        self._fed = len(data)
        super().data_received(data)
        if self._head_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > self.allowance.head_bytes:
                self._refuse(431, "the head of the request is too large")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._begun, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """A head is whole; only now is anybody told of it."""
        if self._refused:
            return
        if self._head_is_too_large():
            self._refuse(431, "the head of the request is too large")
            return
        self._head_since, self._head_bytes = None, 0
        self._in_body, self._body_bytes, self._body_seen, self._body_until = True, 0, 0, None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        if not self._refused:
            self._body_bytes += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if not self._refused and not self._declines:
            self._begun = self._in_body = False
            super().on_message_complete()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._unread_since = None

    def look(self, now: float) -> None:
        """End the connection where its time is over."""
        allowed = self.allowance
        if self._refused or self.transport.is_closing():
            return
        if self._head_since is not None and now - self._head_since > allowed.head_seconds:
            self._refuse(408, "the head of the request did not come to its end in time")
        elif self._in_body and self._body_is_too_slow(now):
            self._refuse(408, "the body of the request comes too slowly")
        elif self._unread_since is not None and now - self._unread_since > allowed.unread_seconds:
            self.transport.abort()

    def _head_is_too_large(self) -> bool:
        if len(self.headers) > self.allowance.fields:
            return True
        if self._head_bytes + self._fed <= self.allowance.head_bytes:
            return False
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self.allowance.head_bytes

    def _body_is_too_slow(self, now: float) -> bool:
        allowed = self.allowance
        latest = now + allowed.body_grace_seconds
        if self._body_until is None or self.flow.read_paused:
            self._body_until = latest
        earned = (self._body_bytes - self._body_seen) / allowed.body_rate
        self._body_until, self._body_seen = min(self._body_until + earned, latest), self._body_bytes
        return now > self._body_until

    def _refuse(self, status: int, why: str) -> None:
        """Say why, where nothing of an answer is on its way yet, and close."""
        self._refused = True
        waiting = self.cycle is not None and not self.cycle.response_complete
        if (waiting and self.cycle.response_started) or self.pipeline or not self._begun:
            self.transport.abort()
            return
        if waiting:
            self.cycle.disconnected = True  # whoever works on it is told that the client left
            self.cycle.message_event.set()
        phrase = {408: b"Request Timeout", 431: b"Request Header Fields Too Large"}[status]
        body = why.encode()
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, phrase, len(body), body)
        )
        self.transport.close()


@asynccontextmanager
async def watched(connections: Iterable[Any], look_seconds: float) -> AsyncIterator[None]:
    """Inside the block, every guarded connection among these is looked at, again and again."""
    watching = asyncio.create_task(_watch(connections, look_seconds))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(connections: Iterable[Any], look_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(look_seconds)
        now = loop.time()
        for connection in list(connections):
            if isinstance(connection, GuardedProtocol):
                connection.look(now)
