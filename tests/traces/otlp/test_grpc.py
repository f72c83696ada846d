"""OTLP over gRPC: the same verb behind another door, with the codes and details by which clients decide what to do."""

import asyncio
import base64
import logging
import socket
from pathlib import Path

import grpc
import grpc.aio
import msgspec
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from otlp_requests import PATHS, REQUESTS, kept, make_key, trace_request

from flyball.identity.proving import prove
from flyball.projects.refusing import record_missing_permission
from flyball.traces.otlp import grpc_server
from flyball.traces.otlp.gate import gate_of
from flyball.traces.otlp.signals import SIGNALS
from flyball.traces.pressure import Pressure


@pytest.fixture
async def port(ctx):
    """The port of a server of this test alone."""
    settings = msgspec.structs.replace(ctx.settings, otlp_grpc_port=_free_port(), max_body_bytes=1024 * 1024)
    object.__setattr__(ctx, "settings", settings)
    async with grpc_server.serving(ctx, prove, record_missing_permission) as port:
        yield port


@pytest.fixture
async def channel(port):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


@pytest.fixture
async def key(admin):
    return await make_key(admin)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


async def export(channel, body: bytes, *metadata: tuple[str, str], signal="traces", **more) -> bytes:
    return await channel.unary_unary(SIGNALS[signal].method)(body, metadata=metadata, timeout=10, **more)


def bearer(key: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {key}")


def status_of(error: grpc.aio.AioRpcError) -> Status:
    return Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])


@pytest.mark.parametrize("signal", PATHS)
async def test_every_signal_is_taken(channel, key, ctx, signal):
    answered = await export(channel, REQUESTS[signal]().SerializeToString(), bearer(key), signal=signal)

    assert answered == b""
    assert len(await kept(ctx, signal)) == 1


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_a_compressed_message_is_unpacked(channel, key, ctx, compression):
    await export(channel, trace_request({"name": "x" * 5000}).SerializeToString(), bearer(key), compression=compression)

    assert [len(span.name) for span in await kept(ctx)] == [5000]


async def test_what_is_not_kept_is_told_in_partial_success(channel, key):
    answered = await export(channel, trace_request({}, {"trace_id": b"1"}).SerializeToString(), bearer(key))

    told = ExportTraceServiceResponse.FromString(answered).partial_success
    assert (told.rejected_spans, "trace_id has 1 bytes" in told.error_message) == (1, True)


@pytest.mark.parametrize(
    "metadata",
    [
        bearer,
        lambda key: ("x-api-key", key),
        lambda key: ("authorization", "Basic " + base64.b64encode(f"any:{key}".encode()).decode()),
    ],
)
async def test_a_key_is_found_wherever_exporters_put_theirs(channel, key, metadata):
    assert await export(channel, trace_request().SerializeToString(), metadata(key)) == b""


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ((), grpc.StatusCode.UNAUTHENTICATED),
        ((bearer("flyball_nonsense"),), grpc.StatusCode.UNAUTHENTICATED),
        ((("authorization", "Basic !"),), grpc.StatusCode.UNAUTHENTICATED),
    ],
)
async def test_without_a_valid_key_nothing_is_taken(channel, ctx, metadata, code):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(channel, trace_request().SerializeToString(), *metadata)

    assert (caught.value.code(), status_of(caught.value).code) == (code, code.value[0])
    assert await kept(ctx) == []


async def test_a_key_without_the_permission_is_refused(channel, admin):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(channel, b"", bearer(await make_key(admin, "viewer")))

    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "traces.write" in caught.value.details()


@pytest.mark.parametrize("body", [b"\xff\xff\xff", b"hello, world"])
async def test_what_is_no_request_is_an_invalid_argument(channel, key, body):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(channel, body, bearer(key))

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_message_that_is_unpacked_too_large_is_refused_and_not_to_be_repeated(channel, key, ctx, compression):
    body = trace_request({"name": "x" * 2_000_000}).SerializeToString()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(channel, body, bearer(key), compression=compression)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(caught.value.trailing_metadata())
    assert await kept(ctx) == []


