"""Bodies of requests as the socket gives them: uvicorn's protocol without the four copies that it makes of each byte.

A parser is needed to find where a body ends only where it comes in chunks. Where its length was announced, bytes are counted.
Knows HTTP's framing; knows no path and no caller.
"""

from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .answers import StraightCycle

_MOST_DIGITS = 19  # of a length that is counted here; what is written with more of them is left to the parser


class StraightProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._left = 0  # bytes of a body of known length that are still to come
        self._over = False  # the last request of the connection is whole: what comes behind it is nobody's

    def data_received(self, data: bytes) -> None:
        """Some bytes of a head or of a body."""
        if self._over:
            return
        if not self._left:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()  # a request that was answered before it was whole
        piece, behind = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
        self.on_body(piece)
        if self._left:
            return
        self.on_message_complete()
        self._over = not self.cycle.keep_alive  # as the parser has it, which reads nothing behind such a request
        # The parser still waits for this body: the next request is for a new one.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        if behind and not self._over:
            super().data_received(behind)

    def on_headers_complete(self) -> None:
        """A head is whole."""
        before: object = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # uvicorn makes it, of its own class; it has not begun to run
            self.cycle.__class__ = StraightCycle
        self._left = 0 if self.parser.should_upgrade() else _length(self.headers)

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


def _length(headers: list[tuple[bytes, bytes]]) -> int:
    """What was announced; 0 where the parser has to find the end. It has refused what contradicts itself."""
    length = 0
    for name, value in headers:
        if name == b"transfer-encoding":
            return 0
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) <= _MOST_DIGITS else 0
    return length
