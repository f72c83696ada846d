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

from .asking import NAME, is_done
from .chunks import Call, Choice, Chunk, Chunks, Function, Said
from .errors import UNSAID, trouble_of
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


class _Cited(msgspec.Struct):
    url: str
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


_USUAL_TIERS = ("default", "auto")  # which nobody who asked for nothing else would miss


def parse_completion(body: bytes) -> c.Completion | c.Trouble:
    """A whole answer, or the error in it. Raises ValueError for what is neither."""
    chunk, unknown = Chunks(whole=True).decode(body)
    if not chunk.error and chunk.choices is None:
        raise ValueError("it has no `choices`")
    reader, assembly = Reader(), c.Assembly()
    for event in (*reader.take(chunk, unknown), *reader.end()):
        if isinstance(event, c.Broke):
            return event.trouble
        assembly.add(event)
    completion = assembly.whole()
    completion.service_tier = _text(chunk.service_tier)
    if chunk.system_fingerprint:
        completion.extra = {"system_fingerprint": chunk.system_fingerprint}
    logprobs = {choice.number: choice.logprobs for choice in chunk.choices or ()}
    for choice in completion.choices:
        choice.logprobs = logprobs.get(choice.index)
    return completion


class Reader:
    """Reads one stream."""

    def __init__(self) -> None:
        self.done = False
        self._chunks = Chunks()
        self._id: str | None = None
        self._choices: dict[int, _Answer] = {}
        self._tier = ""
        self._untold_tier = ""
        self._lost: set[str] = set()

    def read(self, event: Event) -> list[c.StreamEvent]:
        """What one event says. The last word, where nothing was said before it, says that it failed."""
        if not is_done(event.data):
            return self.take(*self._chunks.decode(event.data))
        if not any(one.has_said for one in self._choices.values()):
            return [c.Broke(UNSAID)]
        self.done = True
        return self.end()

    def finish(self) -> list[c.StreamEvent]:
        """Nothing: a stream without its last word has been cut off, even where it has said why it ends."""
        return []

    def take(self, chunk: Chunk, unknown: list[str]) -> list[c.StreamEvent]:
        """What one chunk says, and what of it nobody reads."""
        if chunk.error:
            return [c.Broke(trouble_of(chunk.error))]
        said: list[c.StreamEvent] = []
        if self._id is None and (chunk.choices or chunk.id):
            self._id = _text(chunk.id)
            said.append(c.Began(self._id, _text(chunk.model)))
        for choice in chunk.choices or ():
            if choice.finish_reason == "error" or choice.error:
                return [*said, c.Broke(trouble_of(choice.error or "the provider ended its answer with an error"))]
            answer = self._choices.get(choice.number)
            if answer is None:
                answer = self._choices[choice.number] = _Answer(choice.number, self._id or "")
            answer.take(choice, said)
        if tier := _text(chunk.service_tier):
            self._tier = self._untold_tier = tier
        if chunk.usage and isinstance(chunk.usage, dict):
            said.append(c.Counted(usage_from_openai(chunk.usage), chunk.usage, self._tier))
            self._untold_tier = ""
        said += [c.Lost(name) for name in unknown if name not in self._lost]
        self._lost.update(unknown)
        return said

    def end(self) -> list[c.StreamEvent]:
        """Everything closed."""
        said: list[c.StreamEvent] = []
        for answer in self._choices.values():
            answer.end(said)
        if self._untold_tier and self._untold_tier not in _USUAL_TIERS:
            said.append(c.Lost("service_tier"))
        return said


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


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
        self._length = 0  # of the whole content, in which citations are placed
        self._base = 0  # where the open text begins in it
        self._detail: Detail | None = None  # of the open thought, where it has one
        self._plain: list[str] = []  # what is said plainly of the open thought
        self._calls: dict[Any, _Calling] = {}
        self._last: _Calling | None = None
        self._seals: dict[str, m.Signature] = {}  # signatures by the ids of calls that are still to come
        self._refused = False

    @property
    def has_said(self) -> bool:
        """Whether it has said anything, and be it why it ended."""
        return self.stop is not None or self._next > 0 or bool(self._calls)

    def take(self, choice: Choice, out: list[c.StreamEvent]) -> None:
        """What one chunk says of it goes to `out`."""
        self._out = out
        if (said := choice.delta or choice.message) is not None:
            self._take_thoughts(said)
            if said.content or choice.logprobs or said.refusal:
                self._take_words(said, choice.logprobs)
            if said.annotations or said.images or said.audio:
                self._take_things(said)
            for call in said.tool_calls or ():
                self._take_call(call)
            if said.function_call is not None:
                self._take_call(Call(index=0, function=said.function_call))
        if (word := _text(choice.finish_reason)) and self.stop is None:
            met = (_text(choice.stop_reason) or _text(choice.matched_stop) or None) if word == "stop" else None
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

    def _take_thoughts(self, said: Said) -> None:
        """A thought may stand there twice, plainly and in details; what can be read of it is taken once."""
        if not (said.reasoning_content or said.reasoning or said.reasoning_details or said.thinking_blocks):
            return
        details = self._details("reasoning_details", said.reasoning_details)
        details = details or self._details("thinking_blocks", said.thinking_blocks)
        words = _text(said.reasoning_content) or _text(said.reasoning)
        if words and not any(detail.words for detail in details):
            self._grow(m.Thinking, words)
        for detail in details:
            self._take_detail(detail)

    def _details(self, name: str, value: Any) -> list[Detail]:
        try:
            return msgspec.convert(value or [], list[Detail])
        except msgspec.ValidationError:
            self._out.append(c.Lost(name))
            return []

    def _take_words(self, said: Said, logprobs: Any) -> None:
        if isinstance(said.content, list):
            for part in said.content:
                self._take_part(part)
        elif said.content or (logprobs and not said.refusal):
            self._grow(m.Text, said.content or "", logprobs)
        if said.refusal:
            self._refused = True
            self._grow(m.Refusal, said.refusal)

    def _take_part(self, part: Any) -> None:
        """One part of a content, as Mistral's models think."""
        part = part if isinstance(part, dict) else {}
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
        words = detail.words
        if self._plain and "".join(self._plain) == words:
            self._plain, words = [], ""  # said before, plainly: what is new is the signature
        elif not continues:
            self._begin(m.Thinking())
        if not detail.sealed:
            self._detail = detail
        if words:
            self._out.append(c.Grew(self._at, words, self._index))
        if signature is not None:
            self._out.append(c.Signed(self._at, signature, self._index))
            self._close()

    def _take_call(self, call: Call) -> None:
        function = call.function or call.custom or Function()
        id_ = "" if call.id is None else str(call.id)
        key: Any = call.index if isinstance(call.index, int | float | str) else id_ or None
        known = self._last if key is None and not function.name else self._calls.get(key)
        if known is not None and id_ and known.id and id_ != known.id:  # several calls under one index
            key, known = id_, self._calls.get(id_)
        if known is None:
            known = _Calling(len(self._calls), custom=call.custom is not None)
            self._calls[("", known.number) if key is None else key] = known
        self._last = known
        known.id = known.id or id_
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

    def _take_things(self, said: Said) -> None:
        for annotation in _list(said.annotations):
            try:
                cited = msgspec.convert(annotation["url_citation"], _Cited)
            except (msgspec.ValidationError, KeyError, TypeError):
                self._out.append(c.Lost("annotations"))
                continue
            if not isinstance(self._open, m.Text):
                self._begin(m.Text(text=""))
            start, end = self._offset(cited.start_index), self._offset(cited.end_index)
            if (start is None) != (cited.start_index is None) or (end is None) != (cited.end_index is None):
                start = end = None
                self._out.append(c.Lost("annotations.start_index"))  # they are those of an earlier text
            title, quote = cited.title or "", cited.content or ""
            citation = m.Citation(url=cited.url, title=title, quote=quote, start=start, end=end)
            self._out.append(c.Cited(self._at, citation, self._index))
        for image in _list(said.images):
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
            self._out.append(c.Lost("audio"))

    def _offset(self, offset: int | None) -> int | None:
        """A place in the content as one in the open text; None where that begins behind it."""
        return None if offset is None or offset < self._base else offset - self._base

    def _grow(self, kind: type[m.Text | m.Thinking | m.Refusal], text: str, logprobs: Any = None) -> None:
        if type(self._open) is not kind or self._detail is not None:
            self._begin(kind(text=""))
        if kind is m.Text:
            self._length += len(text)
        elif kind is m.Thinking:
            self._plain.append(text)
        self._out.append(c.Grew(self._at, text, self._index, logprobs))

    def _begin(self, part: m.Text | m.Thinking | m.Refusal) -> None:
        self._close()
        self._open, self._at, self._base = part, self._place(), self._length
        self._out.append(c.Opened(self._at, part, self._index))

    def _close(self) -> None:
        if self._open is not None:
            self._out.append(c.Closed(self._at, self._index))
            self._open = self._detail = None
            self._plain = []

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
