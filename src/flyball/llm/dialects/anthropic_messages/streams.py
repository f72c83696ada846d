"""Streams in Anthropic's words, read from a provider or watched while they are relayed.

Blocks are told apart by their index, and several may be open at once. Counts are cumulative: a later one replaces, one that
is absent leaves what is known.
"""

from typing import Any

import msgspec

from flyball.llm.completions import (
    Began,
    Broke,
    Cited,
    Closed,
    Counted,
    Grew,
    Lost,
    Opened,
    Signed,
    Stopped,
    StreamEvent,
    Trouble,
)
from flyball.llm.dialect import Note
from flyball.llm.messages import Native, Part, Stop, Text, Thinking, ToolCall
from flyball.llm.signatures import unwrap
from flyball.llm.sse import Event
from flyball.llm.usage import merge_counts, usage_from_anthropic

from .answers import (
    HOME,
    NAME,
    SAID,
    citation_of,
    error,
    part_of,
    stop_of,
    tier_of,
    trouble_of,
    unsaid,
)

_BLOCKS = ("content_block_start", "content_block_delta", "content_block_stop")
_KNOWN = frozenset(("", "message_start", "message_delta", "message_stop", "error", *_BLOCKS))
_SILENT = frozenset(("ping",))  # says nothing but that the provider is there
_DELTA = frozenset(("type", "index", "delta", "usage"))
_ENDING = frozenset(("type", "stop_reason", "stop_sequence"))
_DELTAS = frozenset(("text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta", ""))


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None

    @property
    def words(self) -> str:
        return self.text or self.thinking or self.partial_json or ""


class _Message(msgspec.Struct, gc=False):
    id: str | None = None
    model: str | None = None
    usage: dict[str, Any] | None = None


class _Said(msgspec.Struct, gc=False):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: msgspec.Raw = msgspec.Raw(b"")
    message: _Message | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


class _OfAnyKind(msgspec.Struct):
    type: str


class _Outside(msgspec.Struct):
    """What an event holds, as the bytes that it came in."""

    message: msgspec.Raw = msgspec.Raw(b"{}")
    delta: msgspec.Raw = msgspec.Raw(b"{}")


_SAID = msgspec.json.Decoder(_Said)
_OF_ANY_KIND = msgspec.json.Decoder(_OfAnyKind)
_OUTSIDE = msgspec.json.Decoder(_Outside)


def _decoded(event: Event) -> _Said | None:
    """What an event says; None for a kind that is not known, whatever is in it."""
    if event.name not in _KNOWN:
        return None
    try:
        return _SAID.decode(event.data)
    except msgspec.ValidationError:
        if _OF_ANY_KIND.decode(event.data).type in _KNOWN:
            raise
        return None


class _Open(msgspec.Struct):
    """A block that has begun. `given` is what its beginning already said of its arguments."""

    at: int
    part: Part
    given: str = ""
    grown: list[str] = []


