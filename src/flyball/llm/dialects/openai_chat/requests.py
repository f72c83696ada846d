"""What a chat request asks, in the vocabulary. Knows OpenAI's fields, and what OpenRouter and LiteLLM add to messages."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from flyball.llm.arguments import to_text
from flyball.llm.dialect import Asked, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, field, wrong
from flyball.llm.media import prove, split_data_url
from flyball.llm.messages import (
    Cache,
    Media,
    Message,
    Native,
    NativeTool,
    Part,
    Reasoning,
    Refusal,
    Request,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

from .asking import NAME
from .thoughts import Detail, thoughts_of

LEAVING: Mapping[str, Literal["refuse", "drop"]] = {
    "audio": "refuse",
    "logit_bias": "drop",
    "moderation": "refuse",
    "prediction": "drop",
    "prompt_cache_key": "drop",
    "prompt_cache_options": "drop",
    "prompt_cache_retention": "drop",
    "response_format": "refuse",  # of a kind that is not OpenAI's own
    "safety_identifier": "drop",  # where `user` is another
    "stream_options": "drop",
    "web_search_options": "refuse",
}
NAMES = {"candidates": "n", "reasoning": "reasoning_effort"}
_NUMBER = int | float | None
# A field, its name in the vocabulary, its type: everything whose value is the same in both.
_SAME: dict[str, tuple[str, Any]] = {
    "frequency_penalty": ("frequency_penalty", _NUMBER),
    "logprobs": ("logprobs", bool | None),
    "metadata": ("metadata", dict[str, Any] | None),
    "modalities": ("modalities", tuple[str, ...] | None),
    "n": ("candidates", int | None),
    "parallel_tool_calls": ("parallel_tool_calls", bool | None),
    "presence_penalty": ("presence_penalty", _NUMBER),
    "seed": ("seed", int | None),
    "service_tier": ("service_tier", str | None),
    "store": ("store", bool | None),
    "temperature": ("temperature", _NUMBER),
    "top_k": ("top_k", int | None),
    "top_logprobs": ("top_logprobs", int | None),
    "top_p": ("top_p", _NUMBER),
    "user": ("user", str | None),
    "verbosity": ("verbosity", str | None),
}
_TAKEN = frozenset(
    [
        "model",
        "messages",
        "stream",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "response_format",
        "reasoning_effort",
        "reasoning",
        "stream_options",
        "safety_identifier",
    ]
)
_AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_DETAILS = list[Detail]


def parse_request(asked: Asked) -> Request:
    """What is asked. Raises InvalidBodyError, naming the field."""
    fields = without_ours(asked.fields)
    left: list[str] = []
    said: dict[str, Any] = {}
    native: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, raw in fields.items():
        if bytes(raw) == b"null":
            continue
        if (same := _SAME.get(name)) is not None:
            said[same[0]] = field(fields, name, same[1])
        elif name not in _TAKEN:
            (native if name in LEAVING else extra)[name] = raw
    _take_user(fields, said, native)
    if options := field(fields, "stream_options", dict[str, Any] | None):
        options.pop("include_usage", None)
        if options:
            native["stream_options"] = options
    tools = _tools(fields, left)
    return Request(
        dialect=NAME,
        model=asked.model,
        messages=_messages(field(fields, "messages", list[Any]), left),
        tools=tools,
        tool_choice=_tool_choice(fields, {tool.name for tool in tools if isinstance(tool, Tool)}),
        response_format=_response_format(fields, native, left),
        reasoning=_reasoning(fields, extra, left),
        max_tokens=_max_tokens(fields),
        stop=_stop(field(fields, "stop", str | tuple[str, ...] | None)),
        stream=asked.stream,
        native=native,
        extra=extra,
        leftovers=tuple(left),
        **said,
    )


def _take_user(fields: Mapping[str, msgspec.Raw], said: dict[str, Any], native: dict[str, Any]) -> None:
    identifier = field(fields, "safety_identifier", str | None)
    if identifier and said.setdefault("user", identifier) != identifier:
        native["safety_identifier"] = identifier


def _max_tokens(fields: Mapping[str, msgspec.Raw]) -> int | None:
    old, new = field(fields, "max_tokens", int | None), field(fields, "max_completion_tokens", int | None)
    if old is not None and new is not None and old != new:
        raise InvalidBodyError(
            f"max_tokens is {old} and max_completion_tokens is {new}",
            param="max_tokens",
            next_step="send one of the two",
        )
    limit: int | None = old if new is None else new
    return limit


def _stop(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()


def _reasoning(fields: Mapping[str, msgspec.Raw], extra: dict[str, Any], left: list[str]) -> Reasoning | None:
    effort = field(fields, "reasoning_effort", str | None) or ""
    value = field(fields, "reasoning") if "reasoning" in fields else None
    if value is None:
        return Reasoning(effort=effort) if effort else None
    if not isinstance(value, dict):
        extra["reasoning"] = fields["reasoning"]
        return Reasoning(effort=effort) if effort else None
    said = Fields(value, "reasoning")
    effort, budget = said.text("effort") or effort, said.integer("max_tokens")
    enabled, excluded, show = said.flag("enabled"), said.flag("exclude"), said.text("summary")
    said.left(left)
    if not effort and budget is None and enabled is not None:
        effort = "medium" if enabled else "none"
    return Reasoning(effort=effort, budget=budget, show="none" if excluded else show)


def _response_format(
    fields: Mapping[str, msgspec.Raw], native: dict[str, Any], left: list[str]
) -> ResponseFormat | None:
    raw: dict[str, msgspec.Raw] | None = field(fields, "response_format", dict[str, msgspec.Raw] | None)
    if not raw:
        return None
    kind = _inner(raw, "type", "response_format", str)
    if kind == "text":
        return None
    if kind == "json_object":
        return ResponseFormat(kind="json")
    if kind != "json_schema":
        native["response_format"] = fields["response_format"]
        return None
    inner: dict[str, msgspec.Raw] = _inner(raw, "json_schema", "response_format", dict[str, msgspec.Raw])
    schema = _raw(inner.pop("schema", None))
    said = _decoded(inner, "response_format.json_schema")
    found = ResponseFormat(
        kind="schema",
        schema=schema,
        name=said.text("name"),
        description=said.text("description"),
        strict=said.flag("strict"),
    )
    said.left(left)
    return found


# -- tools


def _tools(fields: Mapping[str, msgspec.Raw], left: list[str]) -> tuple[Tool | NativeTool, ...]:
    kind = list[dict[str, msgspec.Raw]] | None
    tools = [_tool(raw, f"tools[{at}]", left) for at, raw in enumerate(field(fields, "tools", kind) or ())]
    for at, raw in enumerate(field(fields, "functions", kind) or ()):
        tools.append(_function(raw, f"functions[{at}]", left))
    names: set[str] = set()
    for at, tool in enumerate(tools):
        if isinstance(tool, Tool):
            if tool.name in names:
                raise InvalidBodyError(f"two tools are called {tool.name!r}", param=f"tools[{at}]")
            names.add(tool.name)
    return tuple(tools)


def _tool(raw: dict[str, msgspec.Raw], path: str, left: list[str]) -> Tool | NativeTool:
    kind = _inner(raw, "type", path, str) if "type" in raw else "function"
    if kind not in ("function", "custom"):
        return NativeTool(dialect=NAME, kind=kind, raw=msgspec.Raw(msgspec.json.encode(raw)))
    inner: dict[str, msgspec.Raw] = _inner(raw, kind, path, dict[str, msgspec.Raw])
    rest = {name: value for name, value in raw.items() if name not in ("type", kind)}
    outer = _decoded(rest, path) if rest else None
    cache = _cache(outer) if outer else None
    if kind == "function":
        return _function(inner, f"{path}.function", left, cache, outer.left(left) if outer else {})
    said = _decoded(inner, f"{path}.custom")
    return Tool(
        name=said.needed_text("name"),
        description=said.text("description"),
        custom=True,
        grammar=said.any("format"),
        cache=cache,
        extra={**(outer.left(left) if outer else {}), **said.left(left)},
    )


def _function(
    raw: dict[str, msgspec.Raw], path: str, left: list[str], cache: Cache | None = None, extra: Mapping[str, Any] = {}
) -> Tool:
    parameters = _raw(raw.pop("parameters", None))
    said = _decoded(raw, path)
    return Tool(
        name=said.needed_text("name"),
        description=said.text("description"),
        parameters=parameters,
        strict=said.flag("strict"),
        cache=cache or _cache(said),
        extra={**extra, **said.left(left)},
    )


def _tool_choice(fields: Mapping[str, msgspec.Raw], names: set[str]) -> ToolChoice | None:
    name = "tool_choice" if "tool_choice" in fields else "function_call"
    value = field(fields, name)
    if value is None:
        return None
    if isinstance(value, str):
        mode = {"any": "required"}.get(value, value)
        if mode not in ("auto", "none", "required"):
            raise InvalidBodyError(f"{name} is {value!r}", param=name, next_step='send "auto", "none" or "required"')
        return ToolChoice(mode=mode)  # type: ignore[arg-type] # it has just been checked
    said = Fields(value, name)
    kind = said.text("type", "function")
    chosen = said.inner(kind) if name == "tool_choice" else said
    if chosen is None or kind not in ("function", "custom", "allowed_tools"):
        raise InvalidBodyError(
            f"{name} names no tool", param=name, next_step='send {"type": "function", "function": {"name": …}}'
        )
    if kind != "allowed_tools":
        choice = ToolChoice(mode="required", tools=(chosen.needed_text("name"),))
    else:
        mode = chosen.text("mode", "auto")
        tools = tuple(
            (one.inner(one.text("type", "function")) or one).needed_text("name") for one in chosen.each("tools")
        )
        choice = ToolChoice(mode="required" if mode == "required" else "auto", tools=tools)
    for chosen_name in choice.tools:
        if chosen_name not in names:
            raise InvalidBodyError(f"{name} names {chosen_name!r}, and no such tool is there", param=name)
    return choice


# -- messages


def _messages(values: list[Any], left: list[str]) -> tuple[Message, ...]:
    calls: dict[str, str] = {}  # ids of calls, and the names of what they call
    return tuple(_message(Fields(value, f"messages[{at}]"), at, calls, left) for at, value in enumerate(values))


def _message(said: Fields, at: int, calls: dict[str, str], left: list[str]) -> Message:
    role = said.needed_text("role")
    match role:
        case "tool" | "function":
            return Message(role="tool", parts=(_result(said, role, calls, left),))
        case "assistant":
            parts = _turn(said, at, calls, left)
        case "system" | "developer" | "user":
            parts = _content(said, left)
        case _:
            raise InvalidBodyError(f"{said.path}.role is {role!r}", param=f"{said.path}.role")
    return Message(role=role, parts=parts, name=said.text("name"), extra=said.left(left))


def _result(said: Fields, role: str, calls: dict[str, str], left: list[str]) -> ToolResult:
    name = said.text("name")
    if role == "function":
        call_id = next((id_ for id_, called in reversed(calls.items()) if called == name), None)
        where = "name"
    else:
        call_id, where = said.needed_text("tool_call_id"), "tool_call_id"
    if call_id is None or call_id not in calls:
        raise InvalidBodyError(
            f"{said.at(where)} is {call_id or name!r}, and no call before it has that {'name' if role == 'function' else 'id'}",
            param=said.at(where),
            next_step="send the assistant's message with the call before it",
        )
    cache = _cache(said)
    parts = _content(said, left)
    return ToolResult(call_id=call_id, parts=parts, name=name, cache=cache, extra=said.left(left))  # type: ignore[arg-type] # a content has no other parts


def _turn(said: Fields, at: int, calls: dict[str, str], left: list[str]) -> tuple[Part, ...]:
    called = [_call(one, left) for one in said.each("tool_calls")]
    if (old := said.inner("function_call")) is not None:
        called.append(ToolCall(id=f"call_{at}_0", name=old.needed_text("name"), arguments=old.text("arguments")))
    thoughts, signatures = _thoughts(said, {call.id for call in called})
    parts: list[Part] = [*thoughts, *_content(said, left)]
    if refusal := said.text("refusal"):
        parts.append(Refusal(text=refusal))
    if (audio := said.any("audio")) is not None:
        parts.append(Native(dialect=NAME, kind="audio", raw=audio))
    for call in called:
        calls[call.id] = call.name
        signature = signatures.get(call.id)
        parts.append(call if signature is None else msgspec.structs.replace(call, signature=signature))
    return tuple(parts)


def _thoughts(said: Fields, calls: set[str]) -> tuple[list[Thinking], Mapping[str, Any]]:
    plain = said.any("reasoning_content"), said.any("reasoning")
    listed = said.any("reasoning_details"), said.any("thinking_blocks")
    words = next((one for one in plain if isinstance(one, str) and one), "")
    details = next((one for one in listed if one), None)
    if details is None:
        return ([Thinking(text=words)] if words else []), {}
    try:
        found, signatures = thoughts_of(msgspec.convert(details, _DETAILS), calls)
    except msgspec.ValidationError as error:
        path = said.at("reasoning_details")
        raise InvalidBodyError(f"{path} is wrong: {error}", param=path) from None
    if words and not any(thought.text for thought in found):
        found.insert(0, Thinking(text=words))
    return found, signatures


def _call(said: Fields, left: list[str]) -> ToolCall:
    kind = said.text("type", "function")
    inner = said.inner("custom" if kind == "custom" else "function")
    if inner is None:
        raise wrong(said.at(kind), "an object", None)
    said.any("index")  # of a stream, sent back
    written = inner.any("input" if kind == "custom" else "arguments")
    return ToolCall(
        id=said.needed_text("id"),
        name=inner.needed_text("name"),
        arguments=written if isinstance(written, str) else "" if written is None else to_text(written),
        custom=kind == "custom",
        cache=_cache(said),
        extra={**said.left(left), **inner.left(left)},
    )


def _content(said: Fields, left: list[str]) -> tuple[Part, ...]:
    content = said.any("content")
    if content is None or content == "":
        return ()
    if isinstance(content, str):
        return (Text(text=content, cache=_cache(said)),)
    if not isinstance(content, list):
        raise wrong(said.at("content"), "a string or a list of parts", content)
    path = said.at("content")
    return tuple(_part(Fields(value, f"{path}[{at}]"), value, left) for at, value in enumerate(content))


def _part(said: Fields, value: dict[str, Any], left: list[str]) -> Part:
    kind = said.needed_text("type")
    if kind not in _PARTS:
        return Native(dialect=NAME, kind=kind, raw={"type": kind, **value})
    hint = value.get("prompt_cache_breakpoint")
    cache = _cache(said)
    found: Part = _PARTS[kind](said, cache, left)
    extra = said.left(left)
    if hint is not None:
        extra = {**extra, "prompt_cache_breakpoint": hint}
    return msgspec.structs.replace(found, extra=extra) if extra and not isinstance(found, Refusal) else found


def _text(said: Fields, cache: Cache | None, _: list[str]) -> Text:
    return Text(text=said.needed_text("text"), cache=cache)


def _refusal(said: Fields, _: Cache | None, __: list[str]) -> Refusal:
    return Refusal(text=said.needed_text("refusal"))


def _image(said: Fields, cache: Cache | None, left: list[str]) -> Media:
    return _addressed(said, "image_url", "image", cache, left)


def _video(said: Fields, cache: Cache | None, left: list[str]) -> Media:
    return _addressed(said, "video_url", "video", cache, left)


def _addressed(said: Fields, name: str, kind: Literal["image", "video"], cache: Cache | None, left: list[str]) -> Media:
    value = said.any(name)
    inner = Fields({"url": value} if isinstance(value, str) else value, said.at(name))
    url, detail = inner.needed_text("url"), inner.text("detail")
    inner.left(left)
    if (found := split_data_url(url, inner.at("url"))) is not None:
        return Media(kind=kind, media_type=found[0], data=found[1], detail=detail, cache=cache)
    return Media(kind=kind, url=url, detail=detail, cache=cache)


def _heard(said: Fields, cache: Cache | None, left: list[str]) -> Media:
    inner = Fields(said.any("input_audio"), said.at("input_audio"))
    data, format_ = inner.needed_text("data"), inner.text("format", "wav")
    inner.left(left)
    prove("", data, inner.at("data"))
    return Media(kind="audio", media_type=_AUDIO.get(format_, f"audio/{format_}"), data=data, cache=cache)


def _file(said: Fields, cache: Cache | None, left: list[str]) -> Media:
    inner = Fields(said.any("file"), said.at("file"))
    path = inner.at("file_data")
    data, name, file_id = inner.text("file_data"), inner.text("filename"), inner.text("file_id")
    inner.left(left)
    if data.startswith(("https://", "http://")):  # OpenRouter's
        return Media(kind="document", url=data, name=name, cache=cache)
    media_type, data = split_data_url(data, path) or ("application/pdf" if data else "", data)
    if not data and not file_id:
        raise InvalidBodyError(f"{inner.path} has neither file_data nor file_id", param=inner.path)
    return Media(kind="document", media_type=media_type, data=data, file_id=file_id, name=name, cache=cache)


_PARTS: dict[str, Any] = {
    "text": _text,
    "image_url": _image,
    "video_url": _video,
    "input_audio": _heard,
    "file": _file,
    "refusal": _refusal,
}


def _cache(said: Fields) -> Cache | None:
    """Where a caller marks the end of what may be cached: as Anthropic's callers do, or as OpenAI's."""
    if (mark := said.inner("cache_control")) is not None:
        return Cache(ttl=mark.text("ttl"))
    if (mark := said.inner("prompt_cache_breakpoint")) is not None:
        return Cache(ttl="1h" if mark.text("ttl") == "12h" else "")
    return None


# -- bytes


def _decoded(raw: dict[str, msgspec.Raw], path: str) -> Fields:
    return Fields({name: msgspec.json.decode(value) for name, value in raw.items()}, path)


def _inner(raw: Mapping[str, msgspec.Raw], name: str, path: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(raw.get(name, b"null"), type=kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidBodyError(f"{path}.{name} is wrong: {error}", param=f"{path}.{name}") from None


def _raw(value: msgspec.Raw | None) -> msgspec.Raw | None:
    return None if value is None or bytes(value) == b"null" else value
