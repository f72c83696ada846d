"""Streams in Responses' words, read from a provider or watched while they are relayed.

An item is told apart by its place in the output, and several may be open at once; its last event holds the whole of it, so
that what came in no pieces is told then. The last event of all holds the whole answer.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from flyball.llm import completions as c
from flyball.llm import messages as m
from flyball.llm.dialect import Note
from flyball.llm.errors import InvalidBodyError
from flyball.llm.sse import Event
from flyball.llm.usage import Usage, usage_from_responses

from . import items
from .errors import error_event, trouble_of

# What is incomplete without a reason has been cut all the same.
_REASONS: dict[str, m.StopReason] = {
    "max_output_tokens": "max_tokens",
    "content_filter": "content_filter",
    "incomplete": "max_tokens",
}
_UNFINISHED = frozenset(("queued", "in_progress", "cancelled"))
_MEANING = ("moderation", "input_transformations")  # what an answer says at its top that no other can
_BEGINNINGS = frozenset(("response.created", "response.in_progress", "response.queued"))
_ENDS = frozenset(("response.completed", "response.incomplete", "response.failed"))
_ITEMS = frozenset(("response.output_item.added", "response.output_item.done"))
_TEXT = "response.output_text.delta"
# Events that bring words: what they belong to, and the field that holds all of it where the pieces did not come.
_WORDS: dict[str, tuple[type[m.Text | m.Refusal | m.Thinking | m.ToolCall], str]] = {
    _TEXT: (m.Text, ""),
    "response.output_text.done": (m.Text, "text"),
    "response.refusal.delta": (m.Refusal, ""),
    "response.refusal.done": (m.Refusal, "refusal"),
    "response.reasoning_summary_text.delta": (m.Thinking, ""),
    "response.reasoning_text.delta": (m.Thinking, ""),
    "response.function_call_arguments.delta": (m.ToolCall, ""),
    "response.function_call_arguments.done": (m.ToolCall, "arguments"),
    "response.custom_tool_call_input.delta": (m.ToolCall, ""),
    "response.custom_tool_call_input.done": (m.ToolCall, "input"),
}
_CITED = "response.output_text.annotation.added"
_KNOWN = frozenset((*_BEGINNINGS, *_ENDS, *_ITEMS, *_WORDS, _CITED, "error"))
_ONLY = c.Choice(parts=(), stop=m.Stop(reason="stop"))  # there is one answer to a question
_UNSAID = msgspec.Raw()


class Response(msgspec.Struct):
    """What is read of an answer."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[dict[str, Any]] | None = None
    usage: Any = None
    error: Any = None
    incomplete_details: Any = None
    service_tier: Any = None
    tool_usage: Any = None
    moderation: Any = None
    input_transformations: Any = None

    @property
    def trouble(self) -> c.Trouble | None:
        """Why it failed."""
        return trouble_of(self.error) if self.error or self.status == "failed" else None

    @property
    def tier(self) -> str:
        """How it was served."""
        return self.service_tier if isinstance(self.service_tier, str) else ""

    @property
    def counted(self) -> Usage | None:
        """Its usage; the searches are counted apart."""
        usage = usage_from_responses(self.usage)
        searched = self.tool_usage.get("web_search") if isinstance(self.tool_usage, dict) else None
        number = searched.get("num_requests") if isinstance(searched, dict) else None
        if usage is None or type(number) is not int or number <= 0:
            return usage
        return msgspec.structs.replace(usage, web_searches=number)

    @property
    def ending(self) -> str:
        """Why it ended, in its own word."""
        reason = self.incomplete_details.get("reason") if isinstance(self.incomplete_details, dict) else None
        return reason if isinstance(reason, str) else self.status or ""


class _Said(msgspec.Struct, gc=False):
    type: str
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    sequence_number: int | None = None
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    item: msgspec.Raw = _UNSAID
    response: msgspec.Raw = _UNSAID
    annotation: Any = None
    logprobs: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


class _OfAnyKind(msgspec.Struct):
    type: str = ""
    error: Any = None


_SAID = msgspec.json.Decoder(_Said)
_OF_ANY_KIND = msgspec.json.Decoder(_OfAnyKind)
_RESPONSE = msgspec.json.Decoder(Response)
_ITEM = msgspec.json.Decoder(dict[str, Any])


def response_of(body: bytes | msgspec.Raw) -> Response:
    """An answer. Raises ValueError for what is none."""
    response = _RESPONSE.decode(body)
    if response.output is None and response.trouble is None:
        raise ValueError("it has no `output`")
    if response.status in _UNFINISHED:
        raise ValueError(f"it is {response.status}")  # one that was asked for in the background
    return response


def _decoded(event: Event) -> _Said:
    """What an event says; of a kind that is not known, nothing, whatever is in it."""
    if event.data == b"[DONE]":
        return _Said("")
    try:
        return _SAID.decode(event.data)
    except msgspec.ValidationError:
        found = _OF_ANY_KIND.decode(event.data)
        if found.type in _KNOWN:
            raise
        return _Said("error", error=found.error) if found.error is not None and not found.type else _Said("")


