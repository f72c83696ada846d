"""While PostgreSQL hangs, whoever sends is told to come again; when it goes on, so does ingest, and nothing is kept twice."""

import asyncio
import signal
import socket
from contextlib import contextmanager

import grpc
import grpc.aio
import msgspec
import psutil
import pytest
from google.rpc.status_pb2 import Status
from otlp_requests import kept, make_key, send, trace_request

from flyball.identity import lately_proven
from flyball.identity.proving import prove
from flyball.infra.db.database import Database
from flyball.projects.refusing import record_missing_permission
from flyball.traces import inbox_batches
from flyball.traces.otlp import grpc_server
from flyball.traces.otlp.signals import SIGNALS

HANGS_SECONDS = 60  # what would be waited for without a bound


@pytest.fixture
async def key(admin, public):
    made = await make_key(admin)
    await send(public, made, trace_request().SerializeToString())
    return made


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.setattr(inbox_batches, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(lately_proven, "PATIENCE_SECONDS", 0.5)


@pytest.fixture
def frozen(postgres):
    """A block in which PostgreSQL, all of it, stands still."""

    @contextmanager
    def block():
        server = psutil.Process(postgres.pid)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    return block


@pytest.mark.parametrize(
    "remembered", [True, False], ids=["a key that was just proven", "a key that has to be looked up"]
)
async def test_while_postgresql_hangs_senders_are_told_to_come_again(public, key, application, frozen, remembered):
    body = trace_request().SerializeToString()
    if not remembered:
        application.state.prover_of_telemetry._proven.clear()

    async with asyncio.timeout(HANGS_SECONDS):
        with frozen():
            answers = await asyncio.gather(*(send(public, key, body) for _ in range(5)))

    assert {(answer.status, answer.header("retry-after")) for answer in answers} == {(503, "5")}
    assert {Status.FromString(answer.body).code for answer in answers} == {grpc.StatusCode.UNAVAILABLE.value[0]}


async def test_while_nobody_is_answered_no_more_requests_are_held_in_memory(public, key, ctx, frozen):
    async with asyncio.timeout(HANGS_SECONDS):
        with frozen():
            first = await asyncio.gather(*(send(public, key, trace_request().SerializeToString()) for _ in range(20)))
            for _ in range(20):
                assert (await send(public, key, trace_request().SerializeToString())).status == 503
            waiting = len(inbox_batches._APPENDERS[ctx.db.across_projects()]._waiting)

    assert {answer.status for answer in first} == {503}
    assert waiting <= 20


async def test_after_it_ingest_goes_on_and_what_is_sent_again_is_kept_once(public, key, ctx, frozen):
    before = len(await kept(ctx))
    body = trace_request().SerializeToString()

    async with asyncio.timeout(HANGS_SECONDS):
        with frozen():
            assert (await send(public, key, body)).status == 503
        while (await send(public, key, body)).status != 200:
            await asyncio.sleep(0.1)

    assert len(await kept(ctx)) == before + 1


async def test_over_grpc_senders_are_told_the_same(ctx, key, frozen):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    object.__setattr__(ctx, "settings", msgspec.structs.replace(ctx.settings, otlp_grpc_port=port))
    prover = lately_proven.LatelyProven(prove, ctx.clock)

    async with (
        grpc_server.serving(ctx, prover, record_missing_permission) as served,
        grpc.aio.insecure_channel(f"127.0.0.1:{served}") as channel,
        asyncio.timeout(HANGS_SECONDS),
    ):
        export = channel.unary_unary(SIGNALS["traces"].method)
        body, metadata = trace_request().SerializeToString(), (("authorization", f"Bearer {key}"),)
        with frozen(), pytest.raises(grpc.aio.AioRpcError) as refused:
            await export(body, metadata=metadata)

    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    assert [each.TypeName() for each in Status.FromString(details).details] == ["google.rpc.RetryInfo"]


async def test_whatever_goes_wrong_while_requests_are_written_their_senders_are_answered(public, key, ctx, monkeypatch):
    def fails(_):
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(Database, "connection", fails)
    async with asyncio.timeout(HANGS_SECONDS):
        answers = await asyncio.gather(*(send(public, key, trace_request().SerializeToString()) for _ in range(3)))

    assert [answer.status for answer in answers] == [500] * 3
