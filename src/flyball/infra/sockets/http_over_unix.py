"""A small HTTP/1.1 client for the Unix socket of another process: pooled, streaming both ways, cancelled by leaving.

Knows one socket. Whatever it carries is bytes: bodies are neither decoded nor kept.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from flyball.kit.http1 import Connection, Headers

from .errors import PeerAwayError, PeerCutError, PeerError

Body: TypeAlias = bytes | AsyncIterator[bytes]
_IDLE_SECONDS = 3.0  # servers close an idle connection after five
_BUFFER_BYTES = 512 * 1024  # of a body that the system takes at once, if it lets us: fewer turns of both processes


class Reply(NamedTuple):
    """An answer that has begun."""

    status: int
    headers: Headers
    connection: Connection

    async def read(self) -> bytes | None:
        """The next bytes of the body, None at its end. Raises PeerCutError."""
        return await self.connection.read()

    async def read_all(self) -> bytes:
        """The whole body. Raises PeerCutError."""
        pieces = []
        while (piece := await self.read()) is not None:
            pieces.append(piece)
        return b"".join(pieces)


class HttpOverUnix:
    """A client of one socket. One per process and socket."""

    def __init__(self, path: Path, *, most_idle: int = 64) -> None:
        self._socket = str(path)
        self._most_idle = most_idle
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: Body = b"",
        length: int | None = None,
    ) -> AsyncIterator[Reply]:
        """Ask, and read the answer inside the block. A streamed body whose `length` is unknown is sent in chunks.

        Leaving the block before the answer was read closes the connection, which tells the other side to stop.

        Raises:
            PeerAwayError: nobody listens.
            PeerCutError: the connection ended before the answer was complete.
        """
        connection = await self._connect()
        connection.begin(without_body=method == "HEAD")
        sending: asyncio.Task[None] | None = None
        try:
            if isinstance(body, bytes):
                await connection.write(_head(method, target, headers, f"content-length: {len(body)}") + body)
            elif length is not None:
                await connection.write(_head(method, target, headers, f"content-length: {length}"))
                sending = asyncio.create_task(_send(connection, body))
            else:
                await connection.write(_head(method, target, headers, "transfer-encoding: chunked"))
                sending = asyncio.create_task(_send_chunks(connection, body))
            status, answered = await _head_or_failed_send(connection, sending)
            yield Reply(status, answered, connection)
        finally:
            sent = sending is None or (sending.done() and not sending.cancelled() and sending.exception() is None)
            if sending is not None and not sending.done():
                sending.cancel()
                with suppress(asyncio.CancelledError, PeerError):
                    await sending
            self._give_back(connection, keep=sent and connection.reusable)

    def close(self) -> None:
        """Close the connections that wait for use."""
        while self._idle:
            self._idle.pop().close()

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and loop.time() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.close()
        try:
            carrier, connection = await loop.create_unix_connection(lambda: Connection(self._cut), self._socket)
        except OSError as error:
            raise PeerAwayError(
                f"nobody answers at {Path(self._socket).name} ({error.strerror or error})",
                next_step="wait for it to start again; `flyball doctor` says what is wrong if it does not",
            ) from None
        carrier.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        return connection

    def _cut(self, _: str) -> PeerCutError:
        return PeerCutError(
            f"the process behind {Path(self._socket).name} closed the connection before its answer was complete",
            next_step="try again; `flyball doctor` tells whether it keeps failing",
        )

    def _give_back(self, connection: Connection, *, keep: bool) -> None:
        if keep and len(self._idle) < self._most_idle:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()


def _head(method: str, target: str, headers: Iterable[tuple[bytes, bytes]], framing: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1")]
    named = list(headers)
    if not any(name == b"host" for name, _ in named):
        lines.append(b"host: flyball")
    lines += [b"%b: %b" % header for header in named]
    return b"\r\n".join([*lines, framing.encode(), b"", b""])


async def _send(connection: Connection, body: AsyncIterator[bytes]) -> None:
    async for piece in body:
        await connection.write(piece)


async def _send_chunks(connection: Connection, body: AsyncIterator[bytes]) -> None:
    async for piece in body:
        if piece:
            await connection.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    await connection.write(b"0\r\n\r\n")


async def _head_or_failed_send(connection: Connection, sending: "asyncio.Task[None] | None") -> tuple[int, Headers]:
    """The answer's head; it may come before the body has been sent, and does not come where reading the body failed."""
    if sending is None:
        return await connection.head()
    head = asyncio.ensure_future(connection.head())
    try:
        await asyncio.wait({head, sending}, return_when=asyncio.FIRST_COMPLETED)
        if not head.done() and (failure := sending.exception()) is not None and not isinstance(failure, PeerError):
            raise failure
        return await head
    finally:
        head.cancel()
