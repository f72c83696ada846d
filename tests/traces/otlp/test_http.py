"""OTLP over HTTP: every signal in both encodings, compressed or not; answered in kind; durable before the answer."""

import base64
import gzip
import zlib

import pyarrow as pa
import pytest
from google.rpc.status_pb2 import Status
from otlp_requests import PATHS, REQUESTS, kept, make_key, send, trace_request

from flyball.gateway.routes import is_ours
from flyball.infra.db.database import fetch_all
from flyball.traces.otlp.json_writing import json_of
from flyball.traces.otlp.signals import SIGNALS

PROTOBUF, JSON = "application/x-protobuf", "application/json"
ENCODED = {PROTOBUF: lambda request: request.SerializeToString(), JSON: json_of}


def _zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


PACKED = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": _zstd, "identity": bytes}


@pytest.fixture
async def key(admin):
    return await make_key(admin)


@pytest.mark.parametrize("signal", PATHS)
@pytest.mark.parametrize("content_type", ENCODED)
async def test_every_signal_is_taken_in_both_encodings_and_answered_in_the_same(public, key, ctx, signal, content_type):
    request = REQUESTS[signal]()

    answered = await send(public, key, ENCODED[content_type](request), signal=signal, content_type=content_type)

    assert (answered.status, answered.header("content-type")) == (200, content_type)
    assert answered.body == {PROTOBUF: b"", JSON: b"{}"}[content_type]
    (told,) = await kept(ctx, signal)
    assert told.resource.attributes == ({"service.name": "shop"} if signal == "traces" else {})


@pytest.mark.parametrize("encoding", PACKED)
async def test_every_compression_is_unpacked(public, key, ctx, encoding):
    body = trace_request().SerializeToString()

    answered = await send(public, key, PACKED[encoding](body), **{"content-encoding": encoding})

    assert answered.status == 200
    assert [span.name for span in await kept(ctx)] == ["ask"]


async def test_several_members_of_gzip_are_one_body_as_its_format_says(public, key, ctx):
    body = trace_request({"name": "x" * 1000}).SerializeToString()

    answered = await send(
        public, key, gzip.compress(body[:500]) + gzip.compress(body[500:]), **{"content-encoding": "gzip"}
    )

    assert answered.status == 200
    assert [len(span.name) for span in await kept(ctx)] == [1000]


async def test_the_same_request_sent_again_is_acknowledged_and_kept_once(public, key, ctx):
    body = trace_request({}, {}).SerializeToString()

    answers = [
        await send(public, key, body),
        await send(public, key, gzip.compress(body), **{"content-encoding": "gzip"}),
    ]

    assert [answered.status for answered in answers] == [200, 200]
    assert len(await kept(ctx)) == 2


async def test_a_row_says_whose_it_is_and_how_much(public, key, ctx):
    body = trace_request({}, {}, {}).SerializeToString()

    await send(public, key, body)

    async with ctx.db.connection() as connection:
        (row,) = await fetch_all(connection, "select * from inbox_batches where project = %s", ctx.project)
    assert (row["records"], row["size"], row["signal"], row["key_id"][:4]) == (3, len(body), "traces", "key_")


@pytest.mark.parametrize(
    "header",
    [
        lambda key: {"authorization": f"Bearer {key}"},
        lambda key: {"x-api-key": key},
        lambda key: {"authorization": "Basic " + base64.b64encode(f"any:{key}".encode()).decode()},
    ],
)
async def test_a_key_is_found_wherever_exporters_put_theirs(public, key, header):
    sent = {"content-type": PROTOBUF} | header(key)

    assert (await public.post("/v1/traces", body=trace_request().SerializeToString(), headers=sent)).status == 200


@pytest.mark.parametrize("content_type", ENCODED)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer flyball_nonsense"}, 401),
        ({"authorization": ""}, 401),
        ({"content-encoding": "br"}, 415),
        ({"content-encoding": "gzip"}, 400),
    ],
)
async def test_what_is_refused_is_told_as_a_status_in_the_same_encoding(public, key, content_type, headers, status):
    body, code = ENCODED[content_type](trace_request()), 16 if status == 401 else 3

    answered = await send(public, key, body, content_type=content_type, **headers)

    assert (answered.status, answered.header("content-type")) == (status, content_type)
    if content_type == PROTOBUF:
        assert Status.FromString(answered.body).code == code
        assert Status.FromString(answered.body).message
    else:
        assert answered.json()["code"] == code
        assert answered.json()["message"]


async def test_a_key_that_may_only_read_is_refused(public, admin):
    reader = await make_key(admin, "viewer")

    answered = await send(public, reader, trace_request().SerializeToString())

    assert (answered.status, Status.FromString(answered.body).code) == (403, 7)
    assert "traces.write" in Status.FromString(answered.body).message


@pytest.mark.parametrize("content_type", ["text/plain", "application/protobuf", ""])
async def test_another_content_type_is_415_and_names_those_that_there_are(public, key, content_type):
    answered = await send(public, key, trace_request().SerializeToString(), content_type=content_type)

    assert answered.status == 415
    assert "application/x-protobuf" in answered.json()["message"]


async def test_reading_where_telemetry_is_sent_to_is_405(public, key):
    answered = await public.get("/v1/traces", headers={"authorization": f"Bearer {key}"})

    assert answered.status == 405


@pytest.mark.parametrize("signal", PATHS)
async def test_an_empty_request_is_a_success_that_keeps_nothing(public, key, ctx, signal):
    answered = await send(public, key, b"", signal=signal)

    assert (answered.status, answered.body) == (200, b"")
    assert await kept(ctx, signal) == []


async def test_a_project_sees_its_own_spans_alone(public, admin, key, ctx):
    await admin.post("/api/projects", {"name": "other"})
    made = await admin.post(
        "/api/keys", {"name": "theirs", "role": "application"}, headers={"x-flyball-project": "other"}
    )

    await send(public, made.json()["key"], trace_request().SerializeToString())

    assert await kept(ctx) == []


def test_the_table_of_signals_is_that_of_the_messages():
    for messages in SIGNALS.values():
        of_resource = messages.request.DESCRIPTOR.fields_by_name[messages.groups]
        of_scope = messages.of_resource.DESCRIPTOR.fields_by_name[messages.scopes]
        record = messages.of_scope.DESCRIPTOR.fields_by_name[messages.records]
        assert (of_resource.number, of_scope.number, record.number) == (1, 2, 2)
        assert record.message_type is messages.record.DESCRIPTOR
        assert (
            messages.rejected
            in messages.response.DESCRIPTOR.fields_by_name["partial_success"].message_type.fields_by_name
        )


@pytest.mark.parametrize("path", PATHS.values())
def test_the_gateway_passes_telemetry_on_and_keeps_the_other_paths_of_the_version(path):
    assert not is_ours(path)
    assert is_ours(f"{path}x")
    assert is_ours("/v1/models")
