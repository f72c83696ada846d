"""What a provider answers in chat, in the vocabulary: streams, and whole answers, which are streams of one chunk.

Knows how the compatible servers depart from OpenAI: thoughts under several names, calls without ids or indexes, contents
in parts, errors in a 200.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.llm import completions as c
from flyball.llm import messages as m
from flyball.llm.arguments import to_text
from flyball.llm.errors import InvalidBodyError
from flyball.llm.media import split_data_url
from flyball.llm.sse import Event
from flyball.llm.usage import usage_from_openai

from .asking import NAME
from .errors import trouble_of
from .thoughts import Detail

_REASONS: Mapping[str, m.StopReason] = {
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


class _Cited(msgspec.Struct):
    url: str
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


def parse_completion(body: bytes) -> c.Completion | c.Trouble:
    """A whole answer, or the error in it. Raises ValueError for what is neither."""
    chunk = _CHUNK.decode(body)
    if chunk.error is None and chunk.choices is None:
        raise ValueError("it has no `choices`")
    reader, assembly = Reader(), c.Assembly()
    for event in (*reader.take(chunk), *reader.end()):
        if isinstance(event, c.Broke):
            return event.trouble
        assembly.add(event)
    completion = assembly.whole()
    completion.service_tier = chunk.service_tier or ""
    if chunk.system_fingerprint:
        completion.extra = {"system_fingerprint": chunk.system_fingerprint}
    logprobs = {choice.index: choice.logprobs for choice in chunk.choices or ()}
    for choice in completion.choices:
        choice.logprobs = logprobs.get(choice.index)
    return completion


class Reader:
    """Reads one stream."""

    def __init__(self) -> None:
        self.done = False
        self._id: str | None = None
        self._choices: dict[int, _Answer] = {}

    def read(self, event: Event) -> list[c.StreamEvent]:
        """What one event says."""
        if event.data == b"[DONE]":
            self.done = True
            return self.end()
        return self.take(_CHUNK.decode(event.data))

    def finish(self) -> list[c.StreamEvent]:
        """What was held back, where every answer has said why it ended and only the last word is missing."""
        if self.done or not self._choices or any(one.stop is None for one in self._choices.values()):
            return []
        self.done = True
        return self.end()

    def take(self, chunk: _Chunk) -> list[c.StreamEvent]:
        """What one chunk says."""
        if chunk.error is not None:
            return [c.Broke(trouble_of(chunk.error))]
        said: list[c.StreamEvent] = []
        if self._id is None and (chunk.choices or chunk.id):
            self._id = chunk.id or ""
            said.append(c.Began(self._id, chunk.model or ""))
        for choice in chunk.choices or ():
            if choice.finish_reason == "error" or choice.error is not None:
                return [*said, c.Broke(trouble_of(choice.error or "the provider ended its answer with an error"))]
            answer = self._choices.get(choice.index)
            if answer is None:
                answer = self._choices[choice.index] = _Answer(choice.index, self._id or "")
            answer.take(choice, said)
        if chunk.usage:
            said.append(c.Counted(usage_from_openai(chunk.usage), chunk.usage))
        return said

    def end(self) -> list[c.StreamEvent]:
        """Everything closed."""
        said: list[c.StreamEvent] = []
        for answer in self._choices.values():
            answer.end(said)
        return said


class _Answer:
    """One choice's parts as they come: at most one of text, thought and refusal is open, and any number of calls."""

    def __init__(self, index: int, id_: str) -> None:
        self.stop: m.Stop | None = None
        self._out: list[c.StreamEvent] = []
        self._index = index
        self._id = "".join(filter(str.isalnum, id_))[-24:]
        self._next = 0  # the place of the next part
        self._open: m.Text | m.Thinking | m.Refusal | None = None
        self._at = 0  # its place
        self._detail: Detail | None = None  # of the open thought, where it has one
        self._calls: dict[Any, _Calling] = {}
        self._last: _Calling | None = None
        self._seals: dict[str, m.Signature] = {}  # signatures by the ids of calls that are still to come
        self._refused = False

    def take(self, choice: _Choice, out: list[c.StreamEvent]) -> None:
        """What one chunk says of it goes to `out`."""
        self._out = out
        if (said := choice.delta or choice.message) is not None:
            if (
                said.content
                or choice.logprobs
                or said.refusal
                or said.reasoning_content
                or said.reasoning
                or said.reasoning_details
            ):
                self._take_words(said, choice.logprobs)
            for call in said.tool_calls or ():
                self._take_call(call)
            if said.function_call is not None:
                self._take_call(_Call(index=0, function=said.function_call))
            if said.annotations or said.images or said.audio:
                self._take_things(said)
        if (word := choice.finish_reason) and self.stop is None:
            met = choice.stop_reason if word == "stop" and isinstance(choice.stop_reason, str) else None
            self.stop = m.Stop(
                reason="stop_sequence" if met else _REASONS.get(word, "other"), sequence=met, native=word
            )

    def end(self, out: list[c.StreamEvent]) -> None:
        """Close what is open, and say why it ended: a call is a call, whatever the word for the end was."""
        self._out = out
        self._close()
        calls = self._calls.values()
        out += [c.Closed(call.at, self._index) if call.at >= 0 else c.Lost("tool_calls") for call in calls]
        for id_, signature in self._seals.items():
            self._whole(m.Thinking(redacted=True, signature=msgspec.structs.replace(signature, id=id_)))
        stop = self.stop or m.Stop(reason="stop" if self._next else "other")
        reason = stop.reason
        if calls and reason in ("stop", "other"):
            reason = "tool_calls"
        elif reason in ("stop", "tool_calls") and not calls:
            reason = "refusal" if self._refused else "stop"
        out.append(c.Stopped(msgspec.structs.replace(stop, reason=reason), self._index))

    def _take_words(self, said: _Said, logprobs: Any) -> None:
        if said.reasoning_details:
            for detail in said.reasoning_details:
                self._take_detail(detail)
        elif isinstance(words := said.reasoning_content or said.reasoning, str) and words:
            self._grow(m.Thinking, words)
        if isinstance(said.content, list):
            for part in said.content:
                self._take_part(part)
        elif said.content or (logprobs and not said.refusal):
            self._grow(m.Text, said.content or "", logprobs)
        if said.refusal:
            self._refused = True
            self._grow(m.Refusal, said.refusal)

    def _take_part(self, part: dict[str, Any]) -> None:
        """One part of a content, as Mistral's models think."""
        words, thought = part.get("text"), part.get("thinking")
        if isinstance(words, str):
            self._grow(m.Text, words)
        elif isinstance(thought, list | str):
            self._grow(m.Thinking, m.text_of(thought))
        else:
            self._out.append(c.Lost(str(part.get("type", "content"))))

    def _take_detail(self, detail: Detail) -> None:
        signature, of_next = detail.signed()
        last = self._detail
        continues = last is not None and last.index == detail.index and not of_next
        if (
            detail.sealed
            and signature is not None
            and not (continues and last is not None and last.summary is not None)
        ):
            if detail.id and signature.origin == "google" and not of_next:
                self._seals[detail.id] = msgspec.structs.replace(signature, id="")
            else:
                self._whole(m.Thinking(redacted=not of_next, signature=signature, belongs_to_next=of_next))
            return
        if not continues:
            self._begin(m.Thinking())
        if not detail.sealed:
            self._detail = detail
        if words := detail.words:
            self._out.append(c.Grew(self._at, words, self._index))
        if signature is not None:
            self._out.append(c.Signed(self._at, signature, self._index))
            self._close()

    def _take_call(self, call: _Call) -> None:
        function = call.function or call.custom or _Function()
        key: Any = (call.id or None) if call.index is None else call.index
        known = self._last if key is None and not function.name else self._calls.get(key)
        if known is not None and call.id and known.id and call.id != known.id:  # several calls under one index
            key, known = call.id, self._calls.get(call.id)
        if known is None:
            known = _Calling(len(self._calls), custom=call.custom is not None)
            self._calls[("", known.number) if key is None else key] = known
        self._last = known
        known.id = known.id or call.id or ""
        known.name = known.name or function.name or ""
        written = function.arguments if call.custom is None else function.input
        if written:
            known.pieces.append(written if isinstance(written, str) else to_text(written))
        if known.name:
            self._tell(known)

    def _tell(self, call: "_Calling") -> None:
        """Tell of a call as soon as its name is known, and of what came since."""
        if call.at < 0:
            self._close()
            call.at = self._place()
            id_ = call.id or f"call_{self._id}_{call.number}"
            part = m.ToolCall(id=id_, name=call.name, custom=call.custom, signature=self._seals.pop(id_, None))
            self._out.append(c.Opened(call.at, part, self._index))
        for piece in call.pieces:
            self._out.append(c.Grew(call.at, piece, self._index))
        call.pieces.clear()

    def _take_things(self, said: _Said) -> None:
        for annotation in said.annotations or ():
            try:
                cited = msgspec.convert(annotation["url_citation"], _Cited)
            except (msgspec.ValidationError, KeyError, TypeError):
                self._out.append(c.Lost("annotations"))
                continue
            if not isinstance(self._open, m.Text):
                self._begin(m.Text(text=""))
            citation = m.Citation(
                url=cited.url,
                title=cited.title or "",
                quote=cited.content or "",
                start=cited.start_index,
                end=cited.end_index,
            )
            self._out.append(c.Cited(self._at, citation, self._index))
        for image in said.images or ():
            try:
                url = str(image["image_url"]["url"])
                found = split_data_url(url, "images")
            except (InvalidBodyError, KeyError, TypeError):
                self._out.append(c.Lost("images"))
                continue
            media_type, data = found or ("", "")
            self._whole(m.Media(kind="image", media_type=media_type, data=data, url="" if found else url))
        if said.audio:
            self._whole(m.Native(dialect=NAME, kind="audio", raw=said.audio))

    def _grow(self, kind: type[m.Text | m.Thinking | m.Refusal], text: str, logprobs: Any = None) -> None:
        if type(self._open) is not kind or self._detail is not None:
            self._begin(kind(text=""))
        self._out.append(c.Grew(self._at, text, self._index, logprobs))

    def _begin(self, part: m.Text | m.Thinking | m.Refusal) -> None:
        self._close()
        self._open, self._at = part, self._place()
        self._out.append(c.Opened(self._at, part, self._index))

    def _close(self) -> None:
        if self._open is not None:
            self._out.append(c.Closed(self._at, self._index))
            self._open = self._detail = None

    def _whole(self, part: m.Part) -> None:
        self._close()
        at = self._place()
        self._out += (c.Opened(at, part, self._index), c.Closed(at, self._index))

    def _place(self) -> int:
        self._next += 1
        return self._next - 1


class _Calling:
    """A call as it comes."""

    def __init__(self, number: int, *, custom: bool) -> None:
        self.number = number
        self.custom = custom
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []
        self.at = -1  # its place, once it has been told of
