"""One call's words to its client: in the client's dialect, whole or streamed, and always with a well-formed end.

Knows what an error is in words and headers; knows nothing of who answers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from flyball.kit.errors import FlyballError
from flyball.llm.dialect import Dialect
from flyball.llm.errors import UpstreamRefusedError
from flyball.llm.patience import KEY_REFUSED

from .errors import GatewayError, OwnKeyRefusedError, WrongMethodError
from .exchange import JSON, Exchange, Header, answer_whole
from .json_array import JsonArray

_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_ARRAY = ((b"content-type", b"application/json; charset=utf-8"), *_STREAM[1:])
_LIMITED = 429
_WORTH_RETRYING = frozenset({_LIMITED, 503})
_WORTH_WAITING_SECONDS = 60


class Broken(Protocol):
    """Words the failure of a stream that has begun."""

    def __call__(self, status: int, message: str, *, code: str) -> bytes:
        """The events that end it."""
        ...


class Speech:
    """What is said to one client. `broke` words a failure in the middle of a stream: whoever words the stream sets it."""

    def __init__(self, exchange: Exchange, dialect: Dialect, *, as_array: bool = False) -> None:
        self.exchange = exchange
        self.dialect = dialect
        self.headers: tuple[Header, ...] = ()  # go with every answer of this call
        self.broke: Broken = dialect.watch().broke
        self._framed: Callable[[bytes, bool], bytes] | None = JsonArray() if as_array else None
        self._last = 0.0  # when something was said, by the loop's clock

    async def whole(self, status: int, body: bytes, *headers: Header) -> None:
        """An answer in one piece. Where a stream was begun to keep the client waiting, it becomes its only piece."""
        await answer_whole(self.exchange, status, body, JSON, *headers, *self.headers)

    async def begin(self, *headers: Header) -> bool:
        """A stream's head, once; says whether these headers went with it."""
        if self.exchange.started:
            return False
        head = _ARRAY if self._framed else _STREAM
        await self.exchange.start(200, *head, *headers, *self.headers)
        return True

    async def say(self, piece: bytes) -> None:
        """Some of a stream."""
        self._last = asyncio.get_running_loop().time()
        if framed := self._framed(piece, False) if self._framed else piece:
            await self.exchange.send(framed)

    async def end(self, piece: bytes) -> None:
        """The last of a stream."""
        await self.exchange.finish(self._framed(piece, True) if self._framed else piece)

    async def refuse(self, error: FlyballError, *headers: Header) -> None:
        """Say why there is no answer: as a status and an envelope, or, once a stream has begun, as an event that ends it."""
        if self.exchange.client_left or self.exchange.finished:
            return
        if isinstance(error, UpstreamRefusedError) and error.upstream_status in KEY_REFUSED:
            # What it says of a key must not read as if it were said of the caller's.
            error = OwnKeyRefusedError(error.upstream_status)
        if self.exchange.started:
            await self.end(self.broke(_status_of(error), str(error), code=_code_of(error)))
            return
        status, body, said = _worded(error, self.dialect)
        await self.whole(status, body, *said, *headers)

    @asynccontextmanager
    async def kept_alive(self, *, early: float, every: float) -> AsyncIterator[None]:
        """Say something that means nothing whenever a stream has been silent for `every` seconds.

        After `early` seconds without a beginning the stream is begun for that: from then on a failure is an event of it.
        Either is off where it is 0.
        """
        if not early and not every:
            yield
            return
        keeping = asyncio.get_running_loop().create_task(self._keep_alive(early, every or early))
        try:
            yield
        finally:
            keeping.cancel()

    async def _keep_alive(self, early: float, every: float) -> None:
        loop = asyncio.get_running_loop()
        began = self._last = loop.time()
        while not self.exchange.finished and not self.exchange.client_left:
            if self.exchange.started:
                wait = self._last + every - loop.time()
            else:
                wait = began + early - loop.time() if early else every
                if wait <= 0:
                    await self.begin()
            if wait > 0:
                await asyncio.sleep(wait)
            elif self.exchange.started and not self.exchange.finished:
                with suppress(OSError):
                    await self.say(self.dialect.keep_alive)


def _worded(error: FlyballError, dialect: Dialect) -> tuple[int, bytes, tuple[Header, ...]]:
    if isinstance(error, UpstreamRefusedError):
        return _upstreams_own(error, dialect)
    status = error.status
    retry_after = error.retry_after if isinstance(error, GatewayError) else None
    headers: list[Header] = []
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    if isinstance(error, GatewayError):
        headers.extend(error.headers)
    too_long = status == _LIMITED and (retry_after is None or retry_after > _WORTH_WAITING_SECONDS)
    if status >= 409 and (status not in _WORTH_RETRYING or too_long):
        # The vendors' clients repeat by themselves what they think may pass; here every attempt has been made.
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, WrongMethodError):
        headers.append((b"allow", error.allowed.encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    param = getattr(error, "param", None)
    return status, dialect.error(status, str(error), code=error.code, param=param), tuple(headers)


def _upstreams_own(error: UpstreamRefusedError, dialect: Dialect) -> tuple[int, bytes, tuple[Header, ...]]:
    """An upstream's own status and error body; where its body is of another dialect, its words in the caller's."""
    status = error.upstream_status
    sound = 400 <= status < 600
    plain = error.body.lstrip().startswith(
        b"{"
    )  # Google's streams refuse in a list, which no client takes from a status
    if error.dialect == dialect.name and sound and plain and dialect.parse_error(error.body) is not None:
        body = error.body
    else:
        status = status if sound else 502
        body = dialect.error(status, str(error), code=_code_of(error))
    # Every attempt that could help has been made: a client that repeats them multiplies them. What it may wait for is said.
    headers: tuple[Header, ...] = ((b"x-should-retry", b"false"),)
    if error.retry_after is not None:
        headers += ((b"retry-after", str(max(1, round(error.retry_after))).encode()),)
    return status, body, headers


def _status_of(error: FlyballError) -> int:
    if isinstance(error, UpstreamRefusedError):
        return error.upstream_status if 400 <= error.upstream_status < 600 else 502
    return error.status


def _code_of(error: FlyballError) -> str:
    """The upstream's own word for its failure, where it has one, else ours."""
    return (isinstance(error, UpstreamRefusedError) and error.upstream_code) or error.code
