"""The wire to those who answer: one pooled HTTP client, timeouts, what a failed send means, and no secret in anything that comes back.

Sends bytes and gives bytes back; what they say is the dialect's business, where they go the provider's. Tries once: who may try
again decides the caller, with `llm.patience`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import msgspec

from flyball.kit.clock import Clock
from flyball.kit.http1 import Connection, Headers
from flyball.kit.secrets import Secret, hiding

from .connections import Address, ClosedError, ConnectError, Connections, Origin, address_of, presented_to
from .errors import UpstreamAwayError, UpstreamCutError, UpstreamError, UpstreamRefusedError, UpstreamTimeoutError
from .patience import asked_wait, may_retry

LARGEST_ANSWER = 64 * 1024 * 1024
_LARGEST_ERROR = 64 * 1024
_LONGEST_HEADER = 4 * 1024
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


@hiding("secrets")
class Order(NamedTuple):
    """A request, ready for the wire. `secrets` are headers that are marked so; `where` is how errors name who answers.

    `blot` are values that nothing of the answer may repeat.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    where: str
    secrets: tuple[tuple[str, str], ...] = ()
    blot: tuple[Secret, ...] = ()
    method: str = "POST"
    content_type: str = "application/json"
    guarded: bool = False  # whoever declared the address may not have us call every one


class Reply:
    """An answer that has begun: its status and headers are here, its body is still coming. `where` names who answers."""

    def __init__(
        self, status: int, headers: Headers, connection: Connection, order: Order, idle_seconds: float
    ) -> None:
        self.status = status
        self.where = order.where
        self._blot = tuple(secret.reveal() for secret in order.blot)
        self.headers: Mapping[str, str] = dict(self._sound_headers(headers))
        self._connection = connection
        self._idle_seconds = idle_seconds

    def without_key(self, body: bytes) -> bytes:
        """What is said of an error, without the secrets that we sent: some repeat the one that they refuse."""
        for secret in self._blot:
            body = body.replace(secret.encode(), b"***")
        return body

    def _sound_headers(self, headers: Headers) -> Iterator[tuple[str, str]]:
        """Those that are text, of a length that makes sense, and do not repeat a secret; of several of one name the first."""
        for name, raw in reversed(headers):
            value = raw.decode("latin-1")
            if len(value) <= _LONGEST_HEADER and value.isascii() and not any(secret in value for secret in self._blot):
                yield name.decode("latin-1"), value

    async def read(self) -> bytes | None:
        """The next bytes, None at the end. Raises UpstreamTimeoutError after a silence, UpstreamCutError on a reset."""
        try:
            async with asyncio.timeout(self._idle_seconds):
                return await self._connection.read()
        except TimeoutError:
            raise UpstreamTimeoutError(
                f"{self.where} was silent for {self._idle_seconds:g} s in the middle of its answer",
                next_step="raise FLYBALL_IDLE_TIMEOUT_SECONDS if such pauses are expected",
            ) from None
        except ClosedError as error:
            raise UpstreamCutError(f"{self.where} broke off in the middle of its answer{_because(error)}") from error

    async def read_all(self) -> bytes:
        """The whole body. Raises UpstreamCutError where it is longer than any answer."""
        body = await self.read_first(LARGEST_ANSWER + 1)
        if len(body) > LARGEST_ANSWER:
            raise UpstreamCutError(f"{self.where} answered with more than {LARGEST_ANSWER} bytes")
        return body

    async def read_first(self, most: int) -> bytes:
        """The body's first bytes, or all of it where it is shorter."""
        pieces: list[bytes] = []
        size = 0
        while size < most and (piece := await self.read()) is not None:
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)[:most]


