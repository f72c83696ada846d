"""OTLP's JSON, read into the same protobuf that other callers send. By the messages' own descriptors, for all signals alike.

It is protobuf's JSON with ids in hexadecimal, enums as numbers and keys in camelCase; any other key is ignored. A record that does not fit
is left out and named. Knows JSON and messages, not their meaning.
"""

import base64
import binascii
import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from flyball.kit.nesting import holds_more, nests_deeper

from .errors import OtlpMalformedError
from .signals import SIGNALS, Messages, Signal

_MOST_CONTAINERS = 1_000_000
MOST_NESTED = 250  # arrays and objects; protobuf allows fewer in its own form, and has the last word
_SHOWN = 3
_IDS = frozenset(("trace_id", "span_id", "parent_span_id"))
_SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Unreadable(NamedTuple):
    """How many records did not fit, and why ("": all did)."""

    rejected: int
    message: str


NOTHING_UNREADABLE = Unreadable(0, "")


class _UnfitError(ValueError):
    """A value that its field cannot hold; says where."""


def request_from_json(signal: Signal, body: bytes) -> tuple[bytes, Unreadable]:
    """The request as protobuf, and what is not in it. Raises OtlpMalformedError where it is no request at all."""
    said = _parsed(body)
    messages = SIGNALS[signal]
    request, problems = messages.request(), _Problems(messages.word)
    try:
        for group in _objects(said, messages.groups):
            of_resource = getattr(request, messages.groups).add(**_kwargs(messages.of_resource, group, messages.scopes))
            for scope in _objects(group, messages.scopes):
                of_scope = getattr(of_resource, messages.scopes).add(
                    **_kwargs(messages.of_scope, scope, messages.records)
                )
                _add_records(getattr(of_scope, messages.records), _objects(scope, messages.records), messages, problems)
    except (_UnfitError, ValueError, TypeError) as error:
        raise _malformed(str(error)) from None
    return request.SerializeToString(), problems.told()


def _add_records(to: Any, records: list[Any], messages: Messages, problems: "_Problems") -> None:
    for record in records:
        try:
            to.append(messages.record(**_fields(messages.record.DESCRIPTOR, record)))
        except (_UnfitError, ValueError, TypeError) as error:
            problems.add(str(error))


class _Problems:
    def __init__(self, word: str) -> None:
        self._word = word
        self._count = 0
        self._reasons: list[str] = []

    def add(self, reason: str) -> None:
        self._count += 1
        if len(self._reasons) < _SHOWN:
            self._reasons.append(reason)

    def told(self) -> Unreadable:
        if not self._count:
            return NOTHING_UNREADABLE
        more = f"; and {self._count - _SHOWN} more" if self._count > _SHOWN else ""
        were = f"{self._count} {self._word}{'s' if self._count != 1 else ''} could not be read"
        return Unreadable(self._count, f"{were}: {'; '.join(self._reasons)}{more}")


def _parsed(body: bytes) -> dict[str, Any]:
    if nests_deeper(body, MOST_NESTED):
        raise _malformed(f"it nests arrays and objects more than {MOST_NESTED} deep")
    if holds_more(body, _MOST_CONTAINERS):
        raise _malformed(f"it holds more than {_MOST_CONTAINERS:,} arrays and objects")
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            said = json.loads(body)  # which also reads half a surrogate pair, as a browser leaves it
        except (ValueError, RecursionError) as error:
            raise _malformed(str(error)) from None
    if not isinstance(said, dict):
        raise _malformed("it is no object")
    return said


def _objects(of: dict[str, Any], field: str) -> list[Any]:
    """What stands under a field that holds a list of objects."""
    found = of.get(_camel(field))
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _UnfitError(f"{_camel(field)} is not a list of objects")
    return found


def _kwargs(message: type[Any], said: dict[str, Any], without: str) -> dict[str, Any]:
    rest = {key: value for key, value in said.items() if key != _camel(without)}
    return _fields(message.DESCRIPTOR, rest)


def _fields(message: Descriptor, said: Any) -> dict[str, Any]:
    """A message's fields by name, as its constructor takes them."""
    if not isinstance(said, dict):
        raise _UnfitError(f"{message.name}: an object is needed, not {said!r:.60}")
    known, found = _known(message), {}
    for key, value in said.items():
        if value is None or (field := known.get(key)) is None:
            continue
        found[field.name] = [field.read(each) for each in _list(field, value)] if field.is_list else field.read(value)
    return found


class _Field(NamedTuple):
    name: str
    is_list: bool
    read: Callable[[Any], Any]


@cache
def _known(message: Descriptor) -> dict[str, _Field]:
    found = {}
    for field in message.fields:
        found[field.json_name] = _Field(field.name, field.is_repeated, _reader(field))
    return found


def _list(field: _Field, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _UnfitError(f"{field.name}: a list is needed, not {value!r:.60}")
    return value


def _reader(field: FieldDescriptor) -> Callable[[Any], Any]:
    """What reads one value of a field."""
    inner = field.message_type
    if inner is not None:
        return lambda said: _fields(inner, {} if said is None else said)
    read = _READ[field.cpp_type]
    if field.type == FieldDescriptor.TYPE_BYTES:
        read = _hexadecimal if field.name in _IDS else _base64
    elif field.enum_type is not None:
        by_name = {value.name: value.number for value in field.enum_type.values}
        read = lambda said: by_name.get(said) if said in by_name else _integer(said)  # noqa: E731 -- one of a table

    def of_field(said: Any) -> Any:
        try:
            return read(said)
        except (ValueError, TypeError, OverflowError, binascii.Error):
            raise _UnfitError(f"{field.json_name}: {said!r:.60} does not fit") from None

    return of_field


def _hexadecimal(said: Any) -> bytes:
    return bytes.fromhex(said)


def _base64(said: Any) -> bytes:
    plain = said.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _integer(said: Any) -> int:
    if isinstance(said, bool) or (isinstance(said, float) and not said.is_integer()):
        raise ValueError
    return int(said)


def _double(said: Any) -> float:
    if isinstance(said, bool):
        raise ValueError  # noqa: TRY004 -- told where it is caught
    return _SPECIAL[said] if said in _SPECIAL else float(said)


def _boolean(said: Any) -> bool:
    if not isinstance(said, bool):
        raise ValueError  # noqa: TRY004 -- likewise
    return said


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise ValueError  # noqa: TRY004 -- likewise
    try:
        said.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which is no character: told as one that says so
        return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return said


_READ: dict[int, Callable[[Any], Any]] = {
    FieldDescriptor.CPPTYPE_INT32: _integer,
    FieldDescriptor.CPPTYPE_INT64: _integer,
    FieldDescriptor.CPPTYPE_UINT32: _integer,
    FieldDescriptor.CPPTYPE_UINT64: _integer,
    FieldDescriptor.CPPTYPE_DOUBLE: _double,
    FieldDescriptor.CPPTYPE_FLOAT: _double,
    FieldDescriptor.CPPTYPE_BOOL: _boolean,
    FieldDescriptor.CPPTYPE_ENUM: _integer,
    FieldDescriptor.CPPTYPE_STRING: _text,
}


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _malformed(why: str) -> OtlpMalformedError:
    return OtlpMalformedError(
        f"the body is not an OTLP request in JSON: {why:.300}",
        next_step="send the request of the signal whose path this is, encoded as its Content-Type says",
    )
