"""What is wrong with a record is counted and named, and the others are kept; what is wrong with a request is said; nothing crashes."""

import contextlib
import gzip
import random
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import NOW, kept, log_request, make_key, metric_request, send, trace_request

from flyball.traces.otlp.checking import MOST_RECORDS, check
from flyball.traces.otlp.compression import decoded
from flyball.traces.otlp.decoding import told_spans
from flyball.traces.otlp.density import MOST_VALUES
from flyball.traces.otlp.errors import OtlpCompressionError, OtlpMalformedError, OtlpTooLargeError
from flyball.traces.otlp.json_reading import request_from_json
from flyball.traces.otlp.rules import MOST_BESIDE
from flyball.traces.otlp.splitting import groups_of, joined
from flyball.traces.otlp.wire import field_of, varint

# Machines that have other things to do are no reason to fail.
UNHURRIED = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DAY = 24 * 3600 * 10**9


@pytest.fixture
async def key(admin):
    return await make_key(admin)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"trace_id": b"short"}, "its trace_id has 5 bytes, and needs 16"),
        ({"trace_id": b""}, "its trace_id has 0 bytes"),
        ({"trace_id": bytes(16)}, "its trace_id is all zero"),
        ({"span_id": b"x" * 9}, "its span_id has 9 bytes, and needs 8"),
        ({"span_id": bytes(8)}, "its span_id is all zero"),
        ({"parent_span_id": b"x"}, "its parent_span_id has 1 bytes"),
        ({"start_time_unix_nano": 0}, "a start is needed"),
        ({"start_time_unix_nano": 2**63}, "times before 2262"),
        ({"end_time_unix_nano": 2**64 - 1}, "times before 2262"),
    ],
)
def test_a_span_that_cannot_be_kept_is_counted_and_named_and_the_others_are_kept(change, reason):
    body = trace_request({"name": "good"}, {"name": "bad"} | change, {"name": "fine"}).SerializeToString()

    checked = check("traces", body, now_ns=NOW)

    assert [span.name for span in told_spans(checked.body)] == ["good", "fine"]
    assert (checked.kept, checked.rejected) == (2, 1)
    assert checked.message.startswith("1 span was not kept: span ")
    assert reason in checked.message


async def test_partial_success_tells_the_sender(public, key, ctx):
    body = trace_request({}, {"trace_id": b"1"}, {"trace_id": b"2"}).SerializeToString()

    answered = await send(public, key, body)

    told = ExportTraceServiceResponse.FromString(answered.body).partial_success
    assert (answered.status, told.rejected_spans) == (200, 2)
    assert "trace_id" in told.error_message
    assert len(await kept(ctx)) == 1


def test_many_wrong_spans_are_told_in_few_words():
    body = trace_request(*({"trace_id": b"x", "span_id": bytes([n]) * 8} for n in range(1, 200))).SerializeToString()

    checked = check("traces", body, now_ns=NOW)

    assert (checked.kept, checked.rejected) == (0, 199)
    assert checked.message.endswith("and 196 more")
    assert len(checked.message) < 400


def test_text_that_is_not_utf8_costs_its_own_span_alone():
    good, bad = Span(), b"\x2a\x02\xff\xfe"
    good.ParseFromString(trace_request().resource_spans[0].scope_spans[0].spans[0].SerializeToString())
    ids = good.SerializeToString()
    body = field_of(1, field_of(2, field_of(2, ids + bad) + field_of(2, ids)))

    checked = check("traces", body, now_ns=NOW)

    assert (checked.kept, checked.rejected) == (1, 1)
    assert checked.message == "1 span was not kept: a span holds text that is not UTF-8"


def test_a_resource_that_is_not_utf8_costs_its_own_spans_alone():
    good = trace_request({"name": "good"}).SerializeToString()
    bad_attribute = field_of(1, field_of(1, b"\x0a\x02\xff\xfe"))
    spans = trace_request({}, {}).resource_spans[0].scope_spans[0].SerializeToString()

    checked = check("traces", good + field_of(1, bad_attribute + field_of(2, spans)), now_ns=NOW)

    assert [span.name for span in told_spans(checked.body)] == ["good"]
    assert checked.message == "2 spans were not kept: 2 × the resource of spans holds text that is not UTF-8"


