"""Answers as they go to the socket: a head is looked at and written as a whole, where uvicorn does it header by header.

The same bytes for every head that uvicorn takes; logs no access. Knows HTTP's framing; knows no path and no caller.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from uvicorn.protocols.http.httptools_impl import HEADER_RE, STATUS_LINE, RequestResponseCycle

_Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

_LINE = b"%b: %b\r\n".__mod__
_CONTROLS = bytes({*range(32), 127} - {9})  # what no value has: uvicorn's HEADER_VALUE_RE
_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789-"  # names of nothing else need no second look
_BODILESS = frozenset({204, 304})


class StraightCycle(RequestResponseCycle):
    """One request and its answer."""

    async def send(self, message: Mapping[str, Any]) -> None:
        """A head, or some of a body. Raises RuntimeError for what is out of turn or not HTTP."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_complete:
            raise RuntimeError(f"{message['type']!r} was sent after the answer had ended")
        if self.response_started:
            self._write_body(message)
        else:
            self._write_head(message)

    def _write_head(self, message: Mapping[str, Any]) -> None:
        if message["type"] != "http.response.start":
            raise RuntimeError(f"an answer begins with its head and not with {message['type']!r}")
        self.response_started, self.waiting_for_100_continue = True, False
        status = message["status"]
        headers: _Headers = [*self.default_headers, *map(tuple, message.get("headers", ()))]
        lines = b"".join(map(_LINE, headers))
        named = dict(headers)
        if b"".join(named).translate(None, _PLAIN):
            headers = _lowered(headers)
            lines, named = b"".join(map(_LINE, headers)), dict(headers)
        # Each line has its own two: any more are in a value, which may have none.
        if len(lines) - len(lines.translate(None, _CONTROLS)) != 2 * len(headers):
            raise RuntimeError("a header's value has a control character")
        if b"transfer-encoding" in named and b"chunked" in map(bytes.lower, _said(headers, b"transfer-encoding")):
            self.chunked_encoding = True
        elif b"content-length" in named:
            self.expected_content_length, self.chunked_encoding = int(_said(headers, b"content-length")[0]), False
        ending = b""
        if b"connection" in named and _closes(headers):
            self.keep_alive = False
        elif not self.keep_alive:
            ending = b"connection: close\r\n"
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _BODILESS:
            self.chunked_encoding = True
            ending += b"transfer-encoding: chunked\r\n"
        self.transport.write(b"%b%b%b\r\n" % (STATUS_LINE[status], lines, ending))

    def _write_body(self, message: Mapping[str, Any]) -> None:
        if message["type"] != "http.response.body":
            raise RuntimeError(f"after its head an answer has a body and no {message['type']!r}")
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
        elif self.chunked_encoding:
            piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            self.transport.write(piece if more else piece + b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("an answer is longer than its content-length says")
            self.transport.write(body)
        if more:
            return
        if self.expected_content_length:
            raise RuntimeError("an answer is shorter than its content-length says")
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _lowered(headers: Iterable[tuple[bytes, bytes]]) -> _Headers:
    """The same, their names as HTTP/2 writes them. Raises RuntimeError for what is no name."""
    for name, _ in headers:
        if HEADER_RE.search(name):
            raise RuntimeError(f"{name!r} is no header's name")
    return [(name.lower(), value) for name, value in headers]


def _said(headers: _Headers, sought: bytes) -> list[bytes]:
    """What is said under a name, line by line."""
    return [value for name, value in headers if name == sought]


def _closes(headers: _Headers) -> bool:
    """Whether the application itself ends the connection."""
    tokens = (token for value in _said(headers, b"connection") for token in value.split(b","))
    return any(token.strip().lower() == b"close" for token in tokens)
