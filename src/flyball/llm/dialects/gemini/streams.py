"""What a provider answers in Gemini's words, in the vocabulary: streams, and whole answers, which are streams of one chunk.

A chunk is a whole answer with some more parts. No event ends a stream: it has ended soundly where every answer in it has
said why it ended, and usage may still follow that. What a text rests on is told when the text is whole.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec

from flyball.llm import completions as c
from flyball.llm import messages as m
from flyball.llm.dialect import Note
from flyball.llm.sse import Event
from flyball.llm.usage import merge_counts, usage_from_gemini

from .answers import (
    NULL,
    Citations,
    Failure,
    Grounding,
    Logprobs,
    Part,
    Shape,
    error,
    media_kind,
    signature_of,
    stop_of,
)


def _names(shape: type[Shape]) -> tuple[str, ...]:
    return shape.__struct_encode_fields__


class _Content(Shape):
    parts: list[Part] | None = None


class _Candidate(Shape):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int | None = None
    grounding_metadata: Grounding | None = None
    citation_metadata: Citations | None = None
    url_context_metadata: Any = None
    logprobs_result: Logprobs | None = None


class _Feedback(Shape):
    block_reason: str | None = None
    block_reason_message: str | None = None


class _Chunk(Shape):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: dict[str, Any] | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Failure | None = None

    @property
    def blocked(self) -> str:
        """Why the question was not answered at all."""
        feedback = self.prompt_feedback
        return (feedback.block_reason or "") if feedback is not None and not self.candidates else ""


_CHUNK = msgspec.json.Decoder(_Chunk)
_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LISTED = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)
_INNER = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
# What of each object is told, or is no loss: when and by whom it was answered is said of our own answer, and how many
# tokens it has is counted among the usage.
_TOLD = {
    "": frozenset((*_names(_Chunk), "createTime", "sdkHttpResponse")),
    "candidate": frozenset((*_names(_Candidate), "tokenCount")),
    "content": frozenset(("parts", "role")),
    "part": frozenset(_names(Part)),
    "feedback": frozenset(_names(_Feedback)),
}


def _unsaid(data: bytes) -> list[str]:
    """The paths of everything in a chunk that nobody knows; nulls say nothing."""
    chunk = _NAMES.decode(data)
    found = list(_others(chunk, "", ""))
    if feedback := _inner(chunk, "promptFeedback"):
        found += _others(feedback, "feedback", "promptFeedback.")
    for at, candidate in enumerate(_LISTED.decode(chunk.get("candidates", NULL)) or ()):
        found += _others(candidate, "candidate", f"candidates[{at}].")
        content = _inner(candidate, "content")
        found += _others(content, "content", f"candidates[{at}].content.")
        for part in _LISTED.decode(content.get("parts", NULL)) or ():
            # The places of parts are no caller's: a stream begins to count them anew in every chunk.
            found += _others(part, "part", f"candidates[{at}].content.parts.")
    return found


def _inner(fields: dict[str, msgspec.Raw], name: str) -> dict[str, msgspec.Raw]:
    return _INNER.decode(fields.get(name, NULL)) or {}


def _others(fields: dict[str, msgspec.Raw], kind: str, prefix: str) -> Iterator[str]:
    told = _TOLD[kind]
    return (prefix + name for name, raw in fields.items() if name not in told and raw != NULL)


def parse(body: bytes) -> c.Completion | c.Trouble:
    """A whole answer, or the error in it. Raises ValueError for what is neither."""
    chunk = _CHUNK.decode(body)
    if not chunk.candidates and not chunk.blocked and chunk.error is None:
        raise ValueError("it has neither an answer nor a reason why there is none")
    reader, assembly = GeminiReader(), c.Assembly()
    for event in (*reader.take(chunk, _unsaid(body)), *reader.end()):
        if isinstance(event, c.Broke):
            return event.trouble
        assembly.add(event)
    completion = assembly.whole()
    told = {one.index or 0: one.logprobs_result for one in chunk.candidates or ()}
    for choice in completion.choices:
        if (found := told.get(choice.index)) is not None:
            choice.logprobs = found.told
    return completion


class GeminiReader:
    """Reads one stream."""

    def __init__(self) -> None:
        self.done = False
        self._began = False
        self._id = ""
        self._answers: dict[int, _Answer] = {}
        self._counts: dict[str, Any] = {}

    def read(self, event: Event) -> list[c.StreamEvent]:
        """What one event says."""
        chunk = _CHUNK.decode(event.data)
        return self.take(chunk, _unsaid(event.data))

    def finish(self) -> list[c.StreamEvent]:
        """The ends of all answers, where each has said why it ended."""
        if self.done or not self._answers or any(not one.ended for one in self._answers.values()):
            return []
        self.done = True
        return self.end()

    def take(self, chunk: _Chunk, unsaid: list[str]) -> list[c.StreamEvent]:
        """What one chunk says; of what nobody knows only the names."""
        if chunk.error is not None:
            return [c.Broke(chunk.error.trouble)]
        said: list[c.StreamEvent] = []
        if not self._began and (chunk.candidates or chunk.response_id or chunk.prompt_feedback is not None):
            self._began = True
            self._id = "".join(filter(str.isalnum, chunk.response_id or ""))[-24:]
            said.append(c.Began(chunk.response_id or "", chunk.model_version or ""))
        said += map(c.Lost, unsaid)
        for candidate in chunk.candidates or ():
            self._answer(candidate.index or 0).take(candidate, said)
        if chunk.blocked:
            self._answer(0).ended = chunk.blocked
            if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason_message:
                said.append(c.Lost("promptFeedback.blockReasonMessage"))
        if (counts := chunk.usage_metadata) and counts != self._counts:
            self._counts = merge_counts(dict(self._counts), counts)
            said.append(c.Counted(usage_from_gemini(self._counts), self._counts))
        return said

    def end(self) -> list[c.StreamEvent]:
        """Everything closed."""
        said: list[c.StreamEvent] = []
        for answer in self._answers.values():
            answer.end(said)
        return said

    def _answer(self, index: int) -> "_Answer":
        if (found := self._answers.get(index)) is None:
            found = self._answers[index] = _Answer(index, self._id)
        return found


class _Answer:
    """One candidate's parts as they come: at most one text or thought is open. A text that is signed is a part of its own."""

    def __init__(self, index: int, id_: str) -> None:
        self.ended = ""
        self._index = index
        self._id = id_  # the response's
        self._next = 0  # the place of the next part
        self._open: m.Text | m.Thinking | None = None
        self._seal: m.Signature | None = None  # stood on an empty text, which may not yet close the one before it
        self._calls = 0
        self._text: list[str] = []  # of all texts
        self._base = 0  # where in the whole the open text begins
        self._grounding: Grounding | None = None
        self._cited: Citations | None = None

    def take(self, candidate: _Candidate, out: list[c.StreamEvent]) -> None:
        """What one chunk says of it goes to `out`."""
        logprobs = candidate.logprobs_result.told if candidate.logprobs_result is not None else None
        for part in (candidate.content.parts if candidate.content is not None else None) or ():
            if part.text is not None:
                self._take_words(part, part.text, logprobs, out)
            else:
                self._take_thing(part, out)
            logprobs = None
        if (found := candidate.grounding_metadata) is not None and (found.grounding_chunks or not self._grounding):
            self._grounding = found
        self._cited = candidate.citation_metadata or self._cited
        if candidate.url_context_metadata:
            out.append(c.Lost("urlContextMetadata"))
        if candidate.finish_message:
            out.append(c.Lost("finishMessage"))
        self.ended = candidate.finish_reason or self.ended

    def end(self, out: list[c.StreamEvent]) -> None:
        """What the text rests on, and why it ended."""
        whole = "".join(self._text).encode()
        found = self._grounding or Grounding()
        citations = [*found.citations(whole), *(self._cited.told(whole) if self._cited is not None else ())]
        if isinstance(self._open, m.Text):
            out += [c.Cited(self._next - 1, self._placed(one), self._index) for one in citations]
        elif citations:
            out.append(c.Lost("groundingMetadata"))
        rest = {"searchEntryPoint": found.search_entry_point, "webSearchQueries": found.web_search_queries}
        out += [c.Lost(f"groundingMetadata.{name}") for name, value in rest.items() if value]
        self._close(out)
        out.append(c.Stopped(stop_of(self.ended, calls=self._calls > 0), self._index))

    def _placed(self, citation: m.Citation) -> m.Citation:
        """Its place in the open text; none where it is about an earlier one."""
        start, end = citation.start, citation.end
        inside = start is not None and end is not None and start >= self._base
        place = (start - self._base, end - self._base) if inside else (None, None)  # type: ignore[operator]  # no None
        return msgspec.structs.replace(citation, start=place[0], end=place[1])

    def _take_words(self, part: Part, text: str, logprobs: Any, out: list[c.StreamEvent]) -> None:
        if part.thought:
            self._take_thought(part, text, out)
            return
        seal = part.signature
        if not text and not logprobs:
            if seal is not None:
                self._tell_seal(out)
                self._seal = seal
            return
        opened = self._open
        if seal is not None or self._seal is not None or not isinstance(opened, m.Text) or opened.signature is not None:
            self._base = sum(map(len, self._text))
            self._begin(m.Text(text="", signature=seal), out)
        self._text.append(text)
        out.append(c.Grew(self._next - 1, text, self._index, logprobs))

    def _take_thought(self, part: Part, text: str, out: list[c.StreamEvent]) -> None:
        if not isinstance(self._open, m.Thinking):
            if not text and not part.thought_signature:
                return
            self._begin(m.Thinking(), out)
        if text:
            out.append(c.Grew(self._next - 1, text, self._index))
        if (signature := part.signature) is not None:
            out.append(c.Signed(self._next - 1, signature, self._index))
            self._close(out)

    def _take_thing(self, part: Part, out: list[c.StreamEvent]) -> None:
        """What comes whole."""
        seal, call, blob = part.signature, part.function_call, part.inline_data or part.file_data
        found: m.Part
        if call is not None:
            self._calls += 1
            mark = self._id or hashlib.blake2b(call.args, digest_size=8).hexdigest()
            id_ = call.id or f"call_{mark}_{self._index}_{self._calls}"
            found = m.ToolCall(id=id_, name=call.name, signature=seal)
        elif blob is not None:
            type_ = blob.mime_type or ""
            found = m.Media(
                kind=media_kind(type_), media_type=type_, data=blob.data or "", url=blob.file_uri or "", signature=seal
            )
        elif part.thought and part.thought_signature:
            signature, of_next = signature_of(part.thought_signature)
            found = m.Thinking(signature=signature, redacted=not of_next, belongs_to_next=of_next)
        elif (native := part.native) is not None:
            found = native
            out.append(c.Lost(native.kind))
        elif seal is not None:
            self._tell_seal(out)
            self._seal = seal
            return
        else:
            return
        self._begin(found, out)
        if call is not None:
            out.append(c.Grew(self._next - 1, call.arguments, self._index))
        self._close(out)

    def _begin(self, part: m.Part, out: list[c.StreamEvent]) -> None:
        self._close(out)
        out.append(c.Opened(self._next, part, self._index))
        self._next += 1
        self._open = part if isinstance(part, m.Text | m.Thinking) else m.Text(text="")

    def _close(self, out: list[c.StreamEvent]) -> None:
        if self._open is not None:
            self._open = None
            out.append(c.Closed(self._next - 1, self._index))
        self._tell_seal(out)

    def _tell_seal(self, out: list[c.StreamEvent]) -> None:
        seal, self._seal = self._seal, None
        if seal is not None:
            self._begin(m.Text(text="", signature=seal), out)
            self._close(out)


