"""What comes in goes out the same: spans, logs and points, by protobuf and by JSON, one by one and by thousands."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from told_strategies import logs, points, resources, scopes, spans

from flyball.traces.otlp import decoding
from flyball.traces.otlp.checking import check
from flyball.traces.otlp.decoding import told_logs, told_points, told_spans
from flyball.traces.otlp.encoding import logs_request, points_request, spans_request
from flyball.traces.otlp.json_reading import request_from_json
from flyball.traces.otlp.json_writing import json_of
from flyball.traces.told import Told, ToldResource, ToldScope

# Machines that have other things to do are no reason to fail.
UNHURRIED = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIGNALS = {
    "traces": (spans, spans_request, told_spans),
    "logs": (logs, logs_request, told_logs),
    "metrics": (points, points_request, told_points),
}


@pytest.mark.parametrize("signal", SIGNALS)
@UNHURRIED
@given(data=st.data())
def test_what_is_told_and_encoded_is_told_the_same_again(signal, data):
    records, encode, decode = SIGNALS[signal]
    told = data.draw(records)

    body = encode([told]).SerializeToString()

    assert list(decode(body)) == [told]


@pytest.mark.parametrize("signal", SIGNALS)
@UNHURRIED
@given(data=st.data())
def test_what_is_written_as_json_and_read_is_the_same_protobuf(signal, data):
    records, encode, _ = SIGNALS[signal]
    request = encode(data.draw(st.lists(records, max_size=3)))

    read, unreadable = request_from_json(signal, json_of(request))

    assert unreadable.rejected == 0
    assert type(request).FromString(read) == request


@pytest.mark.parametrize("signal", SIGNALS)
@UNHURRIED
@given(data=st.data())
def test_a_request_in_which_nothing_is_wrong_is_kept_byte_for_byte(signal, data):
    records, encode, decode = SIGNALS[signal]
    body = encode(data.draw(st.lists(records, min_size=1, max_size=3))).SerializeToString()

    checked = check(signal, body, now_ns=2**62)

    assert (checked.body, checked.kept, checked.rejected) == (body, len(list(decode(body))), 0)


@UNHURRIED
@given(st.lists(resources, min_size=1, max_size=2), st.lists(scopes, min_size=1, max_size=2), st.data())
def test_spans_of_one_resource_and_scope_stand_together_and_none_is_lost(some_resources, some_scopes, data):
    made = st.builds(
        Told,
        trace_id=st.just("0a" * 16),
        span_id=st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}"),
        name=st.just("x"),
        start_ns=st.just(1),
        end_ns=st.just(2),
        resource=st.sampled_from(some_resources),
        scope=st.sampled_from(some_scopes),
    )
    told = data.draw(st.lists(made, max_size=8))

    request = spans_request(told)

    again = list(told_spans(request.SerializeToString()))
    assert sorted(again, key=repr) == sorted(told, key=repr)
    assert len(request.resource_spans) == len({repr(span.resource) for span in told})


@pytest.mark.parametrize("signal", SIGNALS)
@UNHURRIED
@given(data=st.data())
def test_a_large_request_is_decoded_piece_by_piece_to_the_same(signal, data):
    records, encode, decode = SIGNALS[signal]
    body = encode(data.draw(st.lists(records, max_size=4))).SerializeToString()
    whole = list(decode(body))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "WHOLE_BYTES", 0)

        assert list(decode(body)) == whole


def test_a_number_that_is_none_stays_one():
    span = Told("0a" * 16, "0b" * 8, "x", 1, 2, attributes={"score": math.nan, "most": math.inf, "one": 1.0, "1": 1})

    (again,) = told_spans(spans_request([span]).SerializeToString())
    read, _ = request_from_json("traces", json_of(spans_request([span])))
    (from_json,) = told_spans(read)

    for told in (again.attributes, from_json.attributes):
        assert math.isnan(told["score"])
        assert told["most"] == math.inf
        assert (type(told["one"]), type(told["1"])) == (float, int)


def test_resource_and_scope_are_one_object_for_all_spans_of_a_request():
    resource, scope = ToldResource({"service.name": "shop"}), ToldScope("http")
    spans = [Told("0a" * 16, f"{number:016x}", "x", 1, 2, resource=resource, scope=scope) for number in range(1, 4)]

    first, *others = told_spans(spans_request(spans).SerializeToString())

    assert all(span.resource is first.resource and span.scope is first.scope for span in others)