def _trouble(said: _Said) -> c.Trouble:
    """What an `error` event says, which has its fields below `error`, or beside."""
    return trouble_of(said.error or {"message": said.message, "code": said.code})


class _Open(msgspec.Struct):
    """A part that has begun."""

    at: int
    part: m.Part
    pieces: list[str] = []
    cited: bool = False
    index: tuple[int, int] = (0, 0)  # of the piece of a thought that came last


class Reader:
    """Reads one provider's stream."""

    def __init__(self) -> None:
        self.done = False
        self.logprobs: list[Any] = []  # of a whole answer
        self._began = self._calls = self._refused = False
        self._places = 0
        self._open: dict[int, dict[int, _Open]] = {}  # by items, and by the places of their parts
        self._ended: set[int] = set()

    def read(self, event: Event) -> list[c.StreamEvent]:
        """What one event says."""
        said = _decoded(event)
        if said.type not in _KNOWN:
            return []
        if said.type == "error":
            return [c.Broke(_trouble(said))]
        if (words := _WORDS.get(said.type)) is not None:
            return list(self._grow(said, *words))
        if said.type in _ITEMS:
            item = _ITEM.decode(said.item)
            added = said.type == "response.output_item.added"
            return list(self._begin(said.output_index, item) if added else self._end(said.output_index, item))
        if said.type == _CITED:
            return list(self._cite(said))
        return self.take(_ended(said), whole=said.type in _ENDS)

    def finish(self) -> list[c.StreamEvent]:
        """Nothing: this dialect says itself where it ends."""
        return []

    def take(self, response: Response, *, whole: bool) -> list[c.StreamEvent]:
        """What an answer says that has not been said; `whole`: it is the end."""
        if (trouble := response.trouble) is not None:
            return [c.Broke(trouble)]
        events: list[c.StreamEvent] = []
        if not self._began:
            self._began = True
            events.append(c.Began(response.id or "", response.model or ""))
        if not whole:
            return events
        for index, item in enumerate(response.output or ()):
            if index not in self._ended:
                events += self._end(index, item)
        for opened in self._open.values():
            events += [c.Closed(one.at) for one in opened.values()]
        reason = _REASONS.get(response.ending, "stop" if response.status in (None, "completed") else "other")
        if reason == "stop":
            reason = "tool_calls" if self._calls else "refusal" if self._refused else "stop"
        events.append(c.Stopped(m.Stop(reason=reason, native=response.ending)))
        events += [c.Lost(name) for name in _MEANING if getattr(response, name)]
        if isinstance(response.usage, dict):
            events.append(c.Counted(response.counted, response.usage, response.tier))
        self.done = True
        return events

    def _begin(self, index: int, item: dict[str, Any]) -> Iterator[c.StreamEvent]:
        """A call is known from the beginning, by its name; everything else is told when there is something to be told."""
        known = item.get("call_id") and item.get("name") and str(item.get("type")) in items.CALLS
        if known and index not in self._open and index not in self._ended:
            (call,) = _parts(item, index, [])
            yield from self._opened(index, 0, msgspec.structs.replace(call, arguments=""))

    def _opened(self, index: int, key: int, part: m.Part) -> Iterator[c.StreamEvent]:
        self._calls = self._calls or isinstance(part, m.ToolCall)
        self._refused = self._refused or isinstance(part, m.Refusal)
        self._open.setdefault(index, {})[key] = _Open(self._places, part)
        yield c.Opened(self._places, part)
        self._places += 1

    def _part(self, index: int, key: int, kind: type[m.Part]) -> Iterator[c.StreamEvent]:
        """Make sure that a part is open."""
        if key not in self._open.get(index, ()):
            yield from self._opened(index, key, kind(text=""))  # type: ignore[call-arg] # a call has begun, or is not told

    def _grow(self, said: _Said, kind: type[m.Part], all_of_it: str) -> Iterator[c.StreamEvent]:
        index, key = said.output_index, said.content_index if kind in (m.Text, m.Refusal) else 0
        opened = self._open.get(index)
        if index in self._ended or (kind is m.ToolCall and not opened):
            return  # the last event of the item says it
        text = getattr(said, all_of_it) if all_of_it else said.delta
        if not opened or key not in opened:
            yield from self._part(index, key, kind)
            opened = self._open[index]
        held = opened[key]
        if not text or not isinstance(held.part, kind):
            return
        if all_of_it:
            yield from self._more(held, text)
            return
        piece = said.summary_index, said.content_index
        if kind is m.Thinking and held.pieces and piece != held.index:
            text = items.BETWEEN + text
        held.pieces.append(text)
        held.index = piece
        logprobs = _sound(said.logprobs)
        yield c.Grew(held.at, text, logprobs={"content": logprobs} if logprobs else None)

    def _more(self, held: _Open, words: str) -> Iterator[c.StreamEvent]:
        """What of all these words did not come in pieces."""
        said = "".join(held.pieces)
        if len(words) > len(said) and words.startswith(said):
            held.pieces.append(words[len(said) :])
            yield c.Grew(held.at, held.pieces[-1])

    def _cite(self, said: _Said) -> Iterator[c.StreamEvent]:
        index, key = said.output_index, said.content_index
        if isinstance(said.annotation, dict) and index not in self._ended:
            yield from self._part(index, key, m.Text)
            held = self._open[index][key]
            if isinstance(held.part, m.Text):
                held.cited = True
                yield c.Cited(held.at, items.citation_of(said.annotation))

    def _end(self, index: int, item: dict[str, Any]) -> Iterator[c.StreamEvent]:
        """The end of an item: all of it that did not come in pieces."""
        if index in self._ended:
            return
        self._ended.add(index)
        opened = self._open.pop(index, {})
        lost: list[str] = []
        if item.get("type") == "message":
            self.logprobs += _logprobs(item)
        for key, part in enumerate(_parts(item, index, lost)):
            held = opened.pop(key, None)
            yield from self._rest(held, part) if held is not None else self._at_once(part)
        yield from (c.Closed(one.at) for one in opened.values())
        yield from map(c.Lost, lost)

    def _rest(self, held: _Open, part: m.Part) -> Iterator[c.StreamEvent]:
        words = part.arguments if isinstance(part, m.ToolCall) else getattr(part, "text", "")
        if words and isinstance(part, type(held.part)):
            yield from self._more(held, words)
        if isinstance(part, m.Text) and isinstance(held.part, m.Text) and not held.cited:
            yield from (c.Cited(held.at, one) for one in part.citations)
        if isinstance(part, m.Thinking) and isinstance(held.part, m.Thinking) and part.signature is not None:
            yield c.Signed(held.at, part.signature)
        yield c.Closed(held.at)

    def _at_once(self, part: m.Part) -> Iterator[c.StreamEvent]:
        self._calls = self._calls or isinstance(part, m.ToolCall)
        self._refused = self._refused or isinstance(part, m.Refusal)
        yield from c.events_of_part(part, self._places, _ONLY)
        self._places += 1


