"""Streams in Anthropic's words, for callers. Its clients ignore events without a name: every event that is written has one.

Blocks are told apart by their index, and several may be open at once.
"""

from typing import Any

import msgspec

from flyball.llm.arguments import to_object
from flyball.llm.completions import Began, Cited, Closed, Counted, Grew, Lost, Opened, Signed, Stopped, StreamEvent
from flyball.llm.dialect import Frame
from flyball.llm.errors import UpstreamCutError
from flyball.llm.losses import Losses
from flyball.llm.messages import Native, Part, Refusal, Stop, Text, Thinking, ToolCall
from flyball.llm.signatures import detached, wrap
from flyball.llm.usage import Usage

from .answers import HOME, NAME, block_for, citation_for, counts, error, is_placed, miss_tier, stop_word
from .growing import Growing

_ENCODE = msgspec.json.encode


def _event(name: str, body: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _ENCODE({"type": name, **body}))


def _delta(index: int, kind: bytes, value: Any) -> bytes:
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b:%b}}\n\n'
        % (index, kind, _ENCODE(value))
    )


_TEXT, _THOUGHT, _JSON = b'text_delta","text"', b'thinking_delta","thinking"', b'input_json_delta","partial_json"'
_SOUND = ("stop", "stop_sequence", "tool_calls")  # reasons for which nothing ends in the middle
_SIGNATURE, _CITATION = b'signature_delta","signature"', b'citations_delta","citation"'


class _Written(msgspec.Struct):
    """A block for a caller: its index, negative while it has not begun, and the head of its deltas."""

    part: Part
    index: int
    delta: bytes = b""
    held: list[str] = []  # of a custom tool's free text; of a call what cannot be said in pieces
    growing: Growing | None = None  # of a call's arguments