class AnthropicReader:
    """Reads one provider's stream."""

    def __init__(self) -> None:
        self.done = False
        self._began = self._stopped = False
        self._open: dict[int, _Open] = {}
        self._places = 0
        self._counts: dict[str, Any] = {}

    def read(self, event: Event) -> list[StreamEvent]:  # noqa: PLR0911 -- one for each kind
        """What one event says."""
        said = _decoded(event)
        if said is None or said.type not in _KNOWN:
            kind = _OF_ANY_KIND.decode(event.data).type
            return [] if kind in _SILENT or self.done else [Lost(kind)]
        if said.type == "content_block_delta":
            return self._more(said.index, said.delta or _Delta())
        if said.type == "content_block_start":
            return self._start(said)
        if said.type == "content_block_stop":
            return self._stop(said.index)
        if said.type == "message_delta":
            return self._end(said, event.data)
        if said.type == "message_start":
            message = said.message or _Message()
            begun: list[StreamEvent] = [] if self._began else [Began(message.id or "", message.model or "")]
            begun += [Lost(name) for name in _lost(_OUTSIDE.decode(event.data).message, SAID)]
            self._began = True
            return begun + self._count(message.usage)
        if said.type == "message_stop":
            self.done = True
            return self._finished(None)
        return [Broke(trouble_of(said.error) or Trouble(message="no message"))]

    def finish(self) -> list[StreamEvent]:
        """Nothing: this dialect says itself where it ends."""
        return []

    def _start(self, said: _Said) -> list[StreamEvent]:
        if said.index in self._open:
            raise ValueError(f"block {said.index} begins twice")
        events: list[StreamEvent] = [] if self._began else [Began()]
        self._began = True
        losses: list[str] = []
        part = part_of(said.content_block, f"content[{said.index}]", losses)
        held = self._open[said.index] = _Open(self._places, part)
        self._places += 1
        events += map(Lost, losses)
        match part:
            case ToolCall():
                held.given = part.arguments
                events.append(Opened(held.at, msgspec.structs.replace(part, arguments="")))
            case Native():
                pass  # told when it is whole
            case Text():
                events.append(Opened(held.at, msgspec.structs.replace(part, text="", citations=())))
                events += [Cited(held.at, citation) for citation in part.citations]
                events += [Grew(held.at, part.text)] if part.text else []
            case Thinking() if not part.redacted and not part.belongs_to_next:
                events.append(Opened(held.at, Thinking()))
                events += [Grew(held.at, part.text)] if part.text else []
                events += [Signed(held.at, part.signature)] if part.signature is not None else []
            case _:
                events.append(Opened(held.at, part))
        return events

    def _more(self, index: int, delta: _Delta) -> list[StreamEvent]:
        held = self._open.get(index)
        if held is None:
            raise ValueError(f"more of block {index}, which is not open")
        if delta.type in _DELTAS or isinstance(held.part, Native):  # which is lost already
            return _grown(held, delta)
        return [Lost(f"content[{index}].{delta.type}")]

    def _stop(self, index: int) -> list[StreamEvent]:
        held = self._open.pop(index, None)
        if held is None:
            return []
        part = held.part
        if isinstance(part, Native):
            raw = {**part.raw, "input": msgspec.json.decode("".join(held.grown))} if any(held.grown) else part.raw
            return [Opened(held.at, Native(dialect=NAME, kind=part.kind, raw=raw)), Closed(held.at)]
        if held.given:
            return [Grew(held.at, held.given), Closed(held.at)]
        return [Closed(held.at)]

    def _end(self, said: _Said, data: bytes) -> list[StreamEvent]:
        delta = said.delta or _Delta()
        events: list[StreamEvent] = [Lost(name) for name in _lost(data, _DELTA)]
        events += [Lost(name) for name in _lost(_OUTSIDE.decode(data).delta, _ENDING)]
        if delta.stop_reason is not None:
            events += self._finished(stop_of(delta.stop_reason, delta.stop_sequence))
        return events + self._count(said.usage)

    def _finished(self, stop: Stop | None) -> list[StreamEvent]:
        if self._stopped:
            return []
        self._stopped = True
        events: list[StreamEvent] = [] if self._began else [Began()]
        for index in list(self._open):
            events += self._stop(index)
        return [*events, Stopped(stop or Stop(reason="other"))]

    def _count(self, more: dict[str, Any] | None) -> list[StreamEvent]:
        if not more:
            return []
        self._counts = merge_counts(dict(self._counts), more)
        return [Counted(usage_from_anthropic(self._counts), self._counts, tier_of(self._counts))]


def _grown(held: _Open, delta: _Delta) -> list[StreamEvent]:
    """What a piece says of a block that is open."""
    part = held.part
    if isinstance(part, Native):
        held.grown.append(delta.partial_json or "")
    elif isinstance(part, Text):
        if delta.text:
            return [Grew(held.at, delta.text)]
        if delta.citation is not None:
            return [Cited(held.at, citation_of(delta.citation))]
    elif isinstance(part, ToolCall) and delta.partial_json:
        held.given = ""
        return [Grew(held.at, delta.partial_json)]
    elif isinstance(part, Thinking) and not part.redacted:
        if delta.thinking:
            return [Grew(held.at, delta.thinking)]
        if delta.signature:
            return [Signed(held.at, unwrap(delta.signature, home=HOME).signature)]
    return []


def _lost(data: bytes | msgspec.Raw, known: frozenset[str]) -> list[str]:
    """The names of an object's fields that nobody else can say."""
    return [name for name, _ in unsaid(data, known)] if data != b"null" else []


class AnthropicWatch:
    """Looks at one relayed stream."""

    def __init__(self) -> None:
        self._counts: dict[str, Any] = {}

    def note(self, event: Event) -> Note:
        """What the event says."""
        said = _decoded(event)
        if said is None:
            return Note()
        delta = said.delta
        if said.type == "content_block_delta" and delta is not None:
            return Note(text=delta.text or "", has_content=bool(delta.words or delta.citation))
        note = Note(done=said.type == "message_stop")
        message = said.message
        if said.type == "content_block_start":
            note.has_content = not any(bytes(said.content_block).startswith(quiet) for quiet in _QUIET)
        elif said.type == "error":
            note.trouble = trouble_of(said.error) or Trouble(message="no message")
        elif message is not None:
            note.model = message.model or ""
        elif said.type == "message_delta" and delta is not None and delta.stop_reason is not None:
            note.finish_reason, note.has_content = delta.stop_reason, True
        if usage := said.usage or (message.usage if message is not None else None):
            note.usage_raw = self._counts = merge_counts(dict(self._counts), usage)
            note.usage = usage_from_anthropic(self._counts)
        return note

    def broke(self, status: int, message: str, *, code: str) -> bytes:  # noqa: ARG002 -- Anthropic's errors have a type alone
        """The event at which its clients raise."""
        return b"event: error\ndata: %b\n\n" % error(status, message)


_QUIET = (b'{"type":"text","text":""', b'{"type":"thinking","thinking":""')  # beginnings that say nothing yet
