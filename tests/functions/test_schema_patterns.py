"""Patterns of schemas are matched in linear time, and a schema cannot hold up who holds values against it."""

import pytest

from flyball.functions import patterns
from flyball.functions.errors import DeclarationError, InputMismatchError
from flyball.functions.schemas import check_input, check_schema


def with_pattern(pattern):
    return {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc1", False),
        ("b", "abc", True),
        (r"^\d{3}$", "123", True),
        ("é", "né", True),
    ],
)
def test_a_pattern_is_searched_as_json_schema_says(pattern, text, fits):
    assert patterns.matches(pattern, text) is fits
    if fits:
        check_input("f", with_pattern(pattern), {"a": text})
    else:
        with pytest.raises(InputMismatchError, match="does not match"):
            check_input("f", with_pattern(pattern), {"a": text})


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*a){25}$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_pattern_takes_for_ever_on_a_text_that_a_caller_chose(pattern, costs_at_most):
    with costs_at_most(20), pytest.raises(InputMismatchError):
        check_input("f", with_pattern(pattern), {"a": "a" * 5000 + "!"})


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (with_pattern("(?=a)b"), r"\.properties\.a\.pattern"),
        (with_pattern(r"(a)\1"), "cannot be used"),
        ({"type": "object", "patternProperties": {"(a+)+$": {}}}, "patternProperties is not available"),
        ({"type": "object", "allOf": [{"properties": {"a": {"items": {"pattern": "(?!a)"}}}}]}, r"allOf\[0\]"),
        ({"type": "object", "$defs": {"x": {"pattern": "(?<=a)"}}}, r"\$defs\.x\.pattern"),
    ],
)
def test_a_pattern_that_cannot_be_bounded_is_refused_where_it_is_declared(schema, why):
    with pytest.raises(DeclarationError, match=why):
        check_schema("functions.f.input", schema)


def test_a_property_may_be_called_like_a_keyword():
    check_schema("functions.f.input", {"type": "object", "properties": {"patternProperties": {"type": "object"}}})


def test_a_schema_that_refers_to_itself_without_end_is_told():
    with pytest.raises(InputMismatchError, match="itself without end"):
        check_input("f", {"$ref": "#"}, {"a": 1})


def test_a_thousand_times_wrong_input_costs_no_more_than_a_few_times_wrong(costs_at_most):
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}

    with costs_at_most(20), pytest.raises(InputMismatchError):
        check_input("f", schema, {"a": list(range(300_000))})