class AnthropicWriter:
    """Words one stream for a caller. A text begins with its first word: Anthropic refuses empty ones that are sent back."""

    def __init__(self, frame: Frame, losses: Losses) -> None:
        self._frame = frame
        self._losses = losses
        self._blocks: dict[int, _Written] = {}
        self._began = self._refused = False
        self._places = 0
        self._kept: set[str] = set()  # names of what is no loss here
        self._stop, self._word = Stop(reason="other"), "end_turn"
        self._unfinished = ""  # a call whose arguments end before their end
        self._usage: Usage | None = None
        self._tier = ""

    def write(self, event: StreamEvent) -> bytes:  # noqa: PLR0911 -- one for each kind
        """The events for one."""
        if getattr(event, "choice", 0):
            self._losses.drop("choices[1]")
            return b""
        match event:
            case Grew():
                return self._grow(event)
            case Opened():
                return self._begin() + b"".join(self._open(event.at, part) for part in detached((event.part,)))
            case Closed():
                return self._close(event.at)
            case Signed() | Cited():
                return self._add(event)
            case Began():
                return self._begin()
            case Stopped():
                self._stop = self._sound(event.stop)
                self._word = stop_word(event.stop, self._losses, refused=self._refused)
            case Counted():
                self._usage = event.usage or self._usage
                self._tier = event.service_tier or self._tier
                miss_tier(event.service_tier, self._losses)
            case Lost() if event.name not in self._kept:
                self._losses.drop(event.name)
        return b""

    def end(self) -> bytes:
        """Why it ended, what it used, the end."""
        said = self._begin() + b"".join(map(self._close, list(self._blocks)))
        delta = {"stop_reason": self._word, "stop_sequence": self._stop.sequence}
        last = {"delta": delta, "usage": counts(self._usage, self._tier), **self._frame.extra}
        return said + _event("message_delta", last) + _event("message_stop", {})

    def broke(self, status: int, message: str, *, code: str) -> bytes:  # noqa: ARG002 -- Anthropic's errors have a type alone
        """The event at which its clients raise."""
        return b"event: error\ndata: %b\n\n" % error(status, message)

    def _sound(self, stop: Stop) -> Stop:
        """Raises UpstreamCutError where an answer ends as if it were whole, and a call in it is not."""
        if self._unfinished and stop.reason in _SOUND:
            raise _broken(self._unfinished)
        return stop

    def _begin(self) -> bytes:
        if self._began:
            return b""
        self._began = True
        head = {"id": f"msg_{self._frame.id}", "type": "message", "role": "assistant", "model": self._frame.model}
        message: dict[str, Any] = {
            **head,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": counts(self._usage),
        }
        return _event("message_start", {"message": message})

    def _open(self, at: int, part: Part) -> bytes:
        match part:
            case Text() | Refusal():
                self._refused = self._refused or isinstance(part, Refusal)
                self._blocks[at] = _Written(part, -1, _TEXT)
                return self._grow(Grew(at, part.text)) if part.text else b""
            case Thinking(redacted=False):
                block = self._blocks[at] = _Written(part, self._places, _THOUGHT)
                begun = self._start({"type": "thinking", "thinking": "", "signature": ""})
                if part.text:
                    begun += _delta(block.index, _THOUGHT, part.text)
                if part.signature is not None:
                    begun += _delta(block.index, _SIGNATURE, wrap(part, home=HOME))
                return begun + (self._close(at) if part.belongs_to_next else b"")
            case ToolCall():
                self._blocks[at] = _Written(part, self._places, _JSON, growing=Growing())
                begun = self._start({"type": "tool_use", "id": part.id, "name": part.name, "input": {}, **part.extra})
                return begun + (self._grow(Grew(at, part.arguments)) if part.arguments else b"")
        if isinstance(part, Native) and part.dialect == NAME:
            self._kept.add(f"content[{at}]")
        if (block_ := block_for(part, self._losses)) is None:
            return b""
        self._blocks[at] = _Written(part, self._places)
        return self._start(block_)

    def _start(self, block: dict[str, Any]) -> bytes:
        self._places += 1
        return _event("content_block_start", {"index": self._places - 1, "content_block": block})

    def _started(self, block: _Written) -> bytes:
        if block.index >= 0:
            return b""
        block.index = self._places
        return self._start({"type": "text", "text": ""})

    def _grow(self, event: Grew) -> bytes:
        block = self._blocks.get(event.at)
        if event.logprobs is not None:
            self._losses.drop("logprobs")
        if block is None or not block.delta or not event.text:
            return b""
        text = event.text
        if isinstance(block.part, ToolCall):
            text = _arguments(block, block.part, text)
        return self._started(block) + _delta(block.index, block.delta, text) if text else b""

    def _add(self, event: Signed | Cited) -> bytes:
        block = self._blocks.get(event.at)
        if block is None:
            return b""
        if isinstance(event, Signed):
            return _delta(block.index, _SIGNATURE, wrap(Thinking(signature=event.signature), home=HOME))
        citation = citation_for(event.citation)
        if citation is None or is_placed(event.citation):
            self._losses.drop("citations")
        if citation is None:
            return b""
        return self._started(block) + _delta(block.index, _CITATION, citation)

    def _close(self, at: int) -> bytes:
        block = self._blocks.pop(at, None)
        if block is None or block.index < 0:
            return b""
        held = b""
        if isinstance(call := block.part, ToolCall) and (text := "".join(block.held)):
            whole = {"input": text} if call.custom else to_object(text)
            held = _delta(block.index, _JSON, _ENCODE(whole).decode())
        elif isinstance(call, ToolCall) and block.growing is not None and block.growing.begun:
            self._unfinished = self._unfinished or ("" if block.growing.whole else call.name)
        return held + _event("content_block_stop", {"index": block.index})


def _arguments(block: _Written, call: ToolCall, text: str) -> str:
    """What of a call's arguments can be said now: nothing that its client, which reads them at every piece, would raise at.

    They are held as long as they have not begun as an object. Raises UpstreamCutError where it is too late for that.
    """
    growing = block.growing
    if not call.custom and growing is not None:
        said = growing.begun and not block.held
        if growing.feed(text) and growing.begun:
            text, block.held = "".join((*block.held, text)), []
            return text
        if said:
            raise _broken(call.name)
    block.held = [*block.held, text]
    return ""


def _broken(name: str) -> UpstreamCutError:
    message = f"the model calls {name!r} with arguments that are no JSON object"
    return UpstreamCutError(message, next_step="ask again, or call another model")