class Wire:
    """Sends orders. One per process: it owns the connections."""

    def __init__(
        self,
        clock: Clock,
        *,
        connect_seconds: float = 5,
        idle_seconds: float = 60,
        connections: Connections | None = None,
    ) -> None:
        self.clock = clock
        self._idle_seconds = idle_seconds
        self._connections = connections or Connections(connect_seconds)

    async def __aenter__(self) -> Self:
        """Itself; closes at the end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection that waits for use."""
        self._connections.close()

    @asynccontextmanager
    async def send(self, order: Order, *, seconds: float) -> AsyncIterator[Reply]:
        """Send an order, wait at most `seconds` for the answer's head, and read it inside the block.

        Leaving the block closes the answer, read or not; so does being cancelled at any moment, which tells the other side to stop.

        Raises:
            UpstreamError: no connection, a timeout, or an error status (UpstreamRefusedError, with the body).
        """
        where = order.where
        try:
            address = address_of(order.url)
            origin = self._connections.way_to(address, guarded=order.guarded)
            data = _request(order, address, origin)
        except ValueError as error:
            raise UpstreamAwayError(
                f"{where} is no address that can be called",
                next_step="correct the model's base_url and api_key",
            ) from error
        try:
            async with asyncio.timeout(seconds) as limit:
                connection = await self._connections.take(origin)
        except TimeoutError:
            raise UpstreamTimeoutError(f"{where} did not begin to answer in time") from None
        except ConnectError as error:
            raise UpstreamAwayError(
                f"{where} cannot be reached ({error})",
                next_step="check that it runs and that the model's base_url is right",
            ) from error
        try:
            status, headers = await self._head(connection, order, data, limit.when())
            reply = Reply(status, headers, connection, order, self._idle_seconds)
            if status != 200:
                raise await self._refusal(reply)
            yield reply
        finally:
            self._connections.give_back(origin, connection)

    async def _head(
        self, connection: Connection, order: Order, data: bytes, until: float | None
    ) -> tuple[int, Headers]:
        try:
            async with asyncio.timeout_at(until):
                connection.begin(without_body=order.method == "HEAD")
                connection.send(data)
                return await connection.head()
        except TimeoutError:
            raise UpstreamTimeoutError(f"{order.where} did not begin to answer in time") from None
        except ClosedError as error:
            raise UpstreamCutError(
                f"{order.where} closed the connection before it answered{_because(error)}"
            ) from error

    async def _refusal(self, reply: Reply) -> UpstreamError:
        try:
            body = reply.without_key(await reply.read_first(_LARGEST_ERROR))
        except UpstreamError:
            body = b""
        return UpstreamRefusedError(
            f"{reply.where} answered {reply.status}: {_words(body)}",
            upstream_status=reply.status,
            body=body,
            retry_after=asked_wait(reply.headers, self.clock.now_ns()),
            retryable=may_retry(reply.status, reply.headers),
        )


def _request(order: Order, address: Address, origin: Origin) -> bytes:
    """A request's bytes. Raises ValueError for headers that would say more than one."""
    plain = bool(origin.proxy) and not origin.secure
    target = f"http://{address.named}{address.target}" if plain else address.target
    lines = [f"{order.method} {target} HTTP/1.1\r\nhost: {address.named}\r\nuser-agent: flyball\r\n".encode()]
    framing = ("content-type", order.content_type), ("content-length", str(len(order.body))), ("accept", "*/*")
    for name, value in (*framing, *order.headers, *order.secrets):
        line = name.encode(), value.encode("latin-1")
        if not (_NAME.fullmatch(line[0]) and _VALUE.fullmatch(line[1])):
            raise ValueError(f"the header {name!r} cannot be sent")
        lines.append(b"%b: %b\r\n" % line)
    return b"".join((*lines, presented_to(origin.proxy) if plain else b"", b"\r\n", order.body))


def _because(error: Exception) -> str:
    return f" ({error})" if str(error) else ""


def place(model: str, base_url: str) -> str:
    """How errors name an upstream: the model and the host, without credentials or path."""
    return f"the upstream of model {model!r} at {_host_and_port(base_url)}"


@lru_cache(maxsize=1024)
def _host_and_port(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"


def _words(body: bytes) -> str:
    """What an error body says, whoever's envelope it is."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body[:200].decode("utf-8", "replace") or "(an empty body)"
    for name in ("error", "message", "Message"):
        while isinstance(found, dict) and name in found:
            found = found[name]
    return str(found)[:1000] if isinstance(found, str) else body[:200].decode("utf-8", "replace")
