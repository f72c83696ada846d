"""Arbitrary requests and answers in the vocabulary, for the tests of every dialect: `from vocabulary import Holds, requests`.

Found because `pythonpath` in pyproject.toml has this folder. `Holds` says what a dialect can hold, so that what is drawn can
be written and read back the same. Conversations are sound: calls are answered, turns alternate, the user's is the first.
"""

import string
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from flyball.llm.completions import Choice, Completion
from flyball.llm.messages import (
    Cache,
    Citation,
    Media,
    Message,
    Reasoning,
    Refusal,
    Request,
    ResponseFormat,
    Signature,
    Stop,
    StopReason,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from flyball.llm.usage import Usage

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJSVFT0YK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
_BY_VALUE = {
    "image": ("image/png", PNG),
    "document": ("application/pdf", PDF),
    "audio": ("audio/wav", WAV),
    "video": ("video/mp4", "AAAAGGZ0eXBtcDQy"),
}


class Holds(NamedTuple):
    """What a dialect can say of the vocabulary, and say the same again when it is read back."""

    dialect: str
    origin: str = ""  # whose signatures its thoughts carry
    thoughts: bool = True
    thoughts_without_signature: bool = False
    redacted: bool = False
    signed_calls: bool = False
    media: tuple[tuple[str, str], ...] = ()  # kind and source: ("image", "data"), ("document", "url"), ...
    result_media: tuple[tuple[str, str], ...] = ()  # the same in results of tools
    several_texts: bool = True  # in one turn, side by side
    several_systems: bool = False  # messages with instructions
    developer: bool = False
    caches: tuple[str, ...] = ()  # ttls of cache points; empty: it has none
    citations: st.SearchStrategy[Citation] | None = None  # of answers
    errors: tuple[bool | None, ...] = (None,)  # what results say in `is_error`
    named_results: bool = False  # its results say which tool answered, or its parser looks it up
    call_ids: st.SearchStrategy[str] = st.from_regex(r"\Acall_[a-zA-Z0-9]{4,12}\Z")
    strict_tools: tuple[bool | None, ...] = (None, True, False)
    choices: tuple[str, ...] = ("auto", "none", "required", "one")
    formats: tuple[str, ...] = ("schema",)  # of json, schema
    format_names: bool = False  # its schemas for answers have names
    reasoning: st.SearchStrategy[Reasoning] = st.just(Reasoning(effort="high"))
    fields: Mapping[str, st.SearchStrategy[Any]] = MappingProxyType({})  # further fields of Request that it has
    refusals: bool = False  # as parts of answers
    reasons: tuple[StopReason, ...] = ("stop", "max_tokens")  # besides tool_calls
    usage: st.SearchStrategy[Usage] = st.builds(
        Usage, input_tokens=st.integers(1, 10**6), output_tokens=st.integers(1, 10**6)
    )


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=30
).filter(lambda text: text == text.strip() and bool(text))  # fmt: skip
NAMES = st.text(string.ascii_lowercase + "_", min_size=1, max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(NAMES, _VALUES, max_size=3).map(lambda value: msgspec.json.encode(value).decode())
SCHEMAS = st.dictionaries(NAMES, st.sampled_from(["string", "integer", "boolean"]), min_size=1, max_size=3).map(
    lambda properties: msgspec.Raw(
        msgspec.json.encode(
            {
                "type": "object",
                "properties": {name: {"type": type_} for name, type_ in properties.items()},
                "required": list(properties),
                "additionalProperties": False,
            }
        )
    )
)


def caches(holds: Holds) -> st.SearchStrategy[Cache | None]:
    """A cache point, mostly none."""
    if not holds.caches:
        return st.none()
    return st.none() | st.sampled_from([Cache(ttl=ttl) for ttl in holds.caches])


def texts(holds: Holds) -> st.SearchStrategy[Text]:
    """What a user or the system says."""
    return st.builds(Text, text=WORDS, cache=caches(holds))


def media(kinds: tuple[tuple[str, str], ...]) -> st.SearchStrategy[Media]:
    """Media by value, by address or by file, of these kinds."""
    made = {
        "data": lambda kind: Media(kind=kind, media_type=_BY_VALUE[kind][0], data=_BY_VALUE[kind][1]),
        "text": lambda kind: Media(kind=kind, media_type="text/plain", text="some words"),
        "url": lambda kind: Media(kind=kind, url=f"https://example.org/{kind}"),
        "file": lambda kind: Media(kind=kind, file_id="file_011"),
    }
    return st.sampled_from([made[source](kind) for kind, source in kinds])


def thoughts(holds: Holds) -> st.SearchStrategy[Thinking]:
    """Thoughts that are this dialect's own."""
    signatures = st.text(string.ascii_letters + string.digits, min_size=8, max_size=24).map(
        lambda data: Signature(data=data + "==", origin=holds.origin)
    )
    signed = st.builds(Thinking, text=WORDS, signature=signatures)
    if holds.redacted:
        signed |= st.builds(Thinking, signature=signatures, redacted=st.just(True))
    return signed | st.builds(Thinking, text=WORDS) if holds.thoughts_without_signature else signed


def calls(
    holds: Holds, names: st.SearchStrategy[str] = NAMES, known: frozenset[str] = frozenset()
) -> st.SearchStrategy[list[ToolCall]]:
    """Several calls of tools, each with its own id, which is none of those that are `known`."""
    ids = holds.call_ids.filter(lambda id_: id_ not in known)
    call = st.builds(ToolCall, id=ids, name=names, arguments=ARGUMENTS)
    return st.lists(call, min_size=1, max_size=3, unique_by=lambda one: one.id)


@st.composite
def results(draw: st.DrawFn, holds: Holds, asked: list[ToolCall]) -> tuple[ToolResult, ...]:
    """The answers to these calls, in their order."""
    said: st.SearchStrategy[Any] = st.builds(Text, text=WORDS)
    several = st.lists(said, min_size=1, max_size=1)
    if holds.result_media:
        several |= st.tuples(said, media(holds.result_media)).map(list)
    return tuple(
        ToolResult(
            call_id=call.id,
            name=call.name if holds.named_results else "",
            parts=tuple(draw(several)),
            is_error=draw(st.sampled_from(holds.errors)),
            cache=draw(caches(holds)),
        )
        for call in asked
    )


@st.composite
def messages(draw: st.DrawFn, holds: Holds, tools: tuple[str, ...] = ()) -> tuple[Message, ...]:
    """A sound conversation. At most four cache points stand in it."""
    turns: list[Message] = []
    most = 2 if holds.several_texts else 1
    instructions = st.lists(texts(holds), min_size=1, max_size=most).map(tuple)
    roles = ["system", "developer"] if holds.developer else ["system"]
    systems = range(draw(st.integers(0, 2 if holds.several_systems else 1)))
    turns += [Message(role=draw(st.sampled_from(roles)), parts=draw(instructions)) for _ in systems]
    known: set[str] = set()  # ids of calls
    asking = st.lists(texts(holds), min_size=1, max_size=most)
    if holds.media:
        asking |= st.tuples(texts(holds), media(holds.media)).map(list)
    for _ in range(draw(st.integers(0, 2))):
        turns.append(Message(role="user", parts=tuple(draw(asking))))
        parts: list[Any] = [draw(thoughts(holds))] if holds.thoughts and draw(st.booleans()) else []
        asked = draw(calls(holds, st.sampled_from(tools), frozenset(known))) if tools and draw(st.booleans()) else []
        known.update(call.id for call in asked)
        if not asked or draw(st.booleans()):
            parts.append(Text(text=draw(WORDS)))
        turns.append(Message(role="assistant", parts=(*parts, *asked)))
        if asked:
            turns.append(Message(role="tool", parts=draw(results(holds, asked))))
            turns.append(Message(role="assistant", parts=(Text(text=draw(WORDS)),)))
    turns.append(Message(role="user", parts=tuple(draw(asking))))
    return _with_few_caches(turns)


def _with_few_caches(turns: list[Message]) -> tuple[Message, ...]:
    left, few = 4, []
    for turn in turns:
        parts = []
        for part in turn.parts:
            if getattr(part, "cache", None) is not None:
                part = part if left > 0 else msgspec.structs.replace(part, cache=None)  # noqa: PLW2901 -- the same part
                left -= 1
            parts.append(part)
        few.append(msgspec.structs.replace(turn, parts=tuple(parts)))
    return tuple(few)


@st.composite
def requests(draw: st.DrawFn, holds: Holds) -> Request:
    """A sound request that the dialect can hold."""
    names = tuple(draw(st.lists(NAMES, max_size=3, unique=True)))
    tools = tuple(
        Tool(
            name=name,
            description=draw(st.just("") | WORDS),
            parameters=draw(SCHEMAS),
            strict=draw(st.sampled_from(holds.strict_tools)),
        )
        for name in names
    )
    choice = draw(st.none() | st.sampled_from(holds.choices)) if names else None
    named = (draw(st.sampled_from(names)),) if choice == "one" else ()
    format_ = draw(st.none() | st.sampled_from(holds.formats)) if holds.formats else None
    schema = draw(SCHEMAS) if format_ == "schema" else None
    return Request(
        dialect=holds.dialect,
        model="m",
        messages=draw(messages(holds, names)),
        tools=tools,
        tool_choice=ToolChoice(mode="required" if named else choice, tools=named) if choice else None,
        response_format=ResponseFormat(
            kind=format_, schema=schema, name=draw(NAMES) if schema is not None and holds.format_names else ""
        )
        if format_
        else None,
        reasoning=draw(st.none() | holds.reasoning) if choice not in ("required", "one") else None,
        max_tokens=100_000,
        **{name: draw(st.none() | values) for name, values in holds.fields.items()} if holds.fields else {},
    )


@st.composite
def completions(draw: st.DrawFn, holds: Holds) -> Completion:
    """An answer that the dialect can hold: thoughts, then words, then calls; or a refusal."""
    parts: list[Any] = []
    reason: StopReason = draw(st.sampled_from(holds.reasons))
    if holds.refusals and draw(st.integers(0, 5)) == 0:
        parts.append(Refusal(text=draw(WORDS)))
    else:
        if holds.thoughts and draw(st.booleans()):
            parts.append(draw(thoughts(holds)))
        cited = draw(st.lists(holds.citations, max_size=2)) if holds.citations is not None else []
        asked = draw(st.just([]) | calls(holds))
        if not asked or draw(st.booleans()):
            parts.append(Text(text=draw(WORDS), citations=tuple(cited)))
        if asked:
            parts += asked
            reason = "tool_calls"
    choice = Choice(parts=tuple(parts), stop=Stop(reason=reason))
    return Completion(id="x1", model="m", choices=(choice,), usage=draw(holds.usage))