def test_ten_thousand_attributes_are_kept():
    request = trace_request()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    for number in range(10_000):
        span.attributes.add(key=f"key.{number}").value.int_value = number
    body = request.SerializeToString()

    checked = check("traces", body, now_ns=NOW)

    assert (checked.kept, checked.body) == (1, body)
    (told,) = told_spans(checked.body)
    assert told.attributes["key.9999"] == 9999


def test_a_value_of_twenty_megabytes_is_kept_whole():
    request = trace_request()
    text = "x" * (20 * 1024 * 1024)
    request.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="input").value.string_value = text
    body = request.SerializeToString()

    checked = check("traces", body, now_ns=NOW)

    assert (checked.kept, checked.rejected) == (1, 0)
    (told,) = told_spans(checked.body)
    assert told.attributes == {"input": text}


def test_what_would_take_a_gigabyte_when_decoded_is_not_decoded(costs_at_most):
    ids = trace_request().resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    dense = ids + b"\x4a\x00" * (4 * MOST_VALUES)
    good = trace_request({"name": "good"}).SerializeToString()

    with costs_at_most(50):
        checked = check("traces", good + field_of(1, field_of(2, field_of(2, dense))), now_ns=NOW)

    assert checked.message == "1 span was not kept: a span holds more than 200,000 values"
    assert [span.name for span in told_spans(checked.body)] == ["good"]


