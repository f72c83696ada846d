"""The wire to those who answer: one pooled HTTP client, timeouts, what a failed send means, and no secret in anything that comes back.

Sends bytes and gives bytes back; what they say is the dialect's business, where they go the provider's. Tries once: who may try
again decides the caller, with `llm.patience`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import msgspec
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, ConnectError, ConnectTimeoutError, PyreqwestError, RequestTimeoutError
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from flyball.kit.causes import last_cause
from flyball.kit.clock import Clock
from flyball.kit.secrets import Secret

from .errors import UpstreamAwayError, UpstreamCutError, UpstreamError, UpstreamRefusedError, UpstreamTimeoutError
from .patience import asked_wait, may_retry

LARGEST_ANSWER = 64 * 1024 * 1024
_LARGEST_ERROR = 64 * 1024
_LONGEST_HEADER = 4 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


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


class Reply:
    """An answer that has begun: its status and headers are here, its body is still coming. `where` names who answers."""

    def __init__(self, response: Response, order: Order, *, idle_seconds: float) -> None:
        self.status = response.status
        self.where = order.where
        self._blot = tuple(secret.reveal() for secret in order.blot)
        self.headers: Mapping[str, str] = dict(self._sound_headers(response))
        self._reader = response.body_reader
        self._idle_seconds = idle_seconds

    def without_key(self, body: bytes) -> bytes:
        """What is said of an error, without the secrets that we sent: some repeat the one that they refuse."""
        for secret in self._blot:
            body = body.replace(secret.encode(), b"***")
        return body

    def _sound_headers(self, response: Response) -> Iterator[tuple[str, str]]:
        """Those that are text, of a length that makes sense, and do not repeat a secret."""
        for name in dict.fromkeys(response.headers.keys()):
            try:
                value = response.headers[name]
            except ValueError:  # bytes that are no text
                continue
            if len(value) <= _LONGEST_HEADER and not any(secret in value for secret in self._blot):
                yield name, value

    async def read(self) -> bytes | None:
        """The next bytes, None at the end. Raises UpstreamTimeoutError after a silence, UpstreamCutError on a reset."""
        try:
            async with asyncio.timeout(self._idle_seconds):
                chunk = await self._reader.read_chunk()
                _cancelled_meanwhile()
        except (TimeoutError, RequestTimeoutError):
            raise UpstreamTimeoutError(
                f"{self.where} was silent for {self._idle_seconds:g} s in the middle of its answer",
                next_step="raise FLYBALL_IDLE_TIMEOUT_SECONDS if such pauses are expected",
            ) from None
        except PyreqwestError as error:
            raise UpstreamCutError(
                f"{self.where} broke off in the middle of its answer ({last_cause(error)})"
            ) from error
        return None if chunk is None else bytes(chunk)

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

    def __init__(self, clock: Clock, *, connect_seconds: float = 5, idle_seconds: float = 60) -> None:
        self.clock = clock
        self._idle_seconds = idle_seconds
        self._outside = _builder(connect_seconds).build()
        self._loopback = _builder(connect_seconds).no_proxy().build()

    async def __aenter__(self) -> Self:
        """Itself; closes at the end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._outside.close()
        await self._loopback.close()

    @asynccontextmanager
    async def send(self, order: Order, *, seconds: float) -> AsyncIterator[Reply]:
        """Send an order, wait at most `seconds` for the answer's head, and read it inside the block.

        Leaving the block closes the answer, read or not.

        Raises:
            UpstreamError: no connection, a timeout, or an error status (UpstreamRefusedError, with the body).
        """
        where = order.where
        request = self._request(order)
        try:
            async with asyncio.timeout(seconds):
                response = await request.__aenter__()
        except (ConnectError, ConnectTimeoutError) as error:
            raise UpstreamAwayError(
                f"{where} cannot be reached ({last_cause(error)})",
                next_step="check that it runs and that the model's base_url is right",
            ) from error
        except (TimeoutError, RequestTimeoutError):
            raise UpstreamTimeoutError(f"{where} did not begin to answer in time") from None
        except PyreqwestError as error:
            raise UpstreamCutError(f"{where} closed the connection before it answered ({last_cause(error)})") from error
        try:
            _cancelled_meanwhile()
            reply = Reply(response, order, idle_seconds=self._idle_seconds)
            if reply.status != 200:
                raise await self._refusal(reply)
            yield reply
        finally:
            await request.__aexit__(None, None, None)

    def _request(self, order: Order) -> StreamRequest:
        try:
            builder = self._client_for(order.url).request(order.method, order.url)
            builder = builder.header("content-type", order.content_type).body_bytes(order.body)
            for name, value in order.headers:
                builder = builder.header(name, value)
            for name, value in order.secrets:
                builder = builder.header(name, value, is_sensitive=True)
            # Without a limit of 0 the head of an answer would wait for the first kilobytes of its body.
            return builder.streamed_read_buffer_limit(0).build_streamed()
        except (BuilderError, ValueError) as error:
            raise UpstreamAwayError(
                f"{order.where} is no address that can be called",
                next_step="correct the model's base_url and api_key",
            ) from error

    def _client_for(self, url: str) -> Client:
        return self._loopback if is_loopback(url) else self._outside

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


def _cancelled_meanwhile() -> None:
    """Raises CancelledError where the task was cancelled while it waited for the client, which forgets that if it had data."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def place(model: str, base_url: str) -> str:
    """How errors name an upstream: the model and the host, without credentials or path."""
    return f"the upstream of model {model!r} at {_host_and_port(base_url)}"


@lru_cache(maxsize=1024)
def _host_and_port(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(url).hostname in _LOOPBACK


def _builder(connect_seconds: float) -> ClientBuilder:
    # Bodies are relayed as they are: no encoding is asked for. A redirect could lead anywhere: none is followed.
    return (
        ClientBuilder()
        .user_agent("flyball")
        .connect_timeout(timedelta(seconds=connect_seconds))
        .pool_idle_timeout(timedelta(seconds=30))
        .follow_redirects(enable=False)
        .gzip(enable=False)
        .brotli(enable=False)
        .zstd(enable=False)
        .deflate(enable=False)
    )


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