def _ended(said: _Said) -> Response:
    """The answer in an event. How it ended is in the event's name too."""
    response = _RESPONSE.decode(said.response)
    if said.type in _ENDS and (response.status in (None, *_UNFINISHED) or said.type == "response.failed"):
        response.status = said.type.removeprefix("response.")
    return response


def _parts(item: dict[str, Any], index: int, lost: list[str]) -> tuple[m.Part, ...]:
    """An answer's item. The paths of what only this dialect can say join `lost`. Raises ValueError."""
    kind = item.get("type")
    if not isinstance(kind, str):
        raise ValueError(f"output[{index}] has no `type`")  # noqa: TRY004 -- a provider's answer, not an argument
    path = f"output[{index}]"
    if kind in items.RESULTS:  # of a call that the provider has run itself
        lost.append(path)
        return ()
    if kind in items.CALLS and not item.get("call_id"):
        item["call_id"] = item.get("id") or f"call_{index}"
    left: list[str] = []
    try:
        parts = items.read(item, kind, path, left).parts
    except InvalidBodyError as error:
        raise ValueError(str(error)) from None
    lost += [one for one in left if not one.endswith(".logprobs")]  # those are told with the words
    lost += [path for part in parts if isinstance(part, m.Native)]
    return parts


def _logprobs(item: dict[str, Any]) -> list[Any]:
    content = item.get("content")
    listed = [part.get("logprobs") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return [one for found in listed for one in _sound(found)]


def _sound(logprobs: Any) -> list[Any]:
    """Log probabilities that are some, with their alternatives that are."""
    found = [one for one in logprobs if _is_sound(one)] if isinstance(logprobs, list) else []
    for one in found:
        if "top_logprobs" in one:
            one["top_logprobs"] = _sound(one["top_logprobs"])
    return found


def _is_sound(one: Any) -> bool:
    return isinstance(one, dict) and type(one.get("token")) is str and type(one.get("logprob")) in (int, float)


class Watch:
    """Looks at one relayed stream."""

    def __init__(self) -> None:
        self._number = 0  # of the next event

    def note(self, event: Event) -> Note:  # noqa: PLR0911 -- one for each kind
        """What the event says."""
        said = _decoded(event)
        self._number = max(self._number, (said.sequence_number or 0)) + 1
        if said.type not in _KNOWN:
            return Note()
        if said.type in _WORDS:
            return Note(text=said.delta or "" if said.type == _TEXT else "", has_content=bool(said.delta))
        if said.type == "error":
            return Note(trouble=_trouble(said))
        if said.type in _ITEMS:
            kind = _ITEM.decode(said.item).get("type")
            return Note(has_content=said.type.endswith("done") or kind not in ("message", "reasoning"))
        if said.type == _CITED:
            return Note(has_content=True)
        response = _ended(said)
        if (trouble := response.trouble) is not None:
            return Note(trouble=trouble)
        note = Note(model=response.model or "")
        if said.type in _ENDS:
            note.done = note.has_content = True
            note.finish_reason = response.ending
            if isinstance(response.usage, dict):
                note.usage_raw, note.usage = response.usage, response.counted
        return note

    def broke(self, status: int, message: str, *, code: str) -> bytes:
        """The event at which its clients raise."""
        return error_event(self._number, status, message, code=code)
