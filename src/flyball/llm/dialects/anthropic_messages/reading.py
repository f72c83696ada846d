"""What a caller asks in Anthropic's words, in the vocabulary. Checks what it needs and no more: the vendor checks the rest.

Results of tools stand among a user's blocks and become turns of their own. Blocks that only Anthropic knows stay as they came.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from flyball.llm.arguments import NO_ARGUMENTS
from flyball.llm.dialect import Asked, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, field, missing, wrong
from flyball.llm.media import prove
from flyball.llm.messages import (
    Citation,
    Media,
    Message,
    Native,
    Part,
    Request,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)

from .answers import NAME, citation_of, thought_of
from .wishes import cache_of, choice_of, form_of, reasoning_of, tools_of

# Fields that this dialect defines and no other can say, and what becomes of them where another is spoken.
LEAVING: Mapping[str, Literal["refuse", "drop"]] = {
    **dict.fromkeys(
        ("container", "mcp_servers", "context_management", "compaction", "thread", "inference_geo"), "refuse"
    ),
    **dict.fromkeys(("diagnostics", "speed", "fallbacks", "fallback_credit_token", "billing_policy"), "drop"),
    **dict.fromkeys(
        ("thinking", "output_config", "output_format", "tool_choice", "user_profile_id", "workspace_id"), "drop"
    ),
}
_READ = frozenset((
    *("model", "messages", "stream", "system", "tools", "tool_choice", "thinking", "output_config", "output_format"),
    *("metadata", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "service_tier", "cache_control"),
))  # fmt: skip
_SOURCES = {"base64": "data", "text": "data", "url": "url", "file": "file_id"}


class _Inputs(msgspec.Struct):
    """The inputs of a turn's calls, as the bytes that they came in."""

    class Block(msgspec.Struct):
        input: msgspec.Raw = NO_ARGUMENTS

    content: str | list[Block] | None = None


def parse(asked: Asked) -> Request:
    """A request. Raises InvalidBodyError, naming the field."""
    fields = without_ours(asked.fields)
    leftovers: list[str] = []
    beside = {name: value for name, value in fields.items() if name not in _READ}
    native: dict[str, Any] = {name: beside.pop(name) for name in LEAVING if name in beside}
    tools = tools_of(fields, leftovers)
    choice, parallel = choice_of(fields, tools, native)
    config: dict[str, msgspec.Raw] = field(fields, "output_config", dict[str, msgspec.Raw] | None) or {}
    metadata = Fields(field(fields, "metadata", dict[str, Any] | None) or {}, "metadata")
    cache = field(fields, "cache_control")
    turns = _Turns(fields, leftovers).all()
    form, reasoning = form_of(fields, config, native), reasoning_of(fields, config, native)
    native |= {f"output_config.{name}": value for name, value in config.items()}
    return Request(
        dialect=NAME,
        model=asked.model,
        messages=tuple([turn.message for turn in turns]),
        paths=tuple([turn.path for turn in turns]),
        places=tuple([turn.places for turn in turns]),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=form,
        reasoning=reasoning,
        max_tokens=field(fields, "max_tokens", int | None),
        temperature=field(fields, "temperature", int | float | None),
        top_p=field(fields, "top_p", int | float | None),
        top_k=field(fields, "top_k", int | None),
        stop=field(fields, "stop_sequences", tuple[str, ...] | None) or (),
        user=metadata.text("user_id"),
        metadata=metadata.left([]) or None,
        service_tier=field(fields, "service_tier", str | None) or "",
        cache=cache_of(Fields({"cache_control": cache}, ""), leftovers),
        stream=asked.stream,
        native=native,
        extra=beside,
        leftovers=tuple(leftovers),
    )


class _Turn(NamedTuple):
    """A turn, where it stands, and where its parts do if that is not its list of blocks."""

    message: Message
    path: str
    places: tuple[str, ...] = ()