async def test_a_method_that_there_is_not_is_unimplemented(channel, key):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary("/opentelemetry.proto.collector.profiles.v1.ProfilesService/Export")(b"")

    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bytes": 2**60}, (grpc.StatusCode.RESOURCE_EXHAUSTED, 5)),
        ({"disk_free": 0}, (grpc.StatusCode.UNAVAILABLE, 30)),
    ],
)
async def test_under_pressure_clients_are_told_when_to_come_again(channel, key, ctx, change, told):
    free = Pressure(requests=0, records=0, bytes=0, rows=0, lag_ns=0, disk_free=2**50, disk_total=2**50)
    gate_of(ctx).told(free._replace(**change), 0)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(channel, trace_request().SerializeToString(), bearer(key))

    retry = RetryInfo()
    assert status_of(caught.value).details[0].Unpack(retry)
    assert (caught.value.code(), retry.retry_delay.seconds) == told


async def test_a_taken_port_is_a_warning_and_no_failure(ctx, port, caplog):
    with caplog.at_level(logging.WARNING):
        async with grpc_server.serving(ctx, prove, record_missing_permission) as second:
            assert second == 0

    assert f"port {port} on 127.0.0.1 is taken" in caplog.text
    assert "FLYBALL_OTLP_GRPC_PORT" in caplog.text


async def test_port_0_is_off(ctx):
    object.__setattr__(ctx, "settings", msgspec.structs.replace(ctx.settings, otlp_grpc_port=0))

    async with grpc_server.serving(ctx, prove, record_missing_permission) as port:
        assert port == 0


async def test_many_calls_at_once_are_all_kept(channel, key, ctx):
    bodies = [trace_request().SerializeToString() for _ in range(50)]

    await asyncio.gather(*(export(channel, body, bearer(key)) for body in bodies))

    assert len(await kept(ctx)) == 50


async def test_a_client_that_begins_and_sends_nothing_holds_nobody_up(channel, key, ctx, monkeypatch):
    monkeypatch.setattr(grpc_server, "_PATIENCE_SECONDS", 0.2)

    async def nothing():
        await asyncio.sleep(60)
        yield b""

    call = channel.stream_unary(SIGNALS["traces"].method)(nothing(), metadata=(bearer(key),), timeout=10)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await export(channel, trace_request().SerializeToString(), bearer(key)) == b""


async def test_a_call_that_ends_without_a_message_is_an_empty_request(channel, key):
    async def nothing():
        return
        yield

    assert await channel.stream_unary(SIGNALS["traces"].method)(nothing(), metadata=(bearer(key),), timeout=10) == b""


@pytest.fixture
async def port_with_certificate(ctx, certificate):
    shown, secret = certificate
    settings = msgspec.structs.replace(
        ctx.settings, otlp_grpc_port=_free_port(), tls_certificate=shown, tls_key=secret, max_body_bytes=1024 * 1024
    )
    object.__setattr__(ctx, "settings", settings)
    async with grpc_server.serving(ctx, prove, record_missing_permission) as port:
        yield port


async def test_with_a_certificate_who_trusts_it_is_served(port_with_certificate, key, ctx, certificate):
    trusting = grpc.ssl_channel_credentials(Path(certificate[0]).read_bytes())

    async with grpc.aio.secure_channel(f"127.0.0.1:{port_with_certificate}", trusting) as channel:
        assert await export(channel, trace_request().SerializeToString(), bearer(key)) == b""

    assert len(await kept(ctx)) == 1


@pytest.mark.parametrize("trust", ["none", "unencrypted"])
async def test_with_a_certificate_nobody_else_sends_anything(port_with_certificate, key, ctx, trust):
    address = f"127.0.0.1:{port_with_certificate}"
    doubting = grpc.ssl_channel_credentials()

    async with (
        grpc.aio.secure_channel(address, doubting) if trust == "none" else grpc.aio.insecure_channel(address) as channel
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await export(channel, trace_request().SerializeToString(), bearer(key))

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert await kept(ctx) == []
