"""What Bedrock streams, read into the vocabulary. Knows nothing of the framing.

Only calls and images are begun by an event; every other block begins with its first piece. The counts come behind the end
of the message: a stream has ended with both. What can only be said whole (bytes, a signature) waits for the block's end.
"""

import base64
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
from flyball.llm.messages import Media, Part, Signature, Text, Thinking, ToolCall
from flyball.llm.sse import Event
from flyball.llm.usage import merge_counts, usage_from_bedrock

from .answers import HOME, NULL, Piece, Said, citation, fields_of, trouble, unsaid

_SAID = msgspec.json.Decoder(Said)
_KINDS = ("contentBlockDelta", "contentBlockStart", "contentBlockStop", "messageStart", "messageStop", "metadata")


_REDACTED = Thinking(redacted=True)


class _Block(msgspec.Struct):
    part: Part | None  # None: nothing that another dialect could say
    at: int = -1  # -1: nothing of it has been said
    held: list[str] = []


class BedrockReader:
    """Reads one stream."""

    def __init__(self) -> None:
        self.done = False
        self._began = self._stopped = self._counted = False
        self._blocks: dict[int, _Block] = {}
        self._next = 0
        self._usage: dict[str, Any] = {}

    def read(self, event: Event) -> list[StreamEvent]:
        """What one event says. Unknown kinds are named. Raises ValueError for nonsense."""
        name = event.name
        if name.startswith("exception:"):
            code = name.partition(":")[2]
            return [Broke(trouble(event.data, code) or Trouble(message=code, code=code))]
        if name not in _KINDS:
            return [Lost(name)] if name else []
        if self._stopped and name != "metadata":
            return []
        said = _SAID.decode(event.data)
        out: list[StreamEvent] = [] if self._began else [Began()]
        out += map(Lost, unsaid(event.data, name))
        self._began = True
        if name == "contentBlockDelta":
            self._grow(said.content_block_index, said.delta or Piece(), event.data, out)
        elif name == "contentBlockStart":
            self._start(said.content_block_index, said.start or Piece(), event.data, out)
        elif name == "contentBlockStop":
            self._close(said.content_block_index, out)
        elif name == "messageStop":
            self._stop(said, out)
        elif name == "metadata":
            out += map(Lost, said.told)
            if said.usage is not None:
                merge_counts(self._usage, said.usage)
                out.append(Counted(usage_from_bedrock(self._usage), dict(self._usage), said.tier))
            self._counted = True
        self.done = self._stopped and self._counted
        return out

    def finish(self) -> list[StreamEvent]:
        """A message that has ended is whole, whether or not it was counted."""
        self.done = self._stopped
        return []

    def _stop(self, said: Said, out: list[StreamEvent]) -> None:
        if said.broken is not None:
            out.append(Broke(said.broken))
            return
        for index in tuple(self._blocks):
            self._close(index, out)
        out += (*map(Lost, said.told), Stopped(said.stop))
        self._stopped = True

    def _start(self, index: int, start: Piece, data: bytes, out: list[StreamEvent]) -> None:
        if (call := start.tool_use) is not None and not call.type:
            self._open(index, ToolCall(id=call.tool_use_id, name=call.name), out)
        elif (image := start.image) is not None:
            self._blocks[index] = _Block(Media(kind="image", media_type=f"image/{image.format}"))
        elif call is not None or start.tool_result is not None:  # Bedrock runs it itself
            self._blocks[index] = _Block(None)
            out.append(Lost(f"content[{index}].{'toolResult' if call is None else 'toolUse'}"))

        else:
            self._odd(index, fields_of(data).get("start", NULL), out)

    def _odd(self, index: int, said: msgspec.Raw, out: list[StreamEvent]) -> None:
        """Something that nobody knows, begun or gone on with. Of a block that is lost already there is no more to tell."""
        if (found := self._blocks.get(index)) is None or found.part is not None:
            out += (Lost(f"content[{index}].{kind}") for kind, value in fields_of(said).items() if value != NULL)

    def _open(self, index: int, part: Part, out: list[StreamEvent]) -> _Block:
        block = self._blocks[index] = _Block(part, self._next)
        self._next += 1
        out.append(Opened(block.at, part))
        return block

    def _grow(self, index: int, delta: Piece, data: bytes, out: list[StreamEvent]) -> None:
        thought = delta.reasoning_content
        if delta.text is not None or delta.citation is not None:
            block = self._block(index, Text(text=""), out)
            words = delta.text
        elif thought is not None:
            block = self._block(index, Thinking() if thought.redacted_content is None else _REDACTED, out)
            words = thought.text
            block.held += filter(None, (thought.redacted_content, thought.signature))
        elif delta.tool_use is not None:
            block = self._block(index, ToolCall(id="", name=""), out)
            words = msgspec.json.decode(delta.tool_use.input, type=str | None)
        elif delta.image is not None:
            block = self._block(index, Media(kind="image"), out)
            words = None
            block.held += filter(None, (delta.image.bytes,))
        else:
            self._odd(index, fields_of(data).get("delta", NULL), out)
            return
        if words and block.at >= 0:
            out.append(Grew(block.at, words))
        if delta.citation is not None and block.at >= 0:
            out.append(Cited(block.at, citation(delta.citation)))

    def _block(self, index: int, part: Part, out: list[StreamEvent]) -> _Block:
        """The block that such a piece belongs to, begun if pieces may begin it. Raises ValueError."""
        block = self._blocks.get(index)
        if block is None and isinstance(part, ToolCall | Media):
            raise ValueError(f"block {index} goes on and has not begun")
        if block is None and part is _REDACTED:
            block = self._blocks[index] = _Block(part)
        block = block or self._open(index, part, out)
        begun = block.part
        if begun is not None and (type(begun) is not type(part) or (block.at >= 0 and part is _REDACTED)):
            raise ValueError(f"block {index} goes on as something else than it began")
        return block

    def _close(self, index: int, out: list[StreamEvent]) -> None:
        block = self._blocks.pop(index, None)
        if block is None or (part := block.part) is None:
            return
        if block.at < 0:
            data = _one(block.held)
            if isinstance(part, Thinking):
                part = msgspec.structs.replace(part, signature=Signature(data=data, origin=HOME))
            else:
                part = msgspec.structs.replace(part, data=data)
            block = self._open(index, part, out)
            del self._blocks[index]
        elif block.held:
            out.append(Signed(block.at, Signature(data="".join(block.held), origin=HOME)))
        out.append(Closed(block.at))


def _one(pieces: list[str]) -> str:
    """Base64 that came in pieces, each complete in itself. Raises ValueError."""
    return pieces[0] if len(pieces) == 1 else base64.b64encode(b"".join(map(base64.b64decode, pieces))).decode()
