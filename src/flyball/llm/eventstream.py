"""Amazon's event stream (`application/vnd.amazon.eventstream`), cut from bytes that arrive in any pieces.

Knows the framing alone: a prelude with two lengths and its checksum, headers, a payload, a checksum of it all. A message becomes
the same `Event` as one of a server-sent stream: its name is the event's type, or `exception:` and the exception's.
"""

import struct
import zlib
from collections.abc import Iterator

from .sse import Event, FramingError

_LONGEST = 24 * 1024 * 1024  # the format's own limit
_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # of header values by their type; 6 and 7 say their own
_STRING = 7


class EventstreamError(FramingError):
    """What came is no event stream."""


class EventstreamParser:
    """Feed it bytes, take events. It holds what an unfinished message has so far."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def rest(self) -> bytes:
        """The bytes of a message that has not ended."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """The messages that end within these bytes, in order. Raises EventstreamError."""
        buffer = self._buffer
        buffer += data
        events = []
        start = 0
        while len(buffer) - start >= _PRELUDE.size:
            total, headers, checksum = _PRELUDE.unpack_from(buffer, start)
            if checksum != zlib.crc32(buffer[start : start + 8]) or not 16 + headers <= total <= _LONGEST:
                raise EventstreamError("what came is no event stream")
            if len(buffer) - start < total:
                break
            message = bytes(buffer[start : start + total])
            if _CHECKSUM.unpack_from(message, total - 4)[0] != zlib.crc32(message[:-4]):
                raise EventstreamError("a message of the event stream does not fit its checksum")
            events.append(Event(message, message[12 + headers : -4], _name(message[12 : 12 + headers])))
            start += total
        del buffer[:start]
        return events

    def finish(self) -> Iterator[Event]:
        """Nothing: a message that has not ended is none. Raises EventstreamError where one has begun."""
        if self._buffer:
            raise EventstreamError("the event stream ended in the middle of a message")
        return iter(())


def _name(data: bytes) -> str:
    """What a message is, by its headers."""
    found = _strings(data)
    kind = found.get(":message-type", "event")
    if kind == "event":
        return found.get(":event-type", "")
    return "exception:" + (found.get(":exception-type") or found.get(":error-code") or kind)


def _strings(data: bytes) -> dict[str, str]:
    """The headers that are text. Raises EventstreamError for headers that are none."""
    found = {}
    at = 0
    try:
        while at < len(data):
            length = data[at]
            name, type_ = data[at + 1 : at + 1 + length].decode(), data[at + 1 + length]
            at += 2 + length
            if type_ in (6, _STRING):
                size = int.from_bytes(data[at : at + 2], "big")
                if type_ == _STRING:
                    found[name] = data[at + 2 : at + 2 + size].decode()
                at += 2 + size
            else:
                at += _SIZES[type_]
    except (IndexError, KeyError, UnicodeDecodeError):
        at = -1
    if at != len(data):
        raise EventstreamError("a message of the event stream has headers that are none")
    return found
