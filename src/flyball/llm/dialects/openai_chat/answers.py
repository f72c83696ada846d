"""An answer in chat, for those who call in it: whole, and in the chunks of a stream; and a look at streams that are relayed."""

from collections.abc import Sequence
from typing import Any

import msgspec

from flyball.llm.completions import (
    Choice,
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
)
from flyball.llm.dialect import Frame, Note
from flyball.llm.losses import Losses
from flyball.llm.media import data_url
from flyball.llm.messages import Citation, Media, Native, Part, Refusal, Signature, Stop, Text, Thinking, ToolCall
from flyball.llm.sse import Event
from flyball.llm.usage import Usage, usage_from_openai, usage_to_openai

from .asking import NAME
from .errors import error_event, trouble_of
from .thoughts import details_of, details_of_thought, sealed

DONE = b"data: [DONE]\n\n"
_WORDS = {"max_tokens": "length", "context": "length", "content_filter": "content_filter", "tool_calls": "tool_calls"}


def write_completion(completion: Completion, frame: Frame, losses: Losses) -> bytes:
    """A whole answer. What it cannot say is dropped and named in `losses`."""
    losses.drop_all(completion.leftovers)
    whole: dict[str, Any] = {
        "id": f"chatcmpl-{frame.id}",
        "object": "chat.completion",
        "created": frame.created,
        "model": frame.model,
        "choices": [_choice(choice, losses) for choice in completion.choices],
    }
    if completion.usage is not None:
        whole["usage"] = usage_to_openai(completion.usage)
    if completion.service_tier:
        whole["service_tier"] = completion.service_tier
    if fingerprint := completion.extra.get("system_fingerprint"):
        whole["system_fingerprint"] = fingerprint
    return msgspec.json.encode({**whole, **frame.extra})


def _choice(choice: Choice, losses: Losses) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    lists: dict[str, list[Any]] = {}
    before = 0  # characters of the texts before
    for part in choice.parts:
        match part:
            case Text():
                for citation in part.citations:
                    if (written := _citation(citation, before, before + len(part.text), losses)) is not None:
                        lists.setdefault("annotations", []).append(written)
                texts.append(part.text)
                before += len(part.text)
            case Thinking():
                thoughts.append(part.text)
            case Refusal():
                said["refusal"] = (said["refusal"] or "") + part.text
            case ToolCall():
                calls.append(_call(part, part.arguments or ("" if part.custom else "{}")))
            case _:
                for name, value in _odd(part, losses):
                    if name == "images":
                        lists.setdefault(name, []).extend(value)
                    else:
                        said[name] = value
    if texts:
        said["content"] = "".join(texts)
    if words := "".join(thoughts):
        said["reasoning_content"] = words
    if any(isinstance(part, Text | Media | Thinking | ToolCall) and part.signature for part in choice.parts):
        said["reasoning_details"] = details_of(choice.parts)
    if calls:
        said["tool_calls"] = calls
    reason = _finish_reason(choice.stop, refused=said["refusal"] is not None)
    return {"index": choice.index, "message": {**said, **lists}, "logprobs": choice.logprobs, "finish_reason": reason}


def _call(call: ToolCall, arguments: str) -> dict[str, Any]:
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": arguments}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _odd(part: Part, losses: Losses) -> Sequence[tuple[str, Any]]:
    """What a part says for which OpenAI has no words: images as OpenRouter shows them, and OpenAI's own recordings."""
    if isinstance(part, Media) and part.kind == "image" and not part.file_id:
        url = part.url or data_url(part.media_type, part.data)
        return [("images", [{"type": "image_url", "image_url": {"url": url}}])]
    if isinstance(part, Native) and part.dialect == NAME and part.kind == "audio":
        return [("audio", part.raw)]
    losses.drop(part.kind if isinstance(part, Native | Media) else "content")
    return ()


def _citation(citation: Citation, before: int, end: int, losses: Losses) -> dict[str, Any] | None:
    if citation.kind != "url" or not citation.url:
        losses.drop("citations")
        return None
    start = before + (citation.start or 0)
    stop = before + citation.end if citation.end is not None else end
    said = {"url": citation.url, "title": citation.title, "start_index": start, "end_index": stop}
    return {"type": "url_citation", "url_citation": {**said, "content": citation.quote} if citation.quote else said}


