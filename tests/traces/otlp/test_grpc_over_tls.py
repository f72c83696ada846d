"""OTLP over gRPC with a certificate: who trusts it is served, who speaks without encryption is not."""

import datetime as dt
import ipaddress
import socket
from pathlib import Path

import grpc
import grpc.aio
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from otlp_requests import kept, make_key, trace_request

from flyball.identity.proving import prove
from flyball.projects.refusing import record_missing_permission
from flyball.traces.otlp import grpc_server
from flyball.traces.otlp.signals import SIGNALS


@pytest.fixture
def certificate(tmp_path) -> tuple[Path, Path]:
    """A certificate for localhost and 127.0.0.1, by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    shown, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    shown.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return shown, secret


@pytest.fixture
async def port(ctx, certificate):
    shown, secret = map(str, certificate)
    settings = msgspec.structs.replace(
        ctx.settings, otlp_grpc_port=_free_port(), tls_certificate=shown, tls_key=secret, max_body_bytes=1024 * 1024
    )
    object.__setattr__(ctx, "settings", settings)
    async with grpc_server.serving(ctx, prove, record_missing_permission) as port:
        yield port


@pytest.fixture
async def key(admin):
    return await make_key(admin)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def export(channel, key: str) -> bytes:
    body, metadata = trace_request().SerializeToString(), (("authorization", f"Bearer {key}"),)
    return await channel.unary_unary(SIGNALS["traces"].method)(body, metadata=metadata, timeout=10)


async def test_who_trusts_the_certificate_is_served(port, key, ctx, certificate):
    trusting = grpc.ssl_channel_credentials(certificate[0].read_bytes())

    async with grpc.aio.secure_channel(f"localhost:{port}", trusting) as channel:
        assert await export(channel, key) == b""

    assert len(await kept(ctx)) == 1


async def test_who_does_not_trust_it_or_does_not_encrypt_sends_nothing(port, key, ctx):
    doubting = grpc.ssl_channel_credentials()

    for channel in (
        grpc.aio.secure_channel(f"localhost:{port}", doubting),
        grpc.aio.insecure_channel(f"localhost:{port}"),
    ):
        async with channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await export(channel, key)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    assert await kept(ctx) == []