@pytest.mark.parametrize("megabytes", [0.9, 16])
@pytest.mark.parametrize("floor", ["resources", "scopes", "records"])
def test_millions_of_empty_records_are_refused_before_they_fill_the_memory(floor, megabytes, costs_at_most):
    many = b"\x12\x00" * int(megabytes * 500_000)
    bodies = {
        "resources": b"\x0a\x00" * (len(many) // 2),
        "scopes": field_of(1, many),
        "records": field_of(1, field_of(2, many)),
    }

    with (
        costs_at_most(50),
        pytest.raises(OtlpTooLargeError, match=f"more than {MOST_RECORDS:,} resources, scopes and records"),
    ):
        check("logs", bodies[floor], now_ns=NOW)


@pytest.mark.parametrize("beside", ["events", "links"])
def test_a_span_of_a_hundred_thousand_empty_events_costs_itself_alone(beside):
    request = trace_request({"name": "honest"})
    honest = request.resource_spans[0].scope_spans[0].spans[0]
    for number in range(5_000):
        honest.events.add(time_unix_nano=NOW, name="gen_ai.chunk").attributes.add(key="n").value.int_value = number
    ids = trace_request().resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    dense = ids + {"events": b"\x5a\x00", "links": b"\x6a\x00"}[beside] * 100_000

    checked = check("traces", request.SerializeToString() + field_of(1, field_of(2, field_of(2, dense))), now_ns=NOW)

    assert checked.message == f"1 span was not kept: a span holds more than {MOST_BESIDE:,} events and links"
    (kept,) = told_spans(checked.body)
    assert (kept.name, len(kept.events)) == ("honest", 5_000)


def test_a_request_of_many_dense_spans_is_refused_as_a_whole():
    ids = trace_request().resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    dense = field_of(2, ids + b"\x5a\x00" * MOST_BESIDE)

    with pytest.raises(OtlpTooLargeError, match="more than 200,000 events and links"):
        check("traces", field_of(1, field_of(2, dense * 21)), now_ns=NOW)


def test_a_request_of_more_points_than_are_looked_at_is_refused():
    points = field_of(5, b"\x0a\x00" * (MOST_RECORDS + 1))  # of a gauge

    with pytest.raises(OtlpTooLargeError, match="more than 200,000 points"):
        check("metrics", field_of(1, field_of(2, field_of(2, field_of(1, b"m") + points))), now_ns=NOW)


def test_a_request_of_as_many_records_as_may_be_is_kept():
    body = field_of(1, field_of(2, b"\x12\x00" * (MOST_RECORDS - 2)))

    assert check("logs", body, now_ns=NOW).kept == MOST_RECORDS - 2


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_members_without_end_cost_no_more_than_their_length(encoding, compress, costs_at_most):
    member = compress(b"")

    with costs_at_most(20), pytest.raises(OtlpCompressionError, match="more than 1,000 members"):
        decoded(member * 300_000, encoding, most=1_000)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_several_long_members_are_read_one_after_the_other(encoding):
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    parts = [random.Random(number).randbytes(200_000) for number in range(5)]

    assert decoded(b"".join(map(pack, parts)), encoding, most=1_000_000) == b"".join(parts)


def test_values_that_nest_without_end_cost_their_own_span_alone():
    value = b"\x0a\x01x"
    for _ in range(300):
        value = field_of(5, field_of(1, value))
    ids = trace_request().resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    deep = ids + field_of(9, field_of(1, b"k") + field_of(2, value))

    checked = check("traces", field_of(1, field_of(2, field_of(2, deep) + field_of(2, ids))), now_ns=NOW)

    assert (checked.kept, checked.rejected) == (1, 1)
    assert "nests deeper than protobuf allows" in checked.message


def test_spans_from_the_future_are_kept_and_said():
    ahead = {"start_time_unix_nano": NOW + 2 * DAY, "end_time_unix_nano": NOW + 3 * DAY}
    body = trace_request({}, ahead).SerializeToString()

    checked = check("traces", body, now_ns=NOW)

    assert (checked.kept, checked.rejected, checked.body) == (2, 0, body)
    assert checked.message == "1 span was kept that began more than a day ahead of this server's clock"


def test_open_spans_and_those_that_end_before_they_start_are_kept_as_told():
    body = trace_request({"end_time_unix_nano": 0}, {"end_time_unix_nano": NOW - 1}).SerializeToString()

    assert check("traces", body, now_ns=NOW) == (body, 2, 0, "")


def test_a_log_record_with_a_wrong_id_is_kept_and_belongs_to_no_trace():
    body = log_request({"trace_id": b"short", "span_id": b"x"}).SerializeToString()

    checked = check("logs", body, now_ns=NOW)

    assert (checked.kept, checked.rejected) == (1, 0)


def test_of_a_metric_only_the_points_that_cannot_be_kept_are_left_out():
    checked = check("metrics", metric_request(NOW, 2**63, NOW + 1).SerializeToString(), now_ns=NOW)

    assert (checked.kept, checked.rejected) == (2, 1)
    assert checked.message == "1 data point was not kept: metric 'tokens': the time of a point is not before 2262"


def test_a_metric_without_a_name_is_left_out_with_all_of_its_points():
    checked = check("metrics", metric_request(NOW, NOW + 1, name="").SerializeToString(), now_ns=NOW)

    assert (checked.kept, checked.rejected, checked.message) == (
        0, 2, "2 data points were not kept: 2 × a metric without a name",
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05abc", b"\x0a\x80", b"hello, world", b"\x00\x01", b"{}"])
def test_what_is_no_request_at_all_is_said(body):
    with pytest.raises(OtlpMalformedError):
        check("traces", body, now_ns=NOW)


@UNHURRIED
@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_checked_or_refused(body):
    for signal in ("traces", "logs", "metrics"):
        try:
            checked = check(signal, body, now_ns=NOW)
        except OtlpMalformedError:
            continue
        assert check(signal, checked.body, now_ns=NOW).kept == checked.kept


@UNHURRIED
@given(st.data())
def test_a_request_that_was_damaged_anywhere_is_checked_or_refused_and_what_is_kept_is_whole(data):
    body = bytearray(trace_request({}, {}, {}).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        checked = check("traces", bytes(body), now_ns=NOW)
    except OtlpMalformedError:
        return

    told = list(told_spans(checked.body))
    assert len(told) == checked.kept
    assert all(len(span.trace_id) == 32 and len(span.span_id) == 16 and span.start_ns > 0 for span in told)


def test_what_is_cut_and_joined_again_is_the_same():
    body = trace_request({}, {}).SerializeToString() + trace_request(resource="other").SerializeToString()

    groups = [
        (group.header, [(scope.header, [body[a:b] for a, b in scope.records]) for scope in group.scopes])
        for group in groups_of(body)
    ]

    assert joined(groups) == body


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**32, 2**64 - 1])
def test_numbers_on_the_wire_are_protobufs(number):
    assert Span(start_time_unix_nano=0, flags=0, dropped_attributes_count=0).SerializeToString() == b""
    assert field_of(1, b"x" * min(number, 300))[1:].startswith(varint(min(number, 300)))
    assert varint(number)[-1] < 0x80


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_is_unpacked_no_further_than_what_is_read(encoding, costs_at_most):
    import pyarrow as pa

    plain = b"\0" * (200 * 1024 * 1024)
    pack = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
    }
    bomb = pack[encoding](plain)
    del plain

    with costs_at_most(2), pytest.raises(OtlpTooLargeError, match="larger than 1000000 bytes"):
        decoded(bomb, encoding, most=1_000_000)

    assert len(bomb) < 1_000_000


