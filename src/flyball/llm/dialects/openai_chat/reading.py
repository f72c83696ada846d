"""What a provider answers in chat, in the vocabulary: streams and whole answers, which are streams of one chunk.

Knows how the compatible servers depart from OpenAI: thoughts under several names, calls without ids or indexes, contents
in parts, errors in a 200.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.llm.arguments import to_text
from flyball.llm.completions import (
    Assembly,
    Began,
    Broke,
    Cited,
    Closed,
    Completion,
    Counted,
    Grew,
    Lost,
    Opened,
    Signed,
    Stopped,
    StreamEvent,
    Trouble,
)
from flyball.llm.errors import InvalidBodyError
from flyball.llm.media import split_data_url
from flyball.llm.messages import Citation, Media, Native, Refusal, Signature, Stop, StopReason, Text, Thinking, ToolCall
from flyball.llm.sse import Event
from flyball.llm.usage import usage_from_openai

from .asking import NAME
from .errors import trouble_of
from .thoughts import Detail

_REASONS: Mapping[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "context",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None
    input: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _Said(msgspec.Struct):
    """A message, or a piece of one."""

    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: list[Detail] | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    annotations: list[Any] | None = None
    audio: dict[str, Any] | None = None
    images: list[Any] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None
    stop_reason: Any = None  # vLLM's: the sequence that was met
    logprobs: Any = None
    error: Any = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def parse_completion(body: bytes) -> Completion | Trouble:
    """A whole answer, or the error in it. Raises ValueError for what is neither."""
    chunk = _CHUNK.decode(body)
    if chunk.error is None and chunk.choices is None:
        raise ValueError("it has no `choices`")
    reader = Reader()
    assembly = Assembly()
    for event in (*reader.take(chunk), *reader.end()):
        if isinstance(event, Broke):
            return event.trouble
        assembly.add(event)
    completion = assembly.whole()
    completion.service_tier = chunk.service_tier or ""
    if chunk.system_fingerprint:
        completion.extra = {"system_fingerprint": chunk.system_fingerprint}
    for choice, raw in zip(completion.choices, sorted(chunk.choices or (), key=lambda one: one.index), strict=False):
        choice.logprobs = raw.logprobs
    return completion


class Reader:
    """Reads one stream."""

    def __init__(self) -> None:
        self.done = False
        self._begun = False
        self._id = ""
        self._choices: dict[int, _Answer] = {}

    def read(self, event: Event) -> list[StreamEvent]:
        """What one event says."""
        if event.data == b"[DONE]":
            self.done = True
            return self.end()
        return self.take(_CHUNK.decode(event.data))

    def finish(self) -> list[StreamEvent]:
        """What was held back, where every answer has said why it ended and only the last word is missing."""
        if self.done or not self._choices or any(one.stop is None for one in self._choices.values()):
            return []
        self.done = True
        return self.end()

    def take(self, chunk: _Chunk) -> list[StreamEvent]:
        """What one chunk says."""
        if chunk.error is not None:
            return [Broke(trouble_of(chunk.error))]
        said: list[StreamEvent] = []
        if not self._begun and (chunk.choices or chunk.id):
            self._begun = True
            self._id = chunk.id or ""
            said.append(Began(self._id, chunk.model or ""))
        for choice in chunk.choices or ():
            answer = self._choices.get(choice.index)
            if answer is None:
                answer = self._choices[choice.index] = _Answer(choice.index, self._id, said)
            answer.out = said
            if choice.finish_reason == "error" or choice.error is not None:
                return [*said, Broke(trouble_of(choice.error))]
            if (words := choice.delta or choice.message) is not None:
                answer.take(words, choice.logprobs)
            if choice.finish_reason:
                answer.stopped(choice.finish_reason, choice.stop_reason)
        if chunk.usage:
            said.append(Counted(usage_from_openai(chunk.usage), chunk.usage))
        return said

    def end(self) -> list[StreamEvent]:
        """Everything closed."""
        said: list[StreamEvent] = []
        for answer in self._choices.values():
            answer.out = said
            answer.end()
        return said


class _Answer:
    """One choice's parts as they come: at most one of text, thought and refusal is open, and any number of calls."""

    def __init__(self, index: int, id_: str, out: list[StreamEvent]) -> None:
        self.out = out
        self.stop: Stop | None = None
        self._index = index
        self._id = "".join(filter(str.isalnum, id_))[-24:]
        self._next = 0  # the place of the next part
        self._open: Text | Thinking | Refusal | None = None
        self._at = 0  # its place
        self._detail: Detail | None = None  # of the open thought, where it has one
        self._calls: dict[Any, _Calling] = {}
        self._last: _Calling | None = None
        self._seals: dict[str, Signature] = {}  # signatures by the ids of calls that are still to come
        self._refused = False
        self._cited = False

    def take(self, said: _Said, logprobs: Any) -> None:
        """One message or piece."""
        if said.reasoning_details:
            for detail in said.reasoning_details:
                self._take_detail(detail)
        elif said.reasoning_content or said.reasoning:
            words = said.reasoning_content or said.reasoning
            if isinstance(words, str):
                self._grow(Thinking, words)
        content = said.content
        if content or logprobs:
            if isinstance(content, list):
                self._take_parts(content)
            else:
                self._grow(Text, content or "", logprobs)
        if said.refusal:
            self._refused = True
            self._grow(Refusal, said.refusal)
        for call in said.tool_calls or ():
            self._take_call(call)
        if said.function_call is not None:
            self._take_call(_Call(index=0, function=said.function_call))
        for annotation in said.annotations or ():
            self._cite(annotation)
        for image in said.images or ():
            self._show(image)
        if said.audio:
            self._whole(Native(dialect=NAME, kind="audio", raw=said.audio))

    def stopped(self, word: str, sequence: Any) -> None:
        """Why it ended."""
        if isinstance(sequence, str) and word == "stop":
            self.stop = Stop(reason="stop_sequence", sequence=sequence, native=word)
        else:
            self.stop = Stop(reason=_REASONS.get(word, "other"), native=word)

    def end(self) -> None:
        """Close what is open, and say why it ended: a call is a call, whatever the word for the end was."""
        self._close()
        for calling in self._calls.values():
            calling.open(self, f"call_{self._id}_{calling.number}")
            self.out.append(Closed(calling.at, self._index))
        for id_, signature in self._seals.items():
            self._whole(Thinking(redacted=True, signature=msgspec.structs.replace(signature, id=id_)))
        stop = self.stop or Stop(reason="stop" if self._next else "other")
        reason = stop.reason
        if self._calls and reason in ("stop", "other"):
            reason = "tool_calls"
        elif reason == "tool_calls" and not self._calls:
            reason = "stop"
        elif self._refused and reason == "stop":
            reason = "refusal"
        self.out.append(
            Stopped(stop if reason == stop.reason else msgspec.structs.replace(stop, reason=reason), self._index)
        )

    def place(self) -> int:
        """The place of a new part."""
        self._next += 1
        return self._next - 1

    def opened(self, at: int, call: ToolCall) -> None:
        """A call has begun."""
        self._close()
        if (signature := self._seals.pop(call.id, None)) is not None:
            call = msgspec.structs.replace(call, signature=signature)
        self.out.append(Opened(at, call, self._index))

    def grew(self, at: int, text: str) -> None:
        """A call has grown."""
        self.out.append(Grew(at, text, self._index))

    def _grow(self, kind: type[Text | Thinking | Refusal], text: str, logprobs: Any = None) -> None:
        if type(self._open) is not kind or self._detail is not None:
            self._close()
            self._begin(kind(text=""))
        self.out.append(Grew(self._at, text, self._index, logprobs))

    def _begin(self, part: Text | Thinking | Refusal) -> None:
        self._open, self._at = part, self.place()
        self.out.append(Opened(self._at, part, self._index))

    def _close(self) -> None:
        if self._open is not None:
            self.out.append(Closed(self._at, self._index))
            self._open = self._detail = None

    def _whole(self, part: Any) -> None:
        self._close()
        at = self.place()
        self.out += (Opened(at, part, self._index), Closed(at, self._index))

    def _take_detail(self, detail: Detail) -> None:
        signature, of_next = detail.signed()
        open_ = self._detail
        continues = open_ is not None and open_.index == detail.index and not of_next
        if (
            detail.sealed
            and signature is not None
            and not (continues and open_ is not None and open_.summary is not None)
        ):
            if detail.id and signature.origin == "google" and not of_next:
                self._seals[detail.id] = msgspec.structs.replace(signature, id="")
            else:
                self._whole(Thinking(redacted=not of_next, signature=signature, belongs_to_next=of_next))
            return
        if not continues:
            self._close()
            self._begin(Thinking())
        if not detail.sealed:
            self._detail = detail
        if words := detail.words:
            self.out.append(Grew(self._at, words, self._index))
        if signature is not None:
            self.out.append(Signed(self._at, signature, self._index))
            self._close()

    def _take_parts(self, parts: list[dict[str, Any]]) -> None:
        """A content in parts, as Mistral's models think."""
        for part in parts:
            if isinstance(words := part.get("text"), str):
                self._grow(Text, words)
            elif isinstance(thought := part.get("thinking"), list | str):
                inner = [{"text": thought}] if isinstance(thought, str) else thought
                words = "".join(str(one.get("text") or "") for one in inner if isinstance(one, dict))
                self._grow(Thinking, words)
            else:
                self.out.append(Lost(str(part.get("type", "content"))))

    def _take_call(self, call: _Call) -> None:
        function = call.function or call.custom or _Function()
        key = call.index if call.index is not None else call.id
        known = self._calls.get(key) if key is not None else None if function.name else self._last
        if known is None or (call.id and known.id and call.id != known.id):
            if known is not None:  # several calls under one index
                key = call.id
                known = self._calls.get(key)
            if known is None:
                known = _Calling(len(self._calls), custom=call.custom is not None)
                self._calls[len(self._calls) if key is None else key] = known
        self._last = known
        known.id = known.id or call.id or ""
        known.name = known.name or function.name or ""
        written = function.input if call.custom is not None else function.arguments
        if written is not None and written != "":
            known.pieces.append(written if isinstance(written, str) else to_text(written))
        if known.name:
            known.open(self, f"call_{self._id}_{known.number}")

    def _cite(self, annotation: Any) -> None:
        inner = annotation.get("url_citation") if isinstance(annotation, dict) else None
        if not isinstance(inner, dict):
            self.out.append(Lost("annotations"))
            return
        if not isinstance(self._open, Text):
            self._close()
            self._begin(Text(text=""))
        try:
            said = msgspec.convert(inner, _UrlCitation)
        except msgspec.ValidationError:
            self.out.append(Lost("annotations"))
            return
        citation = Citation(
            url=said.url, title=said.title or "", quote=said.content or "", start=said.start_index, end=said.end_index
        )
        self.out.append(Cited(self._at, citation, self._index))

    def _show(self, image: Any) -> None:
        inner = image.get("image_url") if isinstance(image, dict) else None
        url = inner.get("url") if isinstance(inner, dict) else None
        try:
            data = split_data_url(url, "images") if isinstance(url, str) else None
        except InvalidBodyError as error:
            raise ValueError(str(error)) from None
        if data is not None:
            self._whole(Media(kind="image", media_type=data[0], data=data[1]))
        elif isinstance(url, str):
            self._whole(Media(kind="image", url=url))
        else:
            self.out.append(Lost("images"))


class _UrlCitation(msgspec.Struct):
    url: str
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class _Calling:
    """A call as it comes. It is told of when its name is known."""

    def __init__(self, number: int, *, custom: bool) -> None:
        self.number = number
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []
        self.at = -1
        self._custom = custom

    def open(self, answer: _Answer, other_id: str) -> None:
        """Tell of it, and of what came since."""
        if self.at < 0:
            self.id = self.id or other_id
            self.at = answer.place()
            answer.opened(self.at, ToolCall(id=self.id, name=self.name, custom=self._custom))
        for piece in self.pieces:
            answer.grew(self.at, piece)
        self.pieces.clear()
