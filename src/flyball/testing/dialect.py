"""What every dialect of the scripted upstream is: the same few functions, in a module of its own.

Knows what a request is reduced to and how faults are strewn into a stream; knows no vendor's words.
"""

import re
import zlib
from collections.abc import Callable, Hashable
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from .script import Call, Turn

Verb = Literal["generate", "count", "models"]


class Received(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Place(NamedTuple):
    """What a path says. `stream` is None where the body says it."""

    verb: Verb = "generate"
    model: str = ""
    stream: bool | None = None
    framing: str = "sse"  # of a stream


class Ask(msgspec.Struct, frozen=True, gc=False):
    """What the script needs to know of a request."""

    model: str = ""
    stream: bool = False
    verb: Verb = "generate"
    framing: str = "sse"
    counts: bool = True  # of a stream: whether usage was asked for
    answers: int = 1
    encrypted: bool = False  # whether thoughts are to be sent in a form that can be given back
    stored: bool = False


class Failure(NamedTuple):
    """An error, to be worded in a vendor's envelope."""

    status: int
    message: str
    code: str = ""
    param: str | None = None
    retry_after: str = ""


class Worded(NamedTuple):
    """The body of an error, and the headers that only this vendor sends."""

    body: bytes
    headers: tuple[str, ...] = ()


class Issued:
    """What an upstream gave out and will take back: signatures and hidden thoughts, and what Responses keeps."""

    def __init__(self) -> None:
        self.signatures: set[str] = set()
        self.items: dict[str, str] = {}  # to the reasoning that an item needs, if any
        self.responses: set[str] = set()  # that are kept

    def note(self, turn: Turn) -> None:
        """Remember what a turn's thoughts are signed with."""
        self.signatures.update(text for text in (turn.signature, turn.redacted) if text)


class Streamed(NamedTuple):
    """A stream's events, and how many of them open it before its content begins."""

    events: list[bytes]
    opening: int = 1

    def first(self, chunks: int) -> list[bytes]:
        """What comes before a fault: what opens the stream is one chunk."""
        return self.events[: _place(self.opening, chunks)]


class Dialect(Hashable, Protocol):
    """One vendor's words. A module is one."""

    NAME: str
    REQUEST_ID: str  # the header that names a request

    def place(self, path: str) -> Place | None:
        """What a path (without its query) asks; None: not of this dialect."""
        ...

    def ask(self, place: Place, query: str, body: bytes) -> Ask:
        """A request, reduced. Raises msgspec's errors where the body is not JSON."""
        ...

    def whole(self, turn: Turn, ask: Ask) -> bytes:
        """An unary answer's body."""
        ...

    def events(self, turn: Turn, ask: Ask) -> Streamed:
        """A streamed answer; faults that concern words are in it already."""
        ...

    def counted(self, turn: Turn) -> bytes:
        """How many tokens a prompt has."""
        ...

    def models(self, names: tuple[str, ...]) -> bytes:
        """The models that there are."""
        ...

    def error(self, failure: Failure, ask: Ask) -> Worded:
        """An error in the vendor's envelope."""
        ...

    def locked(self, key: str, headers: dict[str, str], query: str) -> Failure | None:
        """What the vendor says to whoever does not show the key."""
        ...

    def refusal(self, body: dict[str, Any], ask: Ask, headers: dict[str, str], issued: Issued) -> Failure | None:
        """What the vendor says to a request that it would not answer."""
        ...

    def issue(self, turn: Turn, ask: Ask, issued: Issued) -> None:
        """Remember what this answer gives out that may come back."""
        ...


class Strewing(NamedTuple):
    """The events that faults put into a dialect's streams."""

    malformed: Any
    error: Any
    ping: Any
    unknown: Any
    goes_on: bool = False  # whether the stream goes on behind an error


class Telling:
    """Puts a stream together. An event is whatever the dialect encodes in the end."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._opening = -1

    def open(self, *events: Any) -> None:
        """Add what frames content."""
        self.events.extend(events)

    def say(self, event: Any) -> None:
        """Add a piece of content."""
        if self._opening < 0:
            self._opening = len(self.events)
        self.events.append(event)

    def streamed(self, turn: Turn, strewing: Strewing, encode: Callable[[list[Any]], list[bytes]]) -> Streamed:
        """The stream, with the turn's faults in it."""
        opening = len(self.events) if self._opening < 0 else self._opening
        events = _strewn(self.events, turn.fault, _place(opening, turn.after_chunks), strewing)
        return Streamed(encode(events), opening)


def _strewn(events: list[Any], fault: str, at: int, strewing: Strewing) -> list[Any]:
    if fault == "malformed":
        return [*events[:at], strewing.malformed, *events[at:]]
    if fault == "error_midway":
        return [*events[:at], strewing.error, *(events[at:] if strewing.goes_on else [])]
    if fault in ("pings", "unknown_events"):
        between = strewing.ping if fault == "pings" else strewing.unknown
        return [found for event in events for found in (event, between)][:-1]
    return events


def _place(opening: int, chunks: int) -> int:
    return opening + chunks - 1 if chunks else 0


def words(text: str) -> list[str]:
    """A text in the pieces that it is streamed in."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def cut(text: str, size: int = 8) -> list[str]:
    """Arguments in the pieces that they are streamed in; none of an empty text."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def pieces(turn: Turn) -> list[tuple[int, str]]:
    """The arguments of all calls in pieces, each with its call's number: call by call, or in turns where calls interleave."""
    found = [
        (number, at, text) for number, call in enumerate(turn.tool_calls) for at, text in enumerate(cut(call.arguments))
    ]
    if turn.interleaved:
        found.sort(key=lambda piece: piece[1])
    return [(number, text) for number, _, text in found]


def arguments(call: Call) -> msgspec.Raw:
    """A call's arguments where the dialect carries them as a value."""
    return msgspec.Raw((call.arguments or "{}").encode())


def call_id(call: Call, number: int, prefix: str) -> str:
    """The call's id, or one like the vendor's own, different for different calls."""
    return call.id or f"{prefix}{tag(str(number), call.name, call.arguments)}"


def tag(*texts: str) -> str:
    """Eight letters that differ where the texts differ."""
    return f"{zlib.crc32(chr(0).join(texts).encode()):08x}"


def mark(turn: Turn) -> str:
    """What the ids of an answer's parts end in: different for different answers."""
    return tag(
        turn.text,
        turn.thinking,
        turn.redacted,
        *(f"{call.id} {call.name} {call.arguments}" for call in turn.tool_calls),
    )


def sse(data: Any, event: str = "") -> bytes:
    """A server-sent event of a JSON value."""
    head = f"event: {event}\n".encode() if event else b""
    return head + b"data: " + msgspec.json.encode(data) + b"\n\n"


def scripted(turn: Turn) -> Failure:
    """The error that a turn's faults are."""
    return Failure(turn.status, f"scripted failure {turn.status}", "scripted", retry_after=turn.retry_after)


def span(text: str, quote: str) -> tuple[int, int]:
    """Where a quote stands in a text; all of the text where it does not."""
    at = text.find(quote) if quote else -1
    return (at, at + len(quote)) if at >= 0 else (0, len(text))