@UNHURRIED
@given(st.sampled_from(["gzip", "deflate", "zstd"]), st.binary(max_size=50))
def test_what_is_not_compressed_as_it_says_is_refused(encoding, body):
    with contextlib.suppress(OtlpCompressionError):
        assert len(decoded(body, encoding, most=1000)) <= 1000


@pytest.mark.parametrize("cut", [1, 8, 20])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
async def test_a_body_that_breaks_off_is_refused(public, key, encoding, cut):
    import pyarrow as pa

    pack = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
    }
    body = pack[encoding](trace_request().SerializeToString())

    answered = await send(public, key, body[:-cut], **{"content-encoding": encoding})

    assert answered.status == 400


TRACE = {"traceId": "0A" * 16, "spanId": "0b" * 8, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": 2}


def of_spans(*spans, **fields):
    import json

    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}], **fields}).encode()


def test_json_ids_are_hexadecimal_in_either_case_and_unknown_fields_are_ignored():
    body = of_spans(TRACE | {"kind": 3, "unheardOf": {"deep": [1]}}, futureField=1)

    request, unreadable = request_from_json("traces", body)

    (told,) = told_spans(request)
    assert (told.trace_id, told.span_id, told.kind, told.start_ns, told.end_ns) == ("0a" * 16, "0b" * 8, 3, 1, 2)
    assert unreadable.rejected == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"traceId": "xyz"}, "traceId: 'xyz' does not fit"),
        ({"traceId": 5}, "traceId: 5 does not fit"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano: 'soon' does not fit"),
        ({"startTimeUnixNano": -1}, ""),
        ({"startTimeUnixNano": 2**64}, ""),
        ({"startTimeUnixNano": 1.5}, "startTimeUnixNano: 1.5 does not fit"),
        ({"name": 7}, "name: 7 does not fit"),
        ({"attributes": {}}, "attributes: a list is needed"),
        ({"attributes": [3]}, "KeyValue: an object is needed"),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "*"}}]}, "bytesValue: '*' does not fit"),
        ({"attributes": [{"key": "a", "value": {"boolValue": "yes"}}]}, "boolValue: 'yes' does not fit"),
        ({"status": []}, "Status: an object is needed"),
    ],
)
def test_a_record_of_json_that_does_not_fit_is_named_and_the_others_are_kept(change, reason):
    request, unreadable = request_from_json("traces", of_spans(TRACE, TRACE | change, TRACE))

    assert len(list(told_spans(request))) == 2
    assert unreadable.rejected == 1
    assert unreadable.message.startswith("1 span could not be read: ")
    assert reason in unreadable.message


def test_half_a_surrogate_pair_which_browsers_send_is_told_as_a_character_that_says_so():
    body = of_spans(TRACE).replace(b'"x"', b'"cut \\ud83d"')

    request, unreadable = request_from_json("traces", body)

    (told,) = told_spans(request)
    assert (told.name, unreadable.rejected) == ("cut \ufffd", 0)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b"{", b'{"resourceSpans": 5}', b'{"resourceSpans": [5]}', b"\xff", b'{"a": NaN',
        b'{"resourceSpans": [{"resource": 5}]}', b'{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
        b'{"a":' * 300 + b"1" + b"}" * 300, b"[" * 100_000, b'{"a": [' + b"{}," * 1_100_000 + b"{}]}",
    ],
)  # fmt: skip
async def test_json_that_is_no_request_is_400(public, key, body):
    answered = await send(public, key, body, content_type="application/json")

    assert answered.status == 400
    assert answered.json()["code"] == 3


@pytest.mark.parametrize("status", [0, 1, 2])
def test_enums_are_numbers_in_json_and_their_names_are_understood(status):
    name = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"][status]

    request, _ = request_from_json(
        "traces", of_spans(TRACE | {"status": {"code": status}}, TRACE | {"status": {"code": name}})
    )

    assert [span.status_code for span in told_spans(request)] == [status, status]
