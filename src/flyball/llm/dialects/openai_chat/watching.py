"""A look at chat streams that are relayed. Decodes what the record and the relay need, and nothing else."""

from typing import Any

import msgspec

from flyball.llm.dialect import Note
from flyball.llm.sse import Event
from flyball.llm.usage import usage_from_openai

from .asking import is_done
from .chunks import patiently
from .errors import UNSAID, error_event, trouble_of


class _Delta(msgspec.Struct):
    content: Any = None
    tool_calls: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    thinking_blocks: Any = None
    function_call: Any = None
    audio: Any = None
    images: Any = None

    @property
    def says(self) -> bool:
        """Whether it says anything but who speaks."""
        thoughts = self.reasoning_content or self.reasoning or self.reasoning_details or self.thinking_blocks
        return bool(
            self.content
            or self.refusal
            or thoughts
            or self.tool_calls
            or self.function_call
            or self.audio
            or self.images
        )


class _Choice(msgspec.Struct):
    index: Any = 0
    delta: _Delta | None = None
    finish_reason: Any = None


class _Chunk(msgspec.Struct):
    model: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Watch:
    """Looks at one relayed stream."""

    def __init__(self) -> None:
        self._halves: dict[str, str] = {}
        self._has_said = False

    def note(self, event: Event) -> Note:
        """What the event says. Raises ValueError for what is no chunk, or one of a kind that is not known here."""
        if is_done(event.data):
            return Note(done=True) if self._has_said else Note(trouble=UNSAID)
        try:
            note = self._noted(self._decoded(event.data))
        except ValueError:
            self._has_said = True  # something, that is not understood
            raise
        self._has_said = self._has_said or note.has_content
        return note

    def _decoded(self, data: bytes) -> _Chunk:
        if not self._halves:
            try:
                return _CHUNK.decode(data)
            except msgspec.ValidationError:
                raise
            except msgspec.DecodeError:
                pass
        return msgspec.convert(patiently(data, self._halves), _Chunk)

    def _noted(self, chunk: _Chunk) -> Note:
        if chunk.error:
            return Note(trouble=trouble_of(chunk.error))
        note = Note(model=chunk.model if isinstance(chunk.model, str) else "")
        if isinstance(chunk.usage, dict):
            note.usage_raw, note.usage, note.hidden = chunk.usage, usage_from_openai(chunk.usage), not chunk.choices
        for choice in chunk.choices or ():
            delta, reason = choice.delta, choice.finish_reason
            if reason == "error":
                return Note(trouble=trouble_of("the provider ended its answer with an error"))
            note.has_content = note.has_content or bool(reason) or (delta is not None and delta.says)
            if not choice.index:
                note.finish_reason = reason if isinstance(reason, str) else ""
                if delta is not None and isinstance(delta.content, str):
                    note.text += delta.content
        return note

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event that ends a stream that has failed."""
        return error_event(status, message, code=code)
