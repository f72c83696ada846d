"""JSON schemas of functions: proving one sound, and holding values against it. Never fetches a remote reference."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from .errors import DeclarationError, InputMismatchError, OutputMismatchError
from .records import Schema


def check_schema(place: str, schema: Schema) -> None:
    """Raise DeclarationError, naming the place, where this is no JSON schema."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "".join(f".{part}" for part in error.absolute_path)
        raise DeclarationError(f"{place}{where} is no JSON schema: {error.message:.200}") from None


def check_input(function: str, schema: Schema, value: Mapping[str, Any]) -> None:
    """Raise InputMismatchError, naming the field, where the input does not fit."""
    if problem := _problem(schema, value):
        raise InputMismatchError(
            f"the input of {function!r} does not fit its schema: {problem}",
            next_step=f"see `flyball functions show {function}`",
        )


def check_output(where: str, schema: Schema, value: Any) -> None:
    """Raise OutputMismatchError where an answer does not fit. `where` names function and variant."""
    if problem := _problem(schema, value):
        raise OutputMismatchError(f"{where}: the answer does not fit the output schema: {problem}")


def _problem(schema: Schema, value: Any) -> str:
    if not schema:
        return ""
    try:
        found = best_match(_validator(msgspec.json.encode(schema)).iter_errors(msgspec.to_builtins(value)))
    except Unresolvable as error:
        return f"the schema refers to {error.ref!r}, which is not inside it"
    return _told(found) if found is not None else ""


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(msgspec.json.decode(schema), registry=Registry())


def _told(error: ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    return f"{where}: {error.message:.200}" if where else f"{error.message:.200}"
