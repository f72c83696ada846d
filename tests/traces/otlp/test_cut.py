"""Attributes that many records say alike: read once, and told as if each had been read."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from flyball.traces.otlp import cut
from flyball.traces.otlp.cut import CUT, Attributes
from flyball.traces.otlp.signals import SIGNALS
from flyball.traces.otlp.values import plain_attributes, told_value

_held = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=6,
)
_pairs = st.lists(st.builds(KeyValue, key=st.sampled_from(["a", "b", "gen_ai.x"]), value=st.builds(told_value, _held)))


def pair(key, **value):
    return KeyValue(key=key, value=AnyValue(**value)).SerializeToString()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_pairs, max_size=4))
def test_attributes_are_told_as_if_each_had_been_read(spans):
    attributes = Attributes()

    for pairs in spans * 2:
        told = attributes.read([each.SerializeToString() for each in pairs])
        assert repr(told) == repr(plain_attributes(pairs))


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_a_request_is_read_by_the_messages_with_cut_attributes_as_it_is_by_the_whole(signal):
    whole, sliced = SIGNALS[signal], CUT[signal]
    record = whole.record(attributes=[KeyValue(key="k", value=AnyValue(int_value=5))], dropped_attributes_count=7)
    scope = whole.of_scope(**{whole.records: [record]}, schema_url="s")
    body = whole.request(**{whole.groups: [whole.of_resource(**{whole.scopes: [scope]})]}).SerializeToString()

    read = sliced.request.FromString(body)
    (found,) = getattr(getattr(getattr(read, whole.groups)[0], whole.scopes)[0], whole.records)

    assert read.SerializeToString() == body
    assert list(found.attributes) == [pair("k", int_value=5)]
    assert found.dropped_attributes_count == 7


def test_no_two_records_share_a_value_that_can_be_changed():
    attributes = Attributes()
    said = [KeyValue(key="k", value=told_value(["a"])).SerializeToString()]

    attributes.read(said)["k"].append("b")

    assert attributes.read(said) == {"k": ["a"]}


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(cut, "_MOST_KNOWN", 10)
    attributes = Attributes()

    for number in range(100):
        assert attributes.read([pair("k", int_value=number)]) == {"k": number}
        assert attributes.read([pair("long", string_value="x" * 1_000)]) == {"long": "x" * 1_000}

    assert len(attributes._known) <= 10
    assert not any(len(each) > 128 for each in attributes._known)


def test_where_nearly_all_is_new_attributes_come_whole_for_a_while(monkeypatch):
    monkeypatch.setattr(cut, "_JUDGED", 4)
    attributes = Attributes()
    turns = []
    for number in range(40):
        turns.append(attributes.turn())
        if turns[-1]:
            attributes.read([pair("id", int_value=number), pair("kind", string_value="same")])

    assert turns == ([True, True] + [False] * 16) * 2 + [True, True, False, False]  # it is tried again


def test_where_most_was_said_before_attributes_come_in_bytes(monkeypatch):
    monkeypatch.setattr(cut, "_JUDGED", 4)
    attributes = Attributes()
    said = [pair(f"k{number}", string_value="same") for number in range(8)]
    attributes.turn()
    attributes.read(said * 10)

    assert all(attributes.turn() and attributes.read([*said, pair("id", int_value=number)]) for number in range(50))


def test_bytes_that_are_no_attribute_are_refused():
    with pytest.raises(DecodeError):
        Attributes().read([b"\x0a\xff"])
