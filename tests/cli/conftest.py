"""A certificate for 127.0.0.1, and a server that uses it."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flyball.infra.sockets.guarded import Allowance
from flyball.infra.sockets.serving import Server


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[str, str]:
    """PEM files of a certificate for 127.0.0.1 and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "flyball")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "certificate.pem"), str(folder / "key.pem")


async def _answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-scheme", scope["scheme"].encode())]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def serving_https(certificate):
    """A server with the gateway's protocol; call it with a client's context, None for plain HTTP, to ask once."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    server = Server(_answer, allowance=Allowance(), certificate=certificate, hears_signals=False)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([bound])

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

    yield ask
    server.force_exit = True
    await server.shutdown([bound])
