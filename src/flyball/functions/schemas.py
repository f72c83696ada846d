"""JSON schemas of functions: proving one sound, and holding values against it. Never fetches a remote reference."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, SchemaError, validators
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from . import patterns
from .errors import DeclarationError, InputMismatchError, OutputMismatchError
from .records import Schema

_MOST_ERRORS = 50  # that are looked at to find the best one to tell


def check_schema(place: str, schema: Schema) -> None:
    """Raise DeclarationError, naming the place, where this is no JSON schema."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "".join(f".{part}" for part in error.absolute_path)
        raise DeclarationError(f"{place}{where} is no JSON schema: {error.message:.200}") from None
    for problem in patterns.problems(schema):
        raise DeclarationError(
            f"{place}{problem}", next_step="write a pattern of RE2 (no back reference, no look-around)"
        )


def check_input(function: str, schema: Schema, value: Mapping[str, Any]) -> None:
    """Raise InputMismatchError, naming the field, where the input does not fit."""
    if problem := problem_of(schema, value):
        raise InputMismatchError(
            f"the input of {function!r} does not fit its schema: {problem}",
            next_step=f"see `flyball functions show {function}`",
        )


def check_output(where: str, schema: Schema, value: Any) -> None:
    """Raise OutputMismatchError where an answer does not fit. `where` names function and variant."""
    if problem := problem_of(schema, value):
        raise OutputMismatchError(f"{where}: the answer does not fit the output schema: {problem}")


def problem_of(schema: Schema, value: Any) -> str:
    """Why the value does not fit, naming the field; empty where it does."""
    if not schema:
        return ""
    try:
        errors = _validator(msgspec.json.encode(schema)).iter_errors(msgspec.to_builtins(value))
        found = best_match(islice(errors, _MOST_ERRORS))
    except Unresolvable as error:
        return f"the schema refers to {error.ref!r}, which is not inside it"
    except RecursionError:
        return "the schema refers to itself without end"
    return _told(found) if found is not None else ""


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft202012Validator:
    validator: Draft202012Validator = _Validator(msgspec.json.decode(schema), registry=Registry())
    return validator


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not patterns.matches(pattern, value):
        yield ValidationError(f"{value!r:.100} does not match {pattern!r}")


def _no_pattern_properties(_validator: Any, _patterns: Any, _value: Any, _schema: Any) -> Iterator[ValidationError]:
    yield ValidationError("patternProperties is not available")


_KEYWORDS = {"pattern": _pattern, "patternProperties": _no_pattern_properties}
_Validator = validators.extend(Draft202012Validator, _KEYWORDS)  # type: ignore[no-untyped-call] # jsonschema says no types


def _told(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where}: {error.message:.200}" if where else f"{error.message:.200}"
