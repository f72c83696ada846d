"""Telling the client: the answer as it comes, or why there is none, in the client's own dialect.

The record is written before the last byte: whoever has an answer finds its trace.
"""

from contextlib import aclosing

from flyball.kit.errors import FlyballError
from flyball.llm.dialects import openai_chat
from flyball.llm.errors import UpstreamRefusedError

from .errors import GatewayError, OwnKeyRefusedError, WrongMethodError
from .exchange import JSON, Exchange, Header, answer_whole
from .record import Entry
from .replies import Reply, StreamedReply

_STREAM = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_KEY_REFUSED = frozenset({401, 402, 403})
_WORTH_RETRYING = frozenset({429, 503})


async def answer(exchange: Exchange, reply: Reply, entry: Entry) -> None:
    """Send an answer on."""
    trace = trace_header(entry)
    if isinstance(reply, StreamedReply):
        async with aclosing(reply.pieces) as pieces:
            async for piece in pieces:
                if not exchange.started:
                    await exchange.start(200, *_STREAM, trace, *reply.headers)
                await exchange.send(piece)
        if not exchange.started:
            await exchange.start(200, *_STREAM, trace, *reply.headers)
        entry.settle()
        await exchange.finish(openai_chat.DONE)
    else:
        entry.settle()
        await answer_whole(exchange, 200, reply.body, JSON, trace, *reply.headers)


async def refuse(exchange: Exchange, error: FlyballError, *headers: Header) -> None:
    """Say why there is no answer: as a status and an envelope, or, once a stream has begun, as an event that ends it."""
    if exchange.client_left or exchange.finished:
        return
    status, body, said = _worded(error)
    if exchange.started:
        await exchange.finish(openai_chat.error_event(status, str(error), code=error.code))
    else:
        await answer_whole(exchange, status, body, JSON, *said, *headers)


def trace_header(entry: Entry) -> Header:
    """By which a client finds its call again."""
    return (b"x-flyball-trace-id", entry.trace_id.encode())


def _worded(error: FlyballError) -> tuple[int, bytes, tuple[Header, ...]]:
    if isinstance(error, UpstreamRefusedError):
        if error.upstream_status not in _KEY_REFUSED:
            return _upstreams_own(error)
        # What it says of a key must not read as if it were said of the caller's.
        error = OwnKeyRefusedError(error.upstream_status)
    status = error.status
    retry_after = error.retry_after if isinstance(error, GatewayError) else None
    headers: list[Header] = []
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    if status >= 409 and status not in _WORTH_RETRYING:
        # Clients of OpenAI repeat by themselves what they think may pass; here every attempt has been made.
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, WrongMethodError):
        headers.append((b"allow", error.allowed.encode()))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    param = getattr(error, "param", None)
    return status, openai_chat.error_body(status, str(error), code=error.code, param=param), tuple(headers)


def _upstreams_own(error: UpstreamRefusedError) -> tuple[int, bytes, tuple[Header, ...]]:
    """An upstream's own status and error body, where its body is one that clients understand."""
    status = error.upstream_status
    if not 400 <= status < 600 or not openai_chat.is_error_body(error.body):
        status = status if 400 <= status < 600 else 502
        return status, openai_chat.error_body(status, str(error), code=error.code), ((b"x-should-retry", b"false"),)
    headers: tuple[Header, ...] = ((b"x-should-retry", b"true" if status == 429 else b"false"),)
    if error.retry_after is not None:
        headers += ((b"retry-after", str(max(1, round(error.retry_after))).encode()),)
    return status, error.body, headers
