"""A message of OTLP as its JSON: protobuf's JSON with ids in hexadecimal and enums as numbers. By descriptors, for all signals."""

import base64
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from google.protobuf.descriptor import FieldDescriptor

_IDS = frozenset(("trace_id", "span_id", "parent_span_id"))
_LONG = frozenset((FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64))
_DOUBLE = frozenset((FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT))


def json_of(message: Any) -> bytes:
    """The message as JSON; fields that were not set are left out."""
    return msgspec.json.encode(json_object(message))


def json_object(message: Any) -> dict[str, Any]:
    """The message as what its JSON holds."""
    said = {}
    for field, value in message.ListFields():
        write = _writer(field)
        said[field.json_name] = [write(each) for each in value] if field.is_repeated else write(value)
    return said


@cache
def _writer(field: FieldDescriptor) -> Callable[[Any], Any]:
    if field.message_type is not None:
        return json_object
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes.hex if field.name in _IDS else _base64
    if field.cpp_type in _LONG:
        return str
    return _double if field.cpp_type in _DOUBLE else _same


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _same(value: Any) -> Any:
    return value
