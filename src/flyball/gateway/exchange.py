"""One call's connection to its client: what came, what goes back, and whether the client is still there.

Knows ASGI and HTTP. Knows neither dialects nor nouns.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeAlias

from .errors import ClientGoneError

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

JSON = (b"content-type", b"application/json")


class Linger(NamedTuple):
    """How long an answer is still read whose client has left, and how much of it. 0 seconds: it is cut off at once."""

    seconds: float = 0
    bytes: int = 0


NO_LINGER = Linger()


class Exchange:
    """A request, and the answer to it as far as it has gone."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = _joined(scope["headers"])
        self.started = False
        self.finished = False
        self.client_left = False
        self._receive = receive
        self._send = send
        self._gone: Callable[[], None] | None = (
            None  # to be called where a failed send is the first that is heard of it
        )
        self._cut_off: Callable[[], None] | None = None
        self._unheard = 0  # bytes that may still be said to a client that has left
        self._is_cut = False

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it comes. Raises ClientGoneError."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.client_left = True
                raise ClientGoneError
            more = message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece

    async def start(self, status: int, *headers: Header) -> None:
        """Send the answer's head. From here on it cannot become another one."""
        self.started = True
        await self._tell({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, data: bytes) -> None:
        """Send some of the body; waits while the client is slow."""
        await self._tell({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes = b"") -> None:
        """Send the last of the body."""
        self.finished = True
        await self._tell({"type": "http.response.body", "body": data})

    @asynccontextmanager
    async def while_client_listens(
        self, *, left: Callable[[], None] | None = None, linger: Linger = NO_LINGER
    ) -> AsyncIterator[None]:
        """Cancel the block when the client leaves; then ClientGoneError comes out of it. Use it after the body was read.

        `left` is called when it leaves. With `linger` the block goes on, says everything to nobody, and is cancelled where it takes
        longer or says more than that.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- narrows the type: coroutines of a server run in tasks
        loop = asyncio.get_running_loop()
        waiting: list[asyncio.TimerHandle] = []

        def cut_off() -> None:
            self._cut_off = None
            self._is_cut = True
            task.cancel()

        def gone() -> None:
            self._gone, self.client_left = None, True
            if left is not None:
                left()
            if not linger.seconds:
                cut_off()
                return
            self._cut_off, self._unheard = cut_off, linger.bytes
            waiting.append(loop.call_later(linger.seconds, cut_off))

        def hang_up(watching: "asyncio.Task[None]") -> None:
            if not watching.cancelled() and not self.finished and self._gone is not None:
                gone()

        self._gone = gone
        watch = loop.create_task(self._disconnect())
        watch.add_done_callback(hang_up)
        try:
            yield
        except asyncio.CancelledError:
            if self._is_cut and task.uncancel() == 0:
                raise ClientGoneError from None
            raise
        finally:
            self._gone = self._cut_off = None
            watch.remove_done_callback(hang_up)
            watch.cancel()
            for timer in waiting:
                timer.cancel()

    async def _tell(self, message: MutableMapping[str, Any]) -> None:
        """Send a message; to a client that has left, nothing, as long as it may go on."""
        if not self.client_left:
            try:
                await self._send(message)
            except OSError:
                if self._gone is None:
                    raise
                self._gone()
                await asyncio.sleep(0)  # where nothing is to go on, it ends here
            return
        self._unheard -= len(message.get("body", b""))
        if self._unheard < 0 and self._cut_off is not None:
            self._cut_off()
            await asyncio.sleep(0)

    async def _disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _joined(headers: Iterable[Header]) -> dict[bytes, bytes]:
    """Headers by their names; what was said in several lines is one list (RFC 9110, 5.3)."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found[name] = b"%b, %b" % (found[name], value) if name in found else value
    return found


async def answer_whole(exchange: Exchange, status: int, body: bytes, *headers: Header) -> None:
    """An answer that is there in one piece."""
    await exchange.start(status, (b"content-length", str(len(body)).encode()), *headers)
    await exchange.finish(body)
