"""Everything that is not the model API: passed to the control process over its Unix socket, bodies streamed both ways.

Knows headers of the hop and of the way; knows nothing of what is said.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import msgspec

from flyball.infra.sockets.errors import PeerError
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.kit.addresses import Network

from .address import client_address, client_scheme
from .errors import ClientGoneError
from .exchange import JSON, Exchange, Header, Scope, answer_whole

# RFC 9110, 7.6.1: they speak of one connection. `expect` was answered by our server already.
_OF_THE_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade", b"expect",
        b"date", b"server",  # our own server says these
    )
)  # fmt: skip
# We say who asked, a trusted proxy being believed; what the outside claims is not passed on.
_OURS_TO_SAY = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"x-real-ip"))
_SMALL = (
    64 * 1024
)  # bodies up to this are read first, so that from then on we notice when the client leaves; no key is asked for yet
_AWAY = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>flyball is starting</title>
<meta http-equiv="refresh" content="2"><body><h1>The control process does not answer</h1>
<p>It is starting, or it has just been restarted. This page tries again by itself.
If it stays away, run <code>flyball doctor</code>.</p></body></html>"""


async def pass_on(exchange: Exchange, control: HttpOverUnix, proxies: Sequence[Network] = ()) -> None:
    """Ask the control process and send its answer on; a plain 503 while it is away. `proxies` are those that are believed."""
    try:
        length = _body_length(exchange.headers)
        if length is not None and length <= _SMALL:
            body = b"".join([piece async for piece in exchange.body()])
            async with exchange.while_client_listens():
                await _relay(exchange, control, _forwarded(exchange, proxies), body, len(body))
        else:
            await _relay(exchange, control, _forwarded(exchange, proxies), exchange.body(), length)
    except ClientGoneError:
        return
    except PeerError as error:
        if not exchange.started:
            await _say_away(exchange, error)
        # Otherwise the answer has broken off: leaving it without its end makes the server close the connection.


async def _relay(
    exchange: Exchange,
    control: HttpOverUnix,
    headers: list[Header],
    body: bytes | AsyncIterator[bytes],
    length: int | None,
) -> None:
    async with control.request(
        exchange.method, _target(exchange.scope), headers=headers, body=body, length=length
    ) as reply:
        await exchange.start(reply.status, *_without_hop(reply.headers))
        while (piece := await reply.read()) is not None:
            await exchange.send(piece)
        await exchange.finish()


def _body_length(headers: Mapping[bytes, bytes]) -> int | None:
    """How long the request's body is; None: it comes in chunks and nobody knows."""
    if b"transfer-encoding" in headers:
        return None
    announced = headers.get(b"content-length", b"0")
    return int(announced) if announced.isdigit() else 0


def _target(scope: Scope) -> str:
    path: str = scope["raw_path"].decode("latin-1")
    query: bytes = scope["query_string"]
    return f"{path}?{query.decode('latin-1')}" if query else path


def _forwarded(exchange: Exchange, proxies: Sequence[Network]) -> list[Header]:
    headers = [header for header in _without_hop(exchange.scope["headers"]) if header[0] not in _OURS_TO_SAY]
    host = next((value for name, value in headers if name == b"host"), b"")
    return [
        *((name, value) for name, value in headers if name != b"content-length"),
        (b"x-forwarded-for", client_address(exchange, proxies).encode("latin-1")),
        (b"x-forwarded-proto", client_scheme(exchange, proxies)),
        (b"x-forwarded-host", host),
    ]


def _without_hop(headers: Iterable[Header]) -> list[Header]:
    found = list(headers)
    named = {name.strip().lower() for key, value in found if key == b"connection" for name in value.split(b",")}
    return [(key, value) for key, value in found if key not in _OF_THE_HOP and key not in named]


async def _say_away(exchange: Exchange, error: PeerError) -> None:
    retry = (b"retry-after", b"2")
    if b"text/html" in exchange.headers.get(b"accept", b""):
        await answer_whole(exchange, 503, _AWAY, (b"content-type", b"text/html; charset=utf-8"), retry)
        return
    said = {
        "code": error.code,
        "message": f"the control process does not answer: {error.message}",
        "next_step": error.next_step,
    }
    await answer_whole(exchange, 503, msgspec.json.encode({"error": said}), JSON, retry)
