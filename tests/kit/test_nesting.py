"""The depth of a JSON text, without parsing it."""

import resource

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.kit.nesting import has_more_fields, nests_deeper

JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def depth_of(value):
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max((depth_of(child) for child in children), default=0)


@given(JSON, st.integers(0, 6))
def test_it_agrees_with_counting_the_parsed_value(value, most):
    assert nests_deeper(msgspec.json.encode(value), most) == (depth_of(value) > most)


def test_brackets_in_strings_do_not_count():
    assert not nests_deeper(rb'["[[[[", "\"[[[", "\\", "[["]', 1)


@pytest.mark.parametrize("body", [b'["' + b"a" * 16_000_000 + b'"]', b'["' + b"\\n" * 8_000_000 + b'"]'])
def test_a_string_of_megabytes_costs_neither_seconds_nor_memory(body, costs_at_most):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with costs_at_most(20):
        assert not nests_deeper(body, 1)
        assert nests_deeper(body, 0)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


@given(st.dictionaries(st.text(), JSON, max_size=8), st.integers(0, 6))
def test_the_outermost_objects_fields_are_counted_and_no_others(value, most):
    assert has_more_fields(msgspec.json.encode(value), most) == (len(value) > most)
