"""What a chat request asks, in the vocabulary. Knows OpenAI's fields, and what OpenRouter and LiteLLM add to messages."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from flyball.llm import messages as m
from flyball.llm.arguments import to_text
from flyball.llm.dialect import Asked, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, field, wrong
from flyball.llm.media import prove, split_data_url

from .asking import NAME
from .thoughts import Detail, thoughts_of

LEAVING: Mapping[str, Literal["refuse", "drop"]] = {
    **dict.fromkeys(("audio", "moderation", "response_format", "web_search_options"), "refuse"),
    **dict.fromkeys(("logit_bias", "prediction", "prompt_cache_key", "prompt_cache_options"), "drop"),
    **dict.fromkeys(("prompt_cache_retention", "safety_identifier", "stream_options"), "drop"),
}  # of response_format a kind that is not OpenAI's own; safety_identifier where `user` is another
NAMES = {"candidates": "n", "reasoning": "reasoning_effort"}
# Fields whose values are the same in the vocabulary.
_SAME: dict[str, Any] = {
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "temperature", "top_p"), int | float | None),
    **dict.fromkeys(("n", "seed", "top_k", "top_logprobs"), int | None),
    **dict.fromkeys(("logprobs", "parallel_tool_calls", "store"), bool | None),
    **dict.fromkeys(("service_tier", "user", "verbosity"), str | None),
    "metadata": dict[str, Any] | None,
    "modalities": tuple[str, ...] | None,
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
_AUDIO = {"mp3": "audio/mpeg"}


class _Bytes(msgspec.Struct):
    """Where schemas stand: they stay the bytes that they are."""

    parameters: msgspec.Raw = msgspec.Raw()
    schema: msgspec.Raw = msgspec.Raw()
    function: "_Bytes | None" = None
    json_schema: "_Bytes | None" = None


def parse_request(asked: Asked) -> m.Request:
    """What is asked. Raises InvalidBodyError, naming the field."""
    fields = {name: raw for name, raw in without_ours(asked.fields).items() if bytes(raw) != b"null"}
    left: list[str] = []
    said: dict[str, Any] = {name: field(fields, name, _SAME[name]) for name in fields if name in _SAME}
    said["candidates"] = said.pop("n", None)
    native: dict[str, Any] = {name: raw for name, raw in fields.items() if name in LEAVING and name not in _TAKEN}
    extra: dict[str, Any] = {
        name: raw
        for name, raw in fields.items()
        if not (name in said or name in native or name in _TAKEN or name == "n")
    }
    identifier = field(fields, "safety_identifier", str | None)
    if identifier and said.setdefault("user", identifier) != identifier:
        native["safety_identifier"] = identifier
    options = field(fields, "stream_options", dict[str, Any] | None) or {}
    if rest := {name: value for name, value in options.items() if name != "include_usage"}:
        native["stream_options"] = rest
    tools = tuple(_tools(fields, left))
    turns = tuple(_messages(field(fields, "messages", list[Any]), left))
    return m.Request(
        dialect=NAME,
        model=asked.model,
        messages=tuple(message for message, _ in turns),
        paths=tuple(path for _, path in turns),
        tools=tools,
        tool_choice=_tool_choice(fields, tools),
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


def _max_tokens(fields: Mapping[str, msgspec.Raw]) -> int | None:
    old: int | None = field(fields, "max_tokens", int | None)
    new: int | None = field(fields, "max_completion_tokens", int | None)
    if old is not None and new is not None and old != new:
        raise _contrary(f"max_tokens is {old} and max_completion_tokens is {new}", "max_tokens", "send one of the two")
    return old if new is None else new


def _stop(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()


def _reasoning(fields: Mapping[str, msgspec.Raw], extra: dict[str, Any], left: list[str]) -> m.Reasoning | None:
    effort = field(fields, "reasoning_effort", str | None) or ""
    value = field(fields, "reasoning")
    if not isinstance(value, dict):  # OpenRouter's is an object; anybody else's passes through
        if value is not None:
            extra["reasoning"] = fields["reasoning"]
        return m.Reasoning(effort=effort) if effort else None
    said = Fields(value, "reasoning")
    effort, budget = said.text("effort") or effort, said.integer("max_tokens")
    enabled, excluded, show = said.flag("enabled"), said.flag("exclude"), said.text("summary")
    said.left(left)
    if not effort and budget is None and enabled is not None:
        effort = "medium" if enabled else "none"
    return m.Reasoning(effort=effort, budget=budget, show="none" if excluded else show)


def _response_format(
    fields: Mapping[str, msgspec.Raw], native: dict[str, Any], left: list[str]
) -> m.ResponseFormat | None:
    if (value := field(fields, "response_format")) is None:
        return None
    said = Fields(value, "response_format")
    kind = said.needed_text("type")
    if kind in ("text", "json_object"):
        return m.ResponseFormat(kind="json") if kind == "json_object" else None
    inner = said.inner("json_schema")
    if kind != "json_schema" or inner is None:
        native["response_format"] = fields["response_format"]
        return None
    found: _Bytes = field(fields, "response_format", _Bytes)
    schema = _schema(found.json_schema.schema) if found.json_schema else None
    inner.any("schema")
    name, description, strict = inner.text("name"), inner.text("description"), inner.flag("strict")
    inner.left(left)
    return m.ResponseFormat(kind="schema", schema=schema, name=name, description=description, strict=strict)


# -- tools


def _tools(fields: Mapping[str, msgspec.Raw], left: list[str]) -> Iterator[m.Tool | m.NativeTool]:
    names: set[str] = set()
    for listed in ("tools", "functions"):
        values = field(fields, listed, list[dict[str, Any]] | None) or ()
        schemas: Sequence[_Bytes] = field(fields, listed, list[_Bytes] | None) or ()
        for at, (value, found) in enumerate(zip(values, schemas, strict=True)):
            kind = value.get("type") or "function"
            if listed == "tools" and kind not in ("function", "custom"):
                yield m.NativeTool(dialect=NAME, kind=str(kind), raw=value)
                continue
            said = Fields(value, f"{listed}[{at}]")
            schema = (found.function or found).parameters
            tool = _tool(said, _needed(said, said.text("type") or kind) if listed == "tools" else said, schema, left)
            if tool.name in names:
                raise _contrary(f"two tools are called {tool.name!r}", said.path, "give each its own name")
            names.add(tool.name)
            yield tool


def _tool(outer: Fields, said: Fields, schema: msgspec.Raw, left: list[str]) -> m.Tool:
    said.any("parameters")
    custom = said.path.endswith(".custom")
    return m.Tool(
        name=said.needed_text("name"),
        description=said.text("description"),
        parameters=_schema(schema),
        strict=said.flag("strict"),
        custom=custom,
        grammar=said.any("format") if custom else None,
        cache=_cache(outer) or _cache(said),
        extra={**said.left(left), **(outer.left(left) if outer is not said else {})},
    )


def _tool_choice(fields: Mapping[str, msgspec.Raw], tools: Sequence[m.Tool | m.NativeTool]) -> m.ToolChoice | None:
    name = "tool_choice" if "tool_choice" in fields else "function_call"
    if (value := field(fields, name)) is None:
        return None
    if isinstance(value, str):
        modes: dict[str, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "required": "required"}
        if (mode := modes.get("required" if value == "any" else value)) is None:
            raise _contrary(f"{name} is {value!r}", name, 'send "auto", "none", "required" or a tool')
        return m.ToolChoice(mode=mode)
    said = Fields(value, name)
    kind = said.text("type", "function")
    chosen = _needed(said, kind) if name == "tool_choice" else said
    if kind == "allowed_tools":
        each = [one.inner(one.text("type", "function")) or one for one in chosen.each("tools")]
        required = chosen.text("mode") == "required"
    else:
        each, required = [chosen], True
    names = tuple(one.needed_text("name") for one in each)
    known = {tool.name for tool in tools if isinstance(tool, m.Tool)}
    if unknown := [one for one in names if one not in known]:
        raise _contrary(f"{name} names {unknown[0]!r}, and no such tool is there", name, "name one of `tools`")
    return m.ToolChoice(mode="required" if required else "auto", tools=names)


# -- messages


def _messages(values: list[Any], left: list[str]) -> Iterator[tuple[m.Message, str]]:
    """The turns, and where each stands; results of tools that follow each other are one."""
    calls: dict[str, m.ToolCall] = {}
    results: list[m.Part] = []
    first = ""  # of the results
    for at, value in enumerate(values):
        said = Fields(value, f"messages[{at}]")
        role = said.needed_text("role")
        if role in ("tool", "function"):
            first = first if results else said.path
            results.append(_result(said, role, calls, left))
            continue
        if results:
            yield m.Message(role="tool", parts=tuple(results)), first
            results = []
        if role not in m.ROLES:
            raise _contrary(f"{said.path}.role is {role!r}", said.at("role"), f"send one of {', '.join(m.ROLES)}")
        parts = tuple(_turn(said, at, calls, left) if role == "assistant" else _content(said, left))
        message = m.Message(role=role, parts=parts, name=said.text("name"), extra=said.left(left))  # type: ignore[arg-type] # a role
        yield message, said.path
    if results:
        yield m.Message(role="tool", parts=tuple(results)), first


def _result(said: Fields, role: str, calls: Mapping[str, m.ToolCall], left: list[str]) -> m.ToolResult:
    name, where = said.text("name"), "tool_call_id"
    if role == "function":
        where = "name"
        call = next((one for one in reversed([*calls.values()]) if one.name == name), None)
    else:
        call = calls.get(said.needed_text(where))
    if call is None:
        raise _contrary(
            f"{said.at(where)} is that of no call before it", said.at(where), "send the message that calls before it"
        )
    parts: Any = tuple(_content(said, left))
    return m.ToolResult(call_id=call.id, parts=parts, name=name, custom=call.custom, extra=said.left(left))


def _turn(said: Fields, at: int, calls: dict[str, m.ToolCall], left: list[str]) -> Iterator[m.Part]:
    called = [_call(one, left) for one in said.each("tool_calls")]
    if (old := said.inner("function_call")) is not None:
        called.append(m.ToolCall(id=f"call_{at}_0", name=old.needed_text("name"), arguments=old.text("arguments")))
    plain = said.any("reasoning_content"), said.any("reasoning")
    words = next((one for one in plain if isinstance(one, str) and one), "")
    listed = said.any("reasoning_details"), said.any("thinking_blocks")
    try:
        details = msgspec.convert(listed[0] or listed[1] or (), list[Detail])
    except msgspec.ValidationError as error:
        raise _contrary(f"{said.path}.reasoning_details is wrong: {error}", said.at("reasoning_details")) from None
    thoughts, signatures = thoughts_of(details, {call.id for call in called})
    if words and not any(thought.text for thought in thoughts):
        yield m.Thinking(text=words)
    yield from thoughts
    yield from _content(said, left)
    if refusal := said.text("refusal"):
        yield m.Refusal(text=refusal)
    if (audio := said.any("audio")) is not None:
        yield m.Native(dialect=NAME, kind="audio", raw=audio)
    for call in called:
        calls[call.id] = call
        signature = signatures.get(call.id)
        yield call if signature is None else msgspec.structs.replace(call, signature=signature)


def _call(said: Fields, left: list[str]) -> m.ToolCall:
    kind = said.text("type", "function")
    inner = _needed(said, kind)
    said.any("index")  # of a stream, sent back
    written = inner.any("input" if kind == "custom" else "arguments")
    return m.ToolCall(
        id=said.needed_text("id"),
        name=inner.needed_text("name"),
        arguments=written if isinstance(written, str) else "" if written is None else to_text(written),
        custom=kind == "custom",
        cache=_cache(said),
        extra={**said.left(left), **inner.left(left)},
    )


def _content(said: Fields, left: list[str]) -> Iterator[m.Part]:
    """The parts of a message's content. A mark on the message is one on its last part."""
    content, cache, path = said.any("content"), _cache(said), said.at("content")
    if isinstance(content, str):
        if content:
            yield m.Text(text=content, cache=cache)
    elif isinstance(content, list):
        for at, value in enumerate(content, 1):
            part = _part(Fields(value, f"{path}[{at - 1}]"), value, left)
            yield msgspec.structs.replace(part, cache=cache) if cache and at == len(content) else part
    elif content is not None:
        raise wrong(path, "a string or a list of parts", content)


