"""The wire form of protobuf, as far as it takes to find the fields of a message without decoding it. Knows no message."""

from collections.abc import Iterator
from typing import NamedTuple

from .errors import OtlpMalformedError

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_BYTES = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """A field: its number and wire type, where it begins with its tag, and where its content begins and ends."""

    number: int
    type: int
    tag: int
    begin: int
    end: int


def fields(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message in `data[begin:end]`. Raises OtlpMalformedError where its framing is broken."""
    end = len(data) if end is None else end
    at = begin
    while at < end:
        tag = at
        key, at = _varint(data, at, end)
        number, type_ = key >> 3, key & 7
        content = at
        if type_ == LENGTH:
            length, content = _varint(data, at, end)
            at = content + length
        elif type_ == VARINT:
            _, at = _varint(data, at, end)
        elif type_ in _BYTES:
            at += _BYTES[type_]
        else:
            raise _broken(tag)
        if at > end or not number:
            raise _broken(tag)
        yield Field(number, type_, tag, content, at)


def field_of(number: int, content: bytes) -> bytes:
    """A field with a length, as it stands in a message."""
    return bytes([number << 3 | LENGTH]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A number of up to 64 bits, seven of them a byte."""
    said = bytearray()
    while value > 0x7F:
        said.append(value & 0x7F | 0x80)
        value >>= 7
    said.append(value)
    return bytes(said)


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    if at < end and (one := data[at]) < 0x80:  # nearly always
        return one, at + 1
    value = 0
    for shift, place in enumerate(range(at, min(at + 10, end))):
        one = data[place]
        value |= (one & 0x7F) << (7 * shift)
        if one < 0x80:
            return value, place + 1
    raise _broken(at)


def _broken(at: int) -> OtlpMalformedError:
    return OtlpMalformedError(
        f"the body is not a protobuf message: the field at byte {at} is broken",
        next_step="send the request of the signal whose path this is, encoded as its Content-Type says",
    )
