"""Server-sent events, cut from bytes that arrive in any pieces.

Knows the framing alone: lines ending in LF, CR or CRLF, comments, several `data:` lines, a byte order mark. An event
keeps the bytes that it came in, so that a relay can pass on exactly what it was given.
"""

from collections.abc import Iterator
from typing import NamedTuple

_LONGEST_EVENT = 8 * 1024 * 1024
BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event, or a comment standing alone. `raw` is every byte of it, the empty line at its end included."""

    raw: bytes
    data: bytes  # the data lines, joined by line feeds
    name: str  # of the `event:` line, mostly empty


class FramingError(ValueError):
    """Bytes that cannot be cut into events."""


class EventTooLongError(FramingError):
    """One event is longer than this parser keeps."""


class EventParser:
    """Feed it bytes, take events.

    It holds what an unfinished event has so far, at most `longest` bytes; `rest` is that, for when the stream ends.
    """

    def __init__(self, *, longest: int = _LONGEST_EVENT) -> None:
        self._longest = longest
        self._buffer = (
            bytearray()
        )  # grows in place: an event that comes in small pieces costs its length, not its square
        self._searched = 0
        self._has_returns = False
        self._first = True

    @property
    def rest(self) -> bytes:
        """The bytes of an event that has not ended."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """The events that end within these bytes, in order. Raises EventTooLongError."""
        buffer = self._buffer
        buffer += data
        if self._first:
            if len(buffer) < len(BOM) and BOM.startswith(buffer):
                return []
            if buffer.startswith(BOM):
                del buffer[: len(BOM)]
            self._first = False
        events = []
        start = 0
        search = self._searched
        self._has_returns = self._has_returns or b"\r" in data
        end_of_event = _end_with_carriage_returns if self._has_returns else _end_with_line_feeds
        while (end := end_of_event(buffer, search)) >= 0:
            raw = bytes(buffer[start:end])
            if raw.strip(b"\r\n"):
                events.append(_parse(raw))
            start = search = end
        del buffer[:start]
        # An end is at most four bytes long: look again at the last three, which may be its beginning.
        self._searched = max(0, len(buffer) - 3)
        if len(buffer) > self._longest:
            raise EventTooLongError(f"one event of the stream is longer than {self._longest} bytes")
        return events

    def finish(self) -> Iterator[Event]:
        """The last event, where the stream ended without the empty line that ends it; `raw` has that line all the same."""
        if self._buffer.strip():
            yield _parse(_ended(bytes(self._buffer)))
        self._buffer.clear()


def _ended(raw: bytes) -> bytes:
    """The bytes of an event with what is missing of its empty line, in its own line ends."""
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    missing = 2 - (len(lines) - len(lines.rstrip(b"\n")))
    return raw + missing * next((end for end in (b"\r\n", b"\r") if raw.endswith(end)), b"\n")


def _end_with_line_feeds(buffer: bytearray, start: int) -> int:
    """The offset behind the first empty line from `start` on, or -1."""
    found = buffer.find(b"\n\n", start)
    return found + 2 if found >= 0 else -1


def _end_with_carriage_returns(buffer: bytearray, start: int) -> int:
    """The same where CR, LF and CRLF mix. A CR at the very end waits: an LF that belongs to it may follow."""
    at = start
    ends = 0  # line ends in a row
    length = len(buffer)
    while at < length:
        byte = buffer[at]
        if byte == 13:
            if at + 1 == length:
                return -1
            at += 2 if buffer[at + 1] == 10 else 1
            ends += 1
        elif byte == 10:
            at += 1
            ends += 1
        else:
            next_line = min((p for p in (buffer.find(b"\n", at), buffer.find(b"\r", at)) if p >= 0), default=length)
            at, ends = next_line, 0
        if ends == 2:
            return at
    return -1


def _parse(raw: bytes) -> Event:
    if raw.startswith(b"data: ") and raw.endswith(b"\n\n") and raw.count(b"\n") == 2 and b"\r" not in raw:
        return Event(raw, raw[6:-2], "")
    data: list[bytes] = []
    name = ""
    for line in raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Event(raw, b"\n".join(data), name)