def _part(said: Fields, value: dict[str, Any], left: list[str]) -> Any:
    kind = said.needed_text("type")
    hint = dict(value.get("prompt_cache_breakpoint") or {})  # which has more to say than a cache point
    changes: dict[str, Any] = {"cache": cache} if (cache := _cache(said)) is not None else {}
    match kind:
        case "text":
            part: m.Part = m.Text(text=said.needed_text("text"))
        case "refusal":
            part = m.Refusal(text=said.needed_text("refusal"))
        case "image_url" | "video_url":
            part = _seen(said, kind, left)
        case "input_audio" | "file":
            inner = _needed(said, kind)
            part = _heard(inner) if kind == "input_audio" else _file(inner)
            inner.left(left)
        case _:
            return m.Native(dialect=NAME, kind=kind, raw={"type": kind, **value}, **changes)
    extra = said.left(left)
    if extra or hint:
        changes["extra"] = {**extra, "prompt_cache_breakpoint": hint} if hint else extra
    return msgspec.structs.replace(part, **changes) if changes and kind != "refusal" else part


def _seen(said: Fields, kind: str, left: list[str]) -> m.Media:
    value = said.any(kind)
    inner = Fields({"url": value} if isinstance(value, str) else value, said.at(kind))
    url, detail, path = inner.needed_text("url"), inner.text("detail"), inner.at("url")
    inner.left(left)
    what: Literal["image", "video"] = "image" if kind == "image_url" else "video"
    if (found := split_data_url(url, path)) is not None:
        return m.Media(kind=what, media_type=found[0], data=found[1], detail=detail)
    return m.Media(kind=what, url=url, detail=detail)


