"""How many values a message holds, found out without decoding it: decoded, a value of two bytes takes sixty.

Knows messages by their descriptors; knows nothing of what they mean.
"""

from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from .errors import OtlpMalformedError
from .wire import LENGTH, fields

MOST_VALUES = 200_000
_MOST_PACKED_BYTES = 1024 * 1024  # of one list of numbers, each of which may be one byte of eight
_PACKED = None  # in the place of a message: a list of numbers
_NUMBERS = frozenset((FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64, FieldDescriptor.CPPTYPE_INT32))


def too_dense(message: Descriptor, data: bytes) -> str:
    """Why a message is not decoded, or "" where it may be. What is not a message at all is for the decoder to say."""
    values, waiting = 0, [(message, 0, len(data))]
    try:
        while waiting:
            of, begin, end = waiting.pop()
            inner = _inner(of)
            for field in fields(data, begin, end):
                values += 1
                if values > MOST_VALUES:
                    return f"holds more than {MOST_VALUES:,} values"
                if field.type != LENGTH or field.number not in inner:
                    continue
                if (below := inner[field.number]) is not _PACKED:
                    waiting.append((below, field.begin, field.end))
                elif field.end - field.begin > _MOST_PACKED_BYTES:
                    return f"holds a list of numbers of more than {_MOST_PACKED_BYTES:,} bytes"
    except OtlpMalformedError:
        return ""
    return ""


@cache
def _inner(message: Descriptor) -> dict[int, Descriptor | None]:
    found: dict[int, Descriptor | None] = {}
    for field in message.fields:
        if field.message_type is not None:
            found[field.number] = field.message_type
        elif field.is_repeated and field.cpp_type in _NUMBERS:
            found[field.number] = _PACKED
    return found