class GeminiWatch:
    """Looks at one relayed stream."""

    def __init__(self) -> None:
        self._counts: dict[str, Any] = {}
        self._open: set[int] = set()  # answers that have not said why they end

    def note(self, event: Event) -> Note:
        """What the event says."""
        chunk = _CHUNK.decode(event.data)
        note = Note(model=chunk.model_version or "")
        if chunk.error is not None:
            note.trouble = chunk.error.trouble
            return note
        for one in chunk.candidates or ():
            index, parts = one.index or 0, (one.content.parts if one.content is not None else None) or ()
            if one.finish_reason:
                self._open.discard(index)
                note.finish_reason = one.finish_reason
            else:
                self._open.add(index)
            for part in parts:
                note.has_content = note.has_content or part.text != "" or part.thought_signature is not None
                if part.text and not part.thought and not index:
                    note.text += part.text
        note.finish_reason = chunk.blocked or ("" if self._open else note.finish_reason)
        note.has_content = note.has_content or bool(note.finish_reason)
        if chunk.usage_metadata:
            note.usage_raw = self._counts = merge_counts(dict(self._counts), chunk.usage_metadata)
            note.usage = usage_from_gemini(self._counts)
        return note

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event at which its clients raise."""
        return broken(status, message, code)


def broken(status: int, message: str, code: str) -> bytes:
    """The event at which its clients raise: `error` has to be its first field."""
    return b"data: %b\r\n\r\n" % error(status, message, code=code)
