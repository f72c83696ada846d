"""What an application says of a span while it runs: model, usage, session, user, tags, events, links and attributes.

Knows the words and how a provider's counts become ours. Nothing here raises: what cannot be understood is told in the log
once. Knows not how a span begins or ends.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypedDict, Unpack

import msgspec

from flyball.kit.clock import SystemClock
from flyball.llm import usage as counts
from flyball.llm.usage import Usage

from .propagation import Headers, read
from .texts import as_text, caught
from .warning import warn_once

_LONGEST_NAME = 1_000
_MOST = 1_000  # events, links or tags of one span; what comes after them is told once and left out
_clock = SystemClock()


class Words(TypedDict, total=False):
    """What `set` takes.

    Attributes:
        model: the model that was asked; `model_response`: the one that answered.
        provider: who serves it, such as openai.
        usage: tokens, as the provider's client tells them, or by the names of `flyball.llm.usage.Usage`.
        cost_usd: what it cost, where that is known better than by price lists.
        session, user, tags: of the whole trace: on this span and on every one of the trace in this process that ends later.
        prompt, prompt_version: the prompt that was used.
        input, output: in place of the arguments and the result.
        error: it failed, though it does not raise.
        attributes: whatever else, by name.
    """

    name: str
    kind: str
    model: str
    model_response: str
    provider: str
    usage: Any
    cost_usd: float
    session: str
    user: str
    tags: Iterable[str]
    prompt: str
    prompt_version: str
    input: Any
    output: Any
    error: str
    attributes: Mapping[str, Any]


class Shared(Protocol):
    """What all spans of a trace have in common here."""

    session: str
    user: str
    tags: tuple[str, ...]


class Sayable:
    """Something that has words for what happens in it. This one keeps none: it stands where nothing is observed.

    Attributes:
        span_id: its id; empty where nothing is observed.
    """

    __slots__ = ("span_id",)

    def __init__(self) -> None:
        self.span_id = ""

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to; empty where nothing is observed."""
        return ""

    def set(self, **words: Unpack[Words]) -> None:
        """Say what it is about; see `Words`."""

    def event(self, name: str, **attributes: Any) -> None:
        """Something happened now."""

    def link(self, trace_id: str = "", span_id: str = "", *, headers: Headers = (), **attributes: Any) -> None:
        """It has to do with another span: by its ids, or by the headers that it sent."""


NOTHING = Sayable()


class Said:
    """What was said of one span so far: names of the record's fields and their values."""

    __slots__ = ("attributes", "events", "fields", "links")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.attributes: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []


def add_event(said: Said, name: str, attributes: Mapping[str, Any]) -> None:
    """Something happened now."""
    if len(said.events) >= _MOST:
        warn_once(f"a span has more than {_MOST:,} events; the rest is left out", kind="events")
        return
    said.events.append({"time_ns": _clock.now_ns(), "name": _name(name), "attributes": _kept_all(attributes)})


def add_link(said: Said, trace_id: str, span_id: str, headers: Headers, attributes: Mapping[str, Any]) -> None:
    """Another span that it has to do with."""
    if headers:
        carried = read(headers)
        trace_id, span_id = trace_id or carried.trace_id, span_id or carried.span_id
    if len(said.links) >= _MOST or len(trace_id) != 32 or len(span_id) != 16:
        warn_once(f"a link to {trace_id!r:.40}/{span_id!r:.24} is left out: it names no span, or there are too many")
        return
    said.links.append({"trace_id": trace_id, "span_id": span_id, "attributes": _kept_all(attributes)})


def add_words(said: Said, shared: Shared, words: Mapping[str, Any]) -> None:
    """All that is not None."""
    for word, value in words.items():
        if word in _FIELDS and value is not None:
            said.fields[_FIELDS[word]] = _name(value)
        elif word in {"session", "user"} and value:
            setattr(shared, word, _name(value))
        elif word == "tags":
            shared.tags = _with_tags(shared.tags, value or ())
        elif word == "attributes":
            said.attributes |= _kept_all(value or {})
        elif word in _MADE and value is not None:
            said.fields |= _MADE[word](value)
        elif word not in Words.__annotations__:
            warn_once(f"a span has no {word!r}; what it has: {', '.join(Words.__annotations__)}")


_FIELDS = {
    "name": "name",
    "kind": "kind",
    "model": "model_requested",
    "model_response": "model_response",
    "provider": "provider",
    "prompt": "prompt_name",
    "prompt_version": "prompt_version",
}


def _name(value: Any) -> str:
    return as_text(value)[:_LONGEST_NAME]


def _with_tags(tags: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    given = [more] if isinstance(more, str) else more
    return tuple(dict.fromkeys([*tags, *(_name(tag) for tag in given)]))[:_MOST]


def _kept_all(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {_name(name): _kept(value) for name, value in attributes.items()}


def _kept(value: Any) -> Any:
    """A value as it is now; what can change later is written down as JSON."""
    if value is None or type(value) in {str, bool, int, float}:
        return value if type(value) is not int or -(2**63) <= value < 2**64 else str(value)
    kept = caught(value)
    return msgspec.Raw(kept) if isinstance(kept, bytes) else kept


_OURS = frozenset(Usage.__struct_fields__)


def _usage(told: Any) -> dict[str, Any]:
    """Fields of the record for what was used, whoever's words it is told in."""
    dump = getattr(told, "model_dump", None)
    raw = dict(told) if isinstance(told, Mapping) else dump(mode="json") if dump else msgspec.to_builtins(told)
    if not isinstance(raw, dict):
        raise TypeError(f"{raw!r:.100} is no usage")
    if raw.keys() <= _OURS:
        counted = {name: value for name, value in raw.items() if isinstance(value, int) and value >= 0}
        return {"usage": msgspec.convert(counted, Usage)}
    kept = {"usage_raw": msgspec.Raw(msgspec.json.encode(raw))}
    for read_counts, names in _PROVIDERS:
        if raw.keys() & names and (found := read_counts(raw)) is not None:
            return kept | {"usage": found}
    warn_once(f"usage={raw!r:.200} is not understood; it is kept as it is")
    return kept


# The first whose names are there: Responses and Anthropic share two names, and differ in whether the cache is a part.
_PROVIDERS = (
    (counts.usage_from_openai, {"prompt_tokens", "completion_tokens"}),
    (counts.usage_from_anthropic, {"cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"}),
    (counts.usage_from_responses, {"input_tokens_details", "output_tokens_details"}),
    (counts.usage_from_gemini, {"promptTokenCount", "candidatesTokenCount", "totalTokenCount"}),
    (counts.usage_from_bedrock, {"inputTokens", "outputTokens"}),
    (counts.usage_from_responses, {"input_tokens", "output_tokens"}),
)

_MADE: dict[str, Callable[[Any], dict[str, Any]]] = {
    "input": lambda value: {"input": caught(value)},
    "output": lambda value: {"output": caught(value)},
    "error": lambda value: {"error": as_text(value)},
    "cost_usd": lambda value: {"cost_nano_usd": round(value * 1e9)},
    "usage": _usage,
}
