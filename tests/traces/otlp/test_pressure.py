"""When too much waits or the disk is nearly full, senders are told to come again; what was acknowledged stays."""

import asyncio
import gzip
import itertools
from contextlib import suppress

import msgspec
import pytest
from google.rpc.status_pb2 import Status
from otlp_requests import kept, make_key, send, trace_request

from flyball.infra.db.database import execute
from flyball.traces import otlp_api
from flyball.traces.otlp import gate
from flyball.traces.otlp.answers import Taken
from flyball.traces.otlp.gate import gate_of, watching
from flyball.traces.pressure import Pressure

FREE = Pressure(requests=0, records=0, bytes=0, rows=0, lag_ns=0, disk_free=2**50, disk_total=2**50)


@pytest.fixture
async def key(admin):
    return await make_key(admin)


@pytest.fixture
def bounded(ctx):
    """Sets knobs of this test's context, before anybody looks at them."""

    def bound(**knobs: int) -> None:
        object.__setattr__(ctx, "settings", msgspec.structs.replace(ctx.settings, **knobs))

    return bound


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"bytes": 2**60}, (429, 8, "5")),
        ({"disk_free": 1}, (503, 14, "30")),
        ({"lag_ns": 61 * 10**9}, (429, 8, "5")),
    ],
)
async def test_under_pressure_the_answer_says_when_to_come_again(public, key, ctx, change, told):
    object.__setattr__(ctx, "settings", msgspec.structs.replace(ctx.settings, ingest_waiting_seconds=60))
    gate_of(ctx).told(FREE._replace(**change), 0)

    answered = await send(public, key, trace_request().SerializeToString())

    assert (answered.status, Status.FromString(answered.body).code, answered.header("retry-after")) == told
    assert await kept(ctx) == []


async def test_spans_that_come_by_the_own_api_are_told_the_same(public, key, ctx):
    gate_of(ctx).told(FREE._replace(disk_free=1), 0)
    span = {"trace_id": "1" * 32, "span_id": "2" * 16, "name": "call", "start_ns": 1, "end_ns": 2}
    headers = {"authorization": f"Bearer {key}"}

    refused = await public.post("/api/traces/spans", {"spans": [span]}, headers=headers)
    gate_of(ctx).told(FREE, 0)
    taken = await public.post("/api/traces/spans", {"spans": [span]}, headers=headers)

    assert (refused.status, refused.header("retry-after")) == (503, "30")
    assert taken.json() == {"taken": 1, "new": 1}


async def test_what_was_let_in_since_the_last_look_counts(public, key, ctx, bounded):
    body = trace_request().SerializeToString()
    bounded(ingest_waiting_bytes=2 * len(body) - 1)
    gate_of(ctx).told(FREE, 0)

    statuses = [(await send(public, key, trace_request().SerializeToString())).status for _ in range(4)]

    assert statuses == [200, 200, 429, 429]


async def test_a_look_sees_what_waits_and_when_it_is_gone_ingest_goes_on(public, key, ctx, bounded):
    bounded(ingest_waiting_bytes=10)
    await send(public, key, trace_request().SerializeToString())

    async with watching(ctx):
        refused = await send(public, key, trace_request().SerializeToString())
    async with ctx.db.transaction() as connection:
        await execute(connection, "delete from inbox_batches where project = %s", ctx.project)
    async with watching(ctx):
        taken = await send(public, key, trace_request().SerializeToString())

    assert (refused.status, taken.status) == (429, 200)


async def test_looking_ends_though_a_look_forgot_that_it_was_to_end(ctx, monkeypatch):
    looks, begun = itertools.count(), asyncio.Event()

    async def forgetting(_ctx, _gate) -> None:
        if next(looks) == 1:
            begun.set()
            with suppress(asyncio.CancelledError):  # as Python 3.11 does where a connection is just handed over
                await asyncio.Event().wait()

    async def watched() -> None:
        async with watching(ctx):
            await begun.wait()

    monkeypatch.setattr(gate, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(gate, "_look", forgetting)
    ended, _ = await asyncio.wait([asyncio.create_task(watched())], timeout=10)

    assert ended


async def test_the_bound_of_the_disk_is_a_setting(public, key, ctx, bounded):
    bounded(ingest_disk_free_bytes=2**60)

    async with watching(ctx):
        answered = await send(public, key, trace_request().SerializeToString())

    assert answered.status == 503
    assert "FLYBALL_INGEST_DISK_FREE_BYTES" in Status.FromString(answered.body).message


async def test_of_bodies_that_unpack_to_megabytes_few_are_in_memory_at_once(public, key, ctx, monkeypatch):
    inside, most = 0, 0

    async def take(*_given: object, **_named: object) -> Taken:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0.05)
        inside -= 1
        return Taken(1, 0, "")

    monkeypatch.setattr(otlp_api, "take_request", take)
    body = gzip.compress(trace_request({"name": "x" * 2_000_000}).SerializeToString())

    answers = await asyncio.gather(*(send(public, key, body, **{"content-encoding": "gzip"}) for _ in range(12)))

    assert [answered.status for answered in answers] == [200] * 12
    assert most == 4


async def test_large_bodies_are_decoded_in_turns_and_all_kept(public, key, ctx):
    bodies = [trace_request({"name": "x" * 1_500_000}).SerializeToString() for _ in range(6)]

    answers = await asyncio.gather(*(send(public, key, body) for body in bodies))

    assert [answered.status for answered in answers] == [200] * 6
    assert len(await kept(ctx)) == 6