def _finish_reason(stop: Stop, *, refused: bool) -> str:
    if stop.reason == "refusal":
        return "stop" if refused else "content_filter"
    return _WORDS.get(stop.reason, "stop")


class Writer:
    """Words one stream."""

    def __init__(self, frame: Frame, losses: Losses) -> None:
        self._frame = frame
        self._losses = losses
        head = {"id": f"chatcmpl-{frame.id}", "object": "chat.completion.chunk", "created": frame.created}
        self._head = msgspec.json.encode({**head, "model": frame.model})[:-1]
        self._answers: dict[int, _Spoken] = {}
        self._usage: Usage | None = None

    def write(self, event: StreamEvent) -> bytes:
        """The words for one event."""
        match event:
            case Grew() | Opened() | Signed() | Cited() | Closed() | Stopped():
                answer = self._answers.get(event.choice)
                if answer is None:
                    answer = self._answers[event.choice] = _Spoken(self._losses)
                out = b""
                for delta, logprobs in answer.say(event):
                    if not answer.begun:
                        answer.begun = True
                        first = {"role": "assistant", "content": None if "tool_calls" in delta else "", "refusal": None}
                        out += self._chunk(event.choice, first)
                    out += self._chunk(event.choice, delta, logprobs)
                return out
            case Counted():
                self._usage = event.usage
            case Lost():
                self._losses.drop(event.name)
        return b""

    def end(self) -> bytes:
        """Why each answer ended, what was used, and the end."""
        out = b""
        for number, (index, answer) in enumerate(self._answers.items(), 1):
            if not answer.begun:
                out += self._chunk(index, {"role": "assistant", "content": "", "refusal": None})
            choice = {"index": index, "delta": {}, "logprobs": None, "finish_reason": answer.finish_reason}
            last = self._frame.extra if number == len(self._answers) else {}
            out += self._event({"choices": [choice], **last})
        if self._frame.wants_usage and self._usage is not None:
            out += self._event({"choices": [], "usage": usage_to_openai(self._usage)})
        return out + DONE

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event that ends a stream that has failed."""
        return error_event(status, message, code=code)

    def _chunk(self, index: int, delta: dict[str, Any], logprobs: Any = None) -> bytes:
        return self._event({"choices": [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}]})

    def _event(self, rest: dict[str, Any]) -> bytes:
        return b"data: " + self._head + b"," + msgspec.json.encode(rest)[1:] + b"\n\n"


class _Spoken:
    """One answer of a stream, as far as it has been said. What it says are deltas, with their log probabilities."""

    def __init__(self, losses: Losses) -> None:
        self.begun = False
        self.finish_reason = "stop"
        self._losses = losses
        self._parts: dict[int, Part] = {}
        self._grown: dict[int, list[str]] = {}  # thoughts that may be signed, and arguments
        self._calls: dict[int, int] = {}  # places of calls, and their indexes
        self._lengths: dict[int, tuple[int, int]] = {}  # of texts: characters before, and its own
        self._length = 0
        self._details = 0
        self._refused = False
        self._waiting: Signature | None = None  # it belongs to the next part

    def say(self, event: StreamEvent) -> Sequence[tuple[dict[str, Any], Any]]:
        match event:
            case Grew():
                return self._grew(event)
            case Opened():
                return [(delta, None) for delta in self._opened(event)]
            case Closed():
                return [(delta, None) for delta in self._closed(event.at)]
            case Signed():
                thought = msgspec.structs.replace(
                    self._parts[event.at], text="".join(self._grown[event.at]), signature=event.signature
                )
                return [(self._detailed(details_of_thought(thought, self._details)), None)]  # type: ignore[arg-type] # only thoughts are signed
            case Cited():
                before, length = self._lengths[event.at]
                written = _citation(event.citation, before, before + length, self._losses)
                return [({"annotations": [written]}, None)] if written is not None else ()
            case Stopped():
                self.finish_reason = _finish_reason(event.stop, refused=self._refused)
        return ()

    def _grew(self, event: Grew) -> Sequence[tuple[dict[str, Any], Any]]:
        at, text = event.at, event.text
        match part := self._parts[at]:
            case Text():
                before, length = self._lengths[at]
                self._lengths[at] = (before, length + len(text))
                self._length += len(text)
                return (({"content": text}, event.logprobs),)
            case Thinking():
                self._grown[at].append(text)
                return (({"reasoning_content": text}, None),)
            case ToolCall():
                self._grown[at].append("")
                name = ("custom", "input") if part.custom else ("function", "arguments")
                return (({"tool_calls": [{"index": self._calls[at], name[0]: {name[1]: text}}]}, None),)
            case Refusal():
                return (({"refusal": text}, event.logprobs),)
        return ()

    def _opened(self, event: Opened) -> Sequence[dict[str, Any]]:
        at, part = event.at, event.part
        self._parts[at] = part
        said: list[dict[str, Any]] = []
        match part:
            case Thinking():
                self._grown[at] = [part.text]
                if part.belongs_to_next:
                    self._waiting = part.signature
                    return ()
                if part.text:
                    said.append({"reasoning_content": part.text})
                if part.signature is not None:
                    said.append(self._detailed(details_of_thought(part, self._details)))
                return said
            case Text():
                self._lengths[at] = (self._length, len(part.text))
                self._length += len(part.text)
                if part.text:
                    said.append({"content": part.text})
            case ToolCall():
                self._calls[at] = len(self._calls)
                self._grown[at] = [part.arguments] if part.arguments else []
                said.append({"tool_calls": [{"index": self._calls[at], **_call(part, part.arguments)}]})
            case Refusal():
                self._refused = True
                if part.text:
                    said.append({"refusal": part.text})
            case _:
                said.extend({name: value} for name, value in _odd(part, self._losses))
        signature = self._waiting or getattr(part, "signature", None)
        if signature is not None:
            self._waiting = None
            if isinstance(part, ToolCall):
                details = [sealed(signature.data, signature.origin, part.id, self._details)]
            else:
                details = details_of_thought(Thinking(signature=signature, belongs_to_next=True), self._details)
            said.insert(0, self._detailed(details))
        return said

    def _closed(self, at: int) -> Sequence[dict[str, Any]]:
        part = self._parts[at]
        if isinstance(part, ToolCall) and not part.custom and not self._grown[at]:
            return ({"tool_calls": [{"index": self._calls[at], "function": {"arguments": "{}"}}]},)
        return ()

    def _detailed(self, details: list[dict[str, Any]]) -> dict[str, Any]:
        self._details += 1
        return {"reasoning_details": details}


# -- streams that are relayed


class _Delta(msgspec.Struct):
    content: Any = None
    tool_calls: Any = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    function_call: Any = None
    audio: Any = None
    images: Any = None


class _Piece(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    model: str | None = None
    choices: list[_Piece] | None = None
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
        choices = chunk.choices or ()
        note = Note(model=chunk.model or "")
        if chunk.usage:
            note.usage_raw, note.usage, note.hidden = chunk.usage, usage_from_openai(chunk.usage), not choices
        for choice in choices:
            if choice.finish_reason == "error":
                return Note(trouble=trouble_of(None))
            delta = choice.delta
            if choice.finish_reason:
                note.has_content = True
                if choice.index == 0:
                    note.finish_reason = choice.finish_reason
            if delta is not None:
                if delta.content and choice.index == 0 and isinstance(delta.content, str):
                    note.text += delta.content
                note.has_content = note.has_content or _says(delta)
        return note

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event that ends a stream that has failed."""
        return error_event(status, message, code=code)


def _says(delta: _Delta) -> bool:
    """Whether it says anything but who speaks."""
    words = delta.content or delta.refusal or delta.reasoning_content or delta.reasoning
    things = delta.tool_calls or delta.function_call or delta.audio or delta.images or delta.reasoning_details
    return bool(words or things)