def _heard(inner: Fields) -> m.Media:
    data, format_ = inner.needed_text("data"), inner.text("format", "wav")
    data = prove("", data, inner.at("data"))
    return m.Media(kind="audio", media_type=_AUDIO.get(format_, f"audio/{format_}"), data=data)


def _file(inner: Fields) -> m.Media:
    data, name, file_id = inner.text("file_data"), inner.text("filename"), inner.text("file_id")
    if data.startswith(("https://", "http://")):  # OpenRouter's
        return m.Media(kind="document", url=data, name=name)
    if not data and not file_id:
        raise _contrary(f"{inner.path} has neither file_data nor file_id", inner.path, "send one of the two")
    media_type, data = split_data_url(data, inner.at("file_data")) or ("application/pdf" if data else "", data)
    return m.Media(kind="document", media_type=media_type, data=data, file_id=file_id, name=name)


def _cache(said: Fields) -> m.Cache | None:
    """Where a caller marks the end of what may be cached: as Anthropic's callers do, or as OpenAI's."""
    if (mark := said.inner("cache_control")) is not None:
        return m.Cache(ttl=mark.text("ttl"))
    if (mark := said.inner("prompt_cache_breakpoint")) is not None:
        return m.Cache(ttl="1h" if mark.text("ttl") == "12h" else "")
    return None


def _needed(said: Fields, name: str) -> Fields:
    inner = said.inner(name)
    if inner is None:
        raise wrong(said.at(name), "an object", None)
    return inner


def _schema(raw: msgspec.Raw) -> msgspec.Raw | None:
    return None if bytes(raw) in (b"", b"null") else raw


def _contrary(what: str, param: str, next_step: str = "") -> InvalidBodyError:
    return InvalidBodyError(what, param=param, next_step=next_step)
