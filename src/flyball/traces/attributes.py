"""Attributes as lossless JSON: what OTLP can say and JSON cannot is written as an object with one key that begins with "$".

    bytes           {"$bytes": "aGk="}
    NaN, ±Infinity  {"$double": "NaN"}
    large integers  {"$int": "123456789012345678901234567890"}
    half characters {"$text": "7aCA"}       UTF-8 in which a lone surrogate is allowed, in base64
    a key "$x"      {"$$x": …}

An integer stays an integer and 1.0 a float; what has no content is null; order is kept. Knows nothing of what the names mean.
"""

import base64
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

Attributes: TypeAlias = dict[str, Any]

_MARK = "$"
_PLAIN = frozenset({str, int, bool})  # what JSON says as it is; an integer may be too large for it
_WITH_FLOATS = _PLAIN | {float, type(None)}
_INT_BITS = 63
_DOUBLES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_SURROGATE = re.compile("[\ud800-\udfff]")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def attributes_json(attributes: Attributes) -> str:
    """The attributes as one JSON object."""
    types = set(map(type, attributes.values()))
    if list in types and all(_PLAIN.issuperset(map(type, each)) for each in attributes.values() if type(each) is list):
        types.discard(list)
    # NaN and the infinities would become null, and a key that begins with "$" would have another meaning. Values are not looked
    # through: texts are long, and what they say means nothing here.
    if types <= _WITH_FLOATS and _MARK not in "".join(attributes) and (float not in types or _finite(attributes)):
        try:
            return _encode(attributes).decode()
        except (OverflowError, UnicodeEncodeError):
            pass
    return _encode(_written(attributes)).decode()


def attributes_from_json(text: str) -> Attributes:
    """What `attributes_json` was given. Raises msgspec.DecodeError for anything that it did not write."""
    attributes = _decode(text)
    read = _read(attributes) if '"$' in text else attributes
    if not isinstance(read, dict):
        raise msgspec.DecodeError(f"attributes are an object, not {text:.40}")
    return read


def _finite(attributes: Attributes) -> bool:
    return all(math.isfinite(value) for value in attributes.values() if type(value) is float)


def _written(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case dict():
            return {_MARK + key if key.startswith(_MARK) else key: _written(each) for key, each in value.items()}
        case str() | int() | float() | bytes():
            return _written_scalar(value)
        case _:
            return [_written(each) for each in value]


def _written_scalar(value: str | float | bytes) -> Any:
    match value:
        case bytes():
            return {"$bytes": base64.b64encode(value).decode()}
        case int() if value.bit_length() > _INT_BITS:
            return {"$int": str(value)}
        case float() if not math.isfinite(value):
            return {"$double": _DOUBLES[str(value)]}
        case str() if _SURROGATE.search(value):
            return {"$text": base64.b64encode(value.encode(errors="surrogatepass")).decode()}
        case _:
            return value


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(each) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, only),) = value.items()
        if (special := _SPECIAL.get(key)) is not None:
            return special(only)
    return {key.removeprefix(_MARK): _read(each) for key, each in value.items()}


def _text_of(base: str) -> str:
    return base64.b64decode(base).decode(errors="surrogatepass")


_SPECIAL: dict[str, Callable[[str], Any]] = {
    "$bytes": base64.b64decode,
    "$double": float,
    "$int": int,
    "$text": _text_of,
}
