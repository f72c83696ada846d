"""What a caller asks in Anthropic's words, in the vocabulary. Checks what it needs and no more: the vendor checks the rest.

Results of tools stand among a user's blocks and become turns of their own. Blocks that only Anthropic knows stay as they came.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from flyball.llm.arguments import NO_ARGUMENTS
from flyball.llm.dialect import Asked, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, field, wrong
from flyball.llm.media import prove
from flyball.llm.messages import (
    Cache,
    Media,
    Message,
    Native,
    NativeTool,
    Part,
    Reasoning,
    Request,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

from .answers import NAME, citation_of, thought_of

# Fields that this dialect defines and no other can say, and what becomes of them where another is spoken.
LEAVING: Mapping[str, Literal["refuse", "drop"]] = {
    **dict.fromkeys(
        ("container", "mcp_servers", "context_management", "compaction", "thread", "inference_geo"), "refuse"
    ),
    **dict.fromkeys(("diagnostics", "speed", "fallbacks", "fallback_credit_token", "billing_policy"), "drop"),
    **dict.fromkeys(("thinking", "output_config", "user_profile_id", "workspace_id"), "drop"),
}
_READ = frozenset((
    *("model", "messages", "stream", "system", "tools", "tool_choice", "thinking", "output_config", "output_format"),
    *("metadata", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences", "service_tier", "cache_control"),
))  # fmt: skip
_SOURCES = {"base64": "data", "text": "data", "url": "url", "file": "file_id"}
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {"auto": "auto", "any": "required", "none": "none"}


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
    tools = _tools(fields, leftovers)
    choice, parallel = _choice(fields, tools)
    config: dict[str, msgspec.Raw] = field(fields, "output_config", dict[str, msgspec.Raw] | None) or {}
    metadata = Fields(field(fields, "metadata", dict[str, Any] | None) or {}, "metadata")
    cache = field(fields, "cache_control")
    turns = _Turns(fields, leftovers).all()
    return Request(
        dialect=NAME,
        model=asked.model,
        messages=tuple(message for message, _ in turns),
        paths=tuple(path for _, path in turns),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        response_format=_form(fields, config),
        reasoning=_reasoning(fields, config, native),
        max_tokens=field(fields, "max_tokens", int | None),
        temperature=field(fields, "temperature", int | float | None),
        top_p=field(fields, "top_p", int | float | None),
        top_k=field(fields, "top_k", int | None),
        stop=field(fields, "stop_sequences", tuple[str, ...] | None) or (),
        user=metadata.text("user_id"),
        metadata=metadata.left([]) or None,
        service_tier=field(fields, "service_tier", str | None) or "",
        cache=_cache(Fields({"cache_control": cache}, ""), leftovers),
        stream=asked.stream,
        native={**native, "output_config": config} if config else native,
        extra=beside,
        leftovers=tuple(leftovers),
    )


def _cache(block: Fields, leftovers: list[str]) -> Cache | None:
    if not block.has("cache_control") or (point := block.inner("cache_control")) is None:
        return None
    point.any("type")
    cache = Cache(ttl=point.text("ttl"))
    point.left(leftovers)
    return cache


class _Turns:
    """The conversation, the instructions first."""

    def __init__(self, fields: Mapping[str, msgspec.Raw], leftovers: list[str]) -> None:
        self._fields = fields
        self._leftovers = leftovers
        self._inputs: list[_Inputs] | None = None  # decoded where something is called
        self._names: dict[str, str] = {}  # of called tools, by the ids of their calls

    def all(self) -> list[tuple[Message, str]]:
        """The turns, and where each stands."""
        turns: list[tuple[Message, str]] = []
        if (system := field(self._fields, "system")) is not None:
            turns.append((Message(role="system", parts=self._parts(system, "system")), "system"))
        for number, turn in enumerate(field(self._fields, "messages", list[Any])):
            said = Fields(turn, f"messages[{number}]")
            role: Any = said.needed_text("role")
            if role not in ("user", "assistant", "system"):
                message = f"{said.at('role')} is {role!r}; expected user, assistant or system"
                raise InvalidBodyError(message, param=said.at("role"), next_step="send one of these roles")
            parts = self._parts(said.any("content"), said.at("content"), number)
            extra = said.left(self._leftovers)
            results = tuple(part for part in parts if isinstance(part, ToolResult))
            if results:
                turns.append((Message(role="tool", parts=results), said.path))
                parts = tuple(part for part in parts if not isinstance(part, ToolResult))
                if not parts and not extra:
                    continue
            turns.append((Message(role=role, parts=parts, extra=extra), said.path))
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
            citations=tuple(citation_of(one) for one in said.listed("citations") if isinstance(one, dict)),
            cache=_cache(said, self._leftovers),
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
        cache = _cache(said, self._leftovers)
        if said.has("caller") and (caller := said.any("caller")) != {"type": "direct"}:
            self._leftovers.append(said.at("caller"))
            return ToolCall(id=id_, name=name, arguments=bytes(raw).decode(), cache=cache, extra={"caller": caller})
        return ToolCall(id=id_, name=name, arguments=bytes(raw).decode(), cache=cache, extra=said.left(self._leftovers))

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
            cache=_cache(said, self._leftovers),
            extra=said.left(self._leftovers),
        )

    def _found(self, said: Fields, block: Any) -> Media:
        """A search result: a document of text to everybody else, and as it came to Anthropic."""
        found = Message(role="user", parts=self._parts(said.any("content"), said.at("content")))
        self._leftovers.append(said.at("source"))
        return Media(
            kind="document",
            media_type="text/plain",
            text=found.text,
            name=said.text("title"),
            cite=_cites(said),
            cache=_cache(said, self._leftovers),
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
            cite=_cites(said),
            cache=_cache(said, self._leftovers),
            extra={**own, **said.left(self._leftovers)},
        )
        source.left(self._leftovers)
        return media


def _cites(said: Fields) -> bool | None:
    cites = said.inner("citations")
    return cites.flag("enabled") if cites is not None else None


def _tools(fields: Mapping[str, msgspec.Raw], leftovers: list[str]) -> tuple[Tool | NativeTool, ...]:
    tools: list[Tool | NativeTool] = []
    names: set[str] = set()
    for number, raw in enumerate(field(fields, "tools", list[dict[str, msgspec.Raw]] | None) or ()):
        path = f"tools[{number}]"
        schema = raw.pop("input_schema", None)
        said = Fields({name: msgspec.json.decode(value) for name, value in raw.items()}, path)
        kind = said.text("type")
        if kind not in ("", "custom"):
            # The provider's own tool, whole; `input_schema` is no part of any of these.
            tools.append(NativeTool(dialect=NAME, kind=kind, raw=raw))
            continue
        name = said.needed_text("name")
        if schema is None or not bytes(schema).startswith(b"{"):
            raise wrong(said.at("input_schema"), "an object", None if schema is None else msgspec.json.decode(schema))
        if name in names:
            raise InvalidBodyError(f"{said.at('name')} is {name!r}, as another tool's is", param=said.at("name"))
        names.add(name)
        description, strict, cache = said.text("description"), said.flag("strict"), _cache(said, leftovers)
        own = said.left(leftovers)
        tools.append(Tool(name=name, description=description, parameters=schema, strict=strict, cache=cache, extra=own))
    return tuple(tools)


def _choice(
    fields: Mapping[str, msgspec.Raw], tools: tuple[Tool | NativeTool, ...]
) -> tuple[ToolChoice | None, bool | None]:
    if (choice := field(fields, "tool_choice")) is None:
        return None, None
    said = Fields(choice, "tool_choice")
    kind, one_by_one = said.needed_text("type"), said.flag("disable_parallel_tool_use")
    parallel = None if one_by_one is None else not one_by_one
    if kind == "tool":
        name = said.needed_text("name")
        known = {tool.name for tool in tools if isinstance(tool, Tool)}
        if name not in known and not any(isinstance(tool, NativeTool) for tool in tools):
            raise InvalidBodyError(f"tool_choice.name is {name!r}, which is no tool's name", param="tool_choice.name")
        return ToolChoice(mode="required", tools=(name,)), parallel
    if kind not in _MODES:
        raise wrong("tool_choice.type", "auto, any, tool or none", kind)
    return ToolChoice(mode=_MODES[kind]), parallel


def _form(fields: Mapping[str, msgspec.Raw], config: dict[str, msgspec.Raw]) -> ResponseFormat | None:
    """The form of the answer; what is taken from `config` is taken out of it."""
    if "format" in config:
        path, form = "output_config.format", field(config, "format", dict[str, msgspec.Raw] | None)
        config.pop("format")
    else:
        path, form = "output_format", field(fields, "output_format", dict[str, msgspec.Raw] | None)
    if form is None:
        return None
    schema = form.get("schema", msgspec.Raw(b"null"))
    if field(form, "type", Any) != "json_schema" or not bytes(schema).startswith(b"{"):
        raise InvalidBodyError(f"{path} is no json_schema with a schema", param=path, next_step="send both")
    return ResponseFormat(kind="schema", schema=schema)


def _reasoning(
    fields: Mapping[str, msgspec.Raw], config: dict[str, msgspec.Raw], native: dict[str, Any]
) -> Reasoning | None:
    """How much to think; what is taken from `config` is taken out of it."""
    effort = field(config, "effort", str | None) or ""
    config.pop("effort", None)
    thinking = field(fields, "thinking")
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    said = Fields(thinking, "thinking")
    kind, show = said.needed_text("type"), said.text("display")
    show = {"omitted": "none", "summarized": "auto"}.get(show, show)
    match kind:
        case "enabled":
            if (budget := said.integer("budget_tokens")) is None:
                raise wrong("thinking.budget_tokens", "a whole number", None)
            return Reasoning(effort=effort, budget=budget, show=show)
        case "adaptive":
            return Reasoning(effort=effort, adaptive=True, show=show)
        case "disabled":
            return Reasoning(effort=effort, budget=0)
    native["thinking"] = fields["thinking"]
    return Reasoning(effort=effort) if effort else None
