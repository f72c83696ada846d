"""Attributes as JSON and back: nothing is lost, and kinds of numbers stay apart."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.traces.attributes import attributes_from_json, attributes_json

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.binary(max_size=20)
    | st.text(alphabet=st.characters(codec=None, categories=None), max_size=20)
)
_keys = st.text(max_size=12) | st.sampled_from(["$", "$$", "$bytes", "$$bytes", "$double", "$int", "$text"])
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4), max_leaves=12
)


def _typed(value):
    """The value with its types beside it: 1, 1.0 and True are equal and are not the same."""
    if isinstance(value, dict):
        return {key: _typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_typed(each) for each in value]
    return (type(value), math.copysign(1, value), value) if isinstance(value, float) else (type(value), value)


@given(st.dictionaries(_keys, _values, max_size=8))
def test_what_is_written_is_read_again(attributes):
    text = attributes_json(attributes)

    json.loads(text)
    assert _typed(attributes_from_json(text)) == _typed(attributes)
    assert list(attributes_from_json(text)) == list(attributes)


@given(st.dictionaries(_keys, st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans(), max_size=8))
def test_plain_attributes_are_read_again(attributes):
    assert _typed(attributes_from_json(attributes_json(attributes))) == _typed(attributes)


def test_not_a_number_is_read_again():
    read = attributes_from_json(attributes_json({"a": math.nan, "b": [math.inf], "c": None}))

    assert math.isnan(read["a"])
    assert read["b"] == [math.inf]
    assert read["c"] is None


def test_what_json_cannot_say_is_an_object_with_one_key():
    text = attributes_json({"a": b"hi", "b": math.inf, "c": 1.0, "d": 1, "$e": "x"})

    assert text == '{"a":{"$bytes":"aGk="},"b":{"$double":"Infinity"},"c":1.0,"d":1,"$$e":"x"}'


def test_a_list_is_not_attributes():
    with pytest.raises(msgspec.DecodeError, match="attributes are an object"):
        attributes_from_json('["$x"]')
