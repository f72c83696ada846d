"""Bodies of requests as the socket gives them: uvicorn's protocol without the four copies that it makes of each byte.

A parser is needed to find where a body ends only where it comes in chunks. Where its length was announced, bytes are counted.
Knows HTTP's framing; knows no path and no caller.
"""

from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .answers import StraightCycle

_CHUNKED_HEAD = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
_INVALID = "Invalid HTTP request received."
_MOST_DIGITS = 19  # of a length that is counted here; what is written with more of them is left to the parser


class StraightProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._left = 0  # bytes of a body of known length that are still to come
        self._over = False  # the last request of the connection is whole: what comes behind it is nobody's
        self._declines = False  # an offer to speak something else, with a body that the parser does not read

    def data_received(self, data: bytes) -> None:
        """Some bytes of a head or of a body."""
        if self._over:
            return
        self._unset_keepalive_if_required()
        if self._left:  # also of a request that was answered before it was whole
            self._count(data)
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
        except httptools.HttpParserError:
            if not self._over:
                self.logger.warning(_INVALID)
                self.send_400_response(_INVALID)

    def _count(self, data: bytes) -> None:
        piece, behind = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
        self.on_body(piece)
        if self._left:
            return
        self.on_message_complete()
        self._over = not self.cycle.keep_alive  # as the parser has it, which reads nothing behind such a request
        # The parser still waits for this body: the next request is for a new one.
        self.parser = _parser(self)
        if behind and not self._over:
            self._parse(behind)

    def _decline(self, behind: bytes) -> None:
        """Answer in HTTP/1.1 who offers to speak something else (RFC 9110, 7.8), and then close: what he says next is nobody's.

        The parser takes what is behind the head for the other protocol, whatever was announced.
        """
        if not self._declines:
            self._over = True
            if self.cycle is not None:  # where its head was not refused
                self.cycle.keep_alive = False
            return
        self._declines = self.cycle.keep_alive = False
        if self._left:
            if behind:
                self._count(behind)
            return
        self.parser = _parser(_Chunks(self))
        self.parser.feed_data(_CHUNKED_HEAD)
        if behind:
            self._parse(behind)

    def end_of_chunks(self) -> None:
        """The last chunk of a request whose offer was declined has come."""
        self._over = True
        self.on_message_complete()

    def on_headers_complete(self) -> None:
        """A head is whole."""
        before: object = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # uvicorn makes it, of its own class; it has not begun to run
            self.cycle.__class__ = StraightCycle
        self._left, is_chunked = _announced(self.headers)
        has_body = self._left > 0 or is_chunked
        self._declines = has_body and self.parser.should_upgrade() and self.scope["method"] != "CONNECT"

    def on_message_complete(self) -> None:
        """A request is whole."""
        if not self._declines:
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """Some of a body."""
        self._left = max(0, self._left - len(body))
        # uvicorn's body is a bytearray, made of copies and copied when it is read; what comes in one piece is passed on as it is.
        cycle: Any = self.cycle
        if cycle.body or cycle.response_complete:
            if isinstance(cycle.body, bytes):
                cycle.body = bytearray(cycle.body)  # so that pieces of a byte each do not copy it again and again
            super().on_body(body)
            return
        cycle.body = body
        if len(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()


class _Chunks:
    """What the parser is told of the chunks of one body."""

    def __init__(self, protocol: StraightProtocol) -> None:
        self._protocol = protocol
        self._ended = False

    def on_body(self, body: bytes) -> None:
        """Some of it."""
        if not self._ended:
            self._protocol.on_body(body)

    def on_message_complete(self) -> None:
        """It is whole; what the parser finds behind it is no request."""
        if not self._ended:
            self._ended = True
            self._protocol.end_of_chunks()


def _parser(told: Any) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(told)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
    return parser


def _announced(headers: list[tuple[bytes, bytes]]) -> tuple[int, bool]:
    """The length of a body, 0 where the parser has to find its end, and whether it comes in chunks. The parser has refused what contradicts itself."""
    length = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return 0, True
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) <= _MOST_DIGITS else 0
    return length, False
