"""What a model answers, in nobody's dialect: whole, or as the events of a stream.

Readers of dialects make these, writers put them into words. Parts of a stream are told apart by `at`, their place in the
answer, counted from 0 as they open; several may be open at once.
"""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from .messages import Citation, Part, Refusal, Signature, Stop, Text, Thinking, ToolCall
from .usage import Usage


class Choice(msgspec.Struct, kw_only=True):
    """One answer. `logprobs` is as OpenAI words it."""

    parts: tuple[Part, ...] = ()
    stop: Stop
    index: int = 0
    logprobs: Any = None


class Completion(msgspec.Struct, kw_only=True):
    """A whole answer. `extra` is what only its dialect says of it, and `leftovers` names everything in it that no other can say."""

    id: str = ""
    model: str = ""
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    usage_raw: dict[str, Any] | None = None
    service_tier: str = ""
    extra: Mapping[str, Any] = {}
    leftovers: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The words of the first answer."""
        return "".join(part.text for part in self.choices[0].parts if isinstance(part, Text)) if self.choices else ""


class Trouble(msgspec.Struct, kw_only=True):
    """What an upstream says went wrong, in its own words. `status` is the HTTP status that it means, 0 where it does not say."""

    message: str
    code: str = ""
    status: int = 0


# -- the events of a stream


class _Event(msgspec.Struct, gc=False):
    pass


class Began(_Event):
    """The answer has begun. Comes first, once."""

    id: str = ""
    model: str = ""


class Opened(_Event):
    """A part has begun: `part` says what it is and holds what is known of it already (a call's id and name)."""

    at: int
    part: Part
    choice: int = 0


class Grew(_Event):
    """More of a part: of a text, a thought or a refusal its words, of a call its arguments."""

    at: int
    text: str
    choice: int = 0
    logprobs: Any = None


class Signed(_Event):
    """A thought's signature. A call's or a text's stands in the part that opens it."""

    at: int
    signature: Signature
    choice: int = 0


class Cited(_Event):
    """What a text rests on."""

    at: int
    citation: Citation
    choice: int = 0


class Closed(_Event):
    """A part is complete."""

    at: int
    choice: int = 0


class Stopped(_Event):
    """An answer is complete. Every part that was opened has been closed before."""

    stop: Stop
    choice: int = 0


class Counted(_Event):
    """What has been used so far: replaces what was counted before. `service_tier` is empty until it is said."""

    usage: Usage | None
    raw: dict[str, Any]
    service_tier: str = ""


class Broke(_Event):
    """The upstream says that it failed. Nothing follows."""

    trouble: Trouble


class Lost(_Event):
    """Something that no other dialect can say; `name` is what is told of it."""

    name: str


StreamEvent: TypeAlias = Began | Opened | Grew | Signed | Cited | Closed | Stopped | Counted | Broke | Lost


def events_of(completion: Completion) -> Iterator[StreamEvent]:
    """The events by which a whole answer would have come: every part in one piece."""
    yield Began(completion.id, completion.model)
    for choice in completion.choices:
        for at, part in enumerate(choice.parts):
            yield from events_of_part(part, at, choice)
        yield Stopped(choice.stop, choice.index)
    for name in completion.leftovers:
        yield Lost(name)
    if completion.usage is not None or completion.usage_raw is not None:
        yield Counted(completion.usage, completion.usage_raw or {}, completion.service_tier)


def events_of_part(part: Part, at: int, choice: Choice) -> Iterator[StreamEvent]:
    """The events of one part, which has the place `at` in its answer."""
    replace = msgspec.structs.replace
    index = choice.index
    match part:
        case Text():
            yield Opened(at, replace(part, text="", citations=()), index)
            if part.text or choice.logprobs:
                yield Grew(at, part.text, index, choice.logprobs)
            for citation in part.citations:
                yield Cited(at, citation, index)
        case Thinking():
            sealed = part.redacted or part.belongs_to_next  # nothing of it grows
            yield Opened(at, part if sealed else replace(part, text="", signature=None), index)
            if part.text:
                yield Grew(at, part.text, index)
            if part.signature is not None and not sealed:
                yield Signed(at, part.signature, index)
        case ToolCall():
            yield Opened(at, replace(part, arguments=""), index)
            if part.arguments:
                yield Grew(at, part.arguments, index)
        case Refusal():
            yield Opened(at, Refusal(text=""), index)
            yield Grew(at, part.text, index)
        case _:
            yield Opened(at, part, index)
    yield Closed(at, index)


class Assembly:
    """Makes a whole answer of a stream's events; what a reader says in pieces is the same as what it says at once."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[int, tuple[Part, list[str]]]] = {}
        self._stops: dict[int, Stop] = {}
        self._completion = Completion(choices=())

    def add(self, event: StreamEvent) -> None:
        """One more event. `Broke` is not for here."""
        replace = msgspec.structs.replace
        whole = self._completion
        match event:
            case Began():
                whole.id, whole.model = event.id, event.model
            case Opened():
                self._parts.setdefault(event.choice, {})[event.at] = (event.part, [])
            case Grew():
                self._parts[event.choice][event.at][1].append(event.text)
            case Signed() | Cited():
                part, pieces = self._parts[event.choice][event.at]
                if isinstance(event, Signed):
                    assert isinstance(part, Thinking)  # noqa: S101 -- readers sign nothing else
                    part = replace(part, signature=event.signature)
                else:
                    assert isinstance(part, Text)  # noqa: S101 -- nor do they cite for anything else
                    part = replace(part, citations=(*part.citations, event.citation))
                self._parts[event.choice][event.at] = (part, pieces)
            case Stopped():
                self._stops[event.choice] = event.stop
            case Counted():
                whole.usage, whole.usage_raw = event.usage, event.raw
                whole.service_tier = event.service_tier or whole.service_tier
            case Lost():
                whole.leftovers += (event.name,)

    def whole(self) -> Completion:
        """The answer so far; what has not ended, ended for a reason that nobody said."""
        indexes = sorted({0, *self._parts, *self._stops})
        self._completion.choices = tuple(
            Choice(
                index=index,
                parts=tuple(_grown(*held) for _, held in sorted(self._parts.get(index, {}).items())),
                stop=self._stops.get(index, Stop(reason="other")),
            )
            for index in indexes
        )
        return self._completion


def _grown(part: Part, pieces: list[str]) -> Part:
    grown = "".join(pieces)
    match part:
        case Text() | Thinking() | Refusal():
            return msgspec.structs.replace(part, text=part.text + grown)
        case ToolCall():
            return msgspec.structs.replace(part, arguments=part.arguments + grown)
        case _:
            return part
