"""A server that uses the certificate for 127.0.0.1."""

import asyncio
import contextlib
import socket

import pytest
from surroundings import listening

from flyball.infra.sockets.guarded import Allowance
from flyball.infra.sockets.serving import Server


async def _answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-scheme", scope["scheme"].encode())]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def serving_https(certificate):
    """A server with the gateway's protocol; call it with a client's context, None for plain HTTP, to ask once."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = Server(_answer, allowance=Allowance(), certificate=certificate, hears_signals=False)

    async def ask(context) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", bound.getsockname()[1], ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        try:
            async with asyncio.timeout(5):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async with listening(server, bound):
        yield ask