class _Turns:
    """The conversation, the instructions first."""

    def __init__(self, fields: Mapping[str, msgspec.Raw], leftovers: list[str]) -> None:
        self._fields = fields
        self._leftovers = leftovers
        self._inputs: list[_Inputs] | None = None  # decoded where something is called
        self._names: dict[str, str] = {}  # of called tools, by the ids of their calls

    def all(self) -> list[_Turn]:
        """The turns."""
        turns: list[_Turn] = []
        if (system := field(self._fields, "system")) is not None:
            parts = self._parts(system, "system")
            places = tuple(f"system[{at}]" for at in range(len(parts))) if isinstance(system, list) else ("system",)
            turns.append(_Turn(Message(role="system", parts=parts), "system", places))
        messages = field(self._fields, "messages", list[Any])
        if not messages:
            raise missing("messages", "a turn of the user's")
        for number, turn in enumerate(messages):
            said = Fields(turn, f"messages[{number}]")
            role: Any = said.needed_text("role")
            if role not in ("user", "assistant", "system"):
                message = f"{said.at('role')} is {role!r}; expected user, assistant or system"
                raise InvalidBodyError(message, param=said.at("role"), next_step="send one of these roles")
            parts = self._parts(said.any("content"), said.at("content"), number)
            extra = said.left(self._leftovers)
            if any(isinstance(part, ToolResult) for part in parts):
                turns += _apart(role, parts, extra, said.path)
            else:
                turns.append(_Turn(Message(role=role, parts=parts, extra=extra), said.path))
        return turns

    def _parts(self, content: Any, path: str, turn: int = -1) -> tuple[Part, ...]:
        if type(content) is str:
            return (Text(text=content),)
        if type(content) is not list:
            raise wrong(path, "a string or a list of blocks", content)
        return tuple(self._part(block, f"{path}[{at}]", turn, at) for at, block in enumerate(content))

    def _part(self, block: Any, path: str, turn: int, at: int) -> Part:  # noqa: PLR0911 -- one for each kind
        kind = block.get("type") if type(block) is dict else None
        if kind == "text" and len(block) == 2 and type(text := block.get("text")) is str:
            return Text(text=text)
        said = Fields(dict(block) if type(block) is dict else block, path)
        kind = said.needed_text("type")
        match kind:
            case "text":
                return self._text(said)
            case "tool_use":
                return self._call(said, turn, at)
            case "tool_result":
                return self._result(said)
            case "image" | "document":
                return self._media(said, kind, block)
            case "search_result":
                return self._found(said, block)
            case "thinking" | "redacted_thinking":
                return self._thought(said, kind)
        return Native(dialect=NAME, kind=str(kind), raw=block)

    def _thought(self, said: Fields, kind: str) -> Thinking:
        redacted = kind == "redacted_thinking"
        words, data = "" if redacted else said.needed_text("thinking"), said.text("data" if redacted else "signature")
        return thought_of(words, data, redacted=redacted, extra=said.left(self._leftovers))

    def _text(self, said: Fields) -> Text:
        return Text(
            text=said.needed_text("text"),
            citations=tuple(_citations(said)),
            cache=cache_of(said, self._leftovers),
            extra=said.left(self._leftovers),
        )

    def _call(self, said: Fields, turn: int, at: int) -> ToolCall:
        id_, name = said.needed_text("id"), said.needed_text("name")
        if not isinstance(given := said.any("input"), dict | None):
            raise wrong(said.at("input"), "an object", given)
        if self._inputs is None:
            self._inputs = field(self._fields, "messages", list[_Inputs])
        content = self._inputs[turn].content if turn >= 0 else None
        raw = content[at].input if isinstance(content, list) and given is not None else NO_ARGUMENTS
        self._names[id_] = name
        cache = cache_of(said, self._leftovers)
        caller = said.any("caller")
        own = {} if caller in (None, {"type": "direct"}) else {"caller": caller}
        self._leftovers += [said.at(field_) for field_ in own]
        own |= said.left(self._leftovers)
        return ToolCall(id=id_, name=name, arguments=bytes(raw).decode(), cache=cache, extra=own)

    def _result(self, said: Fields) -> ToolResult:
        content, path = said.any("content"), said.at("content")
        parts = () if content is None else self._parts(content, path)
        for number, part in enumerate(parts):
            if not isinstance(part, Text | Media | Native):
                raise wrong(f"{path}[{number}]", "a text, an image or a document", content[number])
        call = said.needed_text("tool_use_id")
        return ToolResult(
            call_id=call,
            parts=parts,  # type: ignore[arg-type]  # just proven
            name=self._names.get(call, ""),
            is_error=said.flag("is_error"),
            cache=cache_of(said, self._leftovers),
            extra=said.left(self._leftovers),
        )

    def _found(self, said: Fields, block: Any) -> Media:
        """A search result: a document of text to everybody else, and as it came to Anthropic."""
        found = Message(role="user", parts=self._parts(said.any("content"), said.at("content")))
        title, cite, cache = said.text("title"), _cites(said, self._leftovers), cache_of(said, self._leftovers)
        said.left(self._leftovers)
        return Media(
            kind="document",
            media_type="text/plain",
            text=found.text,
            name=title,
            cite=cite,
            cache=cache,
            extra={"block": {name: value for name, value in block.items() if name != "cache_control"}},
        )

    def _media(self, said: Fields, kind: Literal["image", "document"], block: Any) -> Media | Native:
        source = said.inner("source")
        if source is None:
            raise wrong(said.at("source"), "an object", None)
        by, text, own = source.text("type"), "", {}
        if by == "content":
            content, path = source.any("content"), source.at("content")
            parts = self._parts(content, path)
            if not all(isinstance(part, Text) for part in parts):
                return Native(dialect=NAME, kind=kind, raw=block)
            own = {"source": block["source"]}
            self._leftovers += [path] if isinstance(content, list) and len(content) > 1 else []
            text = Message(role="user", parts=parts).text
        elif by not in _SOURCES:
            return Native(dialect=NAME, kind=kind, raw=block)
        found = source.needed_text(_SOURCES[by]) if by in _SOURCES else ""
        media_type = source.text("media_type", "text/plain" if by == "content" else "")
        media = Media(
            kind=kind,
            media_type=media_type,
            data=prove(media_type, found, source.at("data")) if by == "base64" else "",
            text=found if by == "text" else text,
            url=found if by == "url" else "",
            file_id=found if by == "file" else "",
            name=said.text("title"),
            context=said.text("context"),
            cite=_cites(said, self._leftovers),
            cache=cache_of(said, self._leftovers),
            extra={**own, **said.left(self._leftovers)},
        )
        source.left(self._leftovers)
        return media


def _apart(role: Any, parts: tuple[Part, ...], extra: dict[str, Any], path: str) -> Iterator[_Turn]:
    """A turn with results in it: they first, by themselves."""
    placed = [(part, f"{path}.content[{at}]") for at, part in enumerate(parts)]
    results = [(part, place) for part, place in placed if isinstance(part, ToolResult)]
    others = [(part, place) for part, place in placed if not isinstance(part, ToolResult)]
    yield _Turn(Message(role="tool", parts=tuple(part for part, _ in results)), path, tuple(at for _, at in results))
    if others or extra:
        said = Message(role=role, parts=tuple(part for part, _ in others), extra=extra)
        yield _Turn(said, path, tuple(at for _, at in others))


def _citations(said: Fields) -> Iterator[Citation]:
    path = said.at("citations")
    for at, one in enumerate(said.listed("citations")):
        if type(one) is not dict:
            raise wrong(f"{path}[{at}]", "an object", one)
        yield citation_of(one)


def _cites(said: Fields, leftovers: list[str]) -> bool | None:
    if (cites := said.inner("citations")) is None:
        return None
    enabled = cites.flag("enabled")
    cites.left(leftovers)
    return enabled
