"""A look at chat streams that are relayed. Decodes what the record and the relay need, and nothing else."""

from typing import Any

import msgspec

from flyball.llm.dialect import Note
from flyball.llm.sse import Event
from flyball.llm.usage import usage_from_openai

from .errors import error_event, trouble_of


class _Delta(msgspec.Struct):
    content: Any = None
    tool_calls: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    function_call: Any = None
    audio: Any = None
    images: Any = None

    @property
    def says(self) -> bool:
        """Whether it says anything but who speaks."""
        words = self.content or self.refusal or self.reasoning_content or self.reasoning or self.reasoning_details
        return bool(words or self.tool_calls or self.function_call or self.audio or self.images)


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Watch:
    """Looks at one relayed stream."""

    def note(self, event: Event) -> Note:
        """What the event says. Raises ValueError for what is no chunk."""
        if event.data == b"[DONE]":
            return Note(done=True)
        chunk = _CHUNK.decode(event.data)
        if chunk.error is not None:
            return Note(trouble=trouble_of(chunk.error))
        note = Note(model=chunk.model or "")
        if chunk.usage is not None:
            note.usage_raw, note.usage, note.hidden = chunk.usage, usage_from_openai(chunk.usage), not chunk.choices
        for choice in chunk.choices or ():
            delta, reason = choice.delta, choice.finish_reason
            if reason == "error":
                return Note(trouble=trouble_of("the provider ended its answer with an error"))
            note.has_content = note.has_content or bool(reason) or (delta is not None and delta.says)
            if choice.index == 0:
                note.finish_reason = reason or ""
                if delta is not None and isinstance(delta.content, str):
                    note.text += delta.content
        return note

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event that ends a stream that has failed."""
        return error_event(status, message, code=code)
