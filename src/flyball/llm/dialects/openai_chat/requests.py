"""What a chat request asks, in the vocabulary. Knows OpenAI's fields and what OpenRouter adds; its messages are in `turns`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from flyball.llm import messages as m
from flyball.llm.dialect import Asked, without_ours
from flyball.llm.efforts import TOKENS
from flyball.llm.fields import Fields, field, usual, wrong

from .asking import NAME
from .turns import cache_of, contrary, needed, turns_of

LEAVING: Mapping[str, Literal["refuse", "drop"]] = {
    **dict.fromkeys(("audio", "moderation", "response_format", "web_search_options"), "refuse"),
    **dict.fromkeys(("logit_bias", "prediction", "prompt_cache_key", "prompt_cache_options"), "drop"),
    **dict.fromkeys(("prompt_cache_retention", "safety_identifier", "stream_options"), "drop"),
}  # of response_format a kind that is not OpenAI's own; safety_identifier where `user` is another
NAMES = {
    "candidates": "n",
    "reasoning": "reasoning_effort",
    "reasoning.effort": "reasoning_effort",
    "reasoning.budget": "reasoning.max_tokens",
    "reasoning.show": "reasoning",
    "thought": "",  # it stands in a field of its own
    "response_format.description": "response_format.json_schema.description",
    "arguments": "function.arguments",
    "strict": "function.strict",
    "tool.inner": "function.",
    "cache": "cache_control",
    "detail": "image_url.detail",
    "name": "file.filename",
}
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
_EFFORTS = ("none", *TOKENS)
_NULL = msgspec.Raw(b"null")
_Placed: TypeAlias = tuple[m.Tool | m.NativeTool, str]  # a tool, and where it stands


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
    listed = _plain_tools(fields) or list(_tools(fields, left))
    tools = tuple([tool for tool, _ in listed])
    turns = list(turns_of(_messages(fields), left))
    return m.Request(
        dialect=NAME,
        model=asked.model,
        messages=tuple([turn.message for turn in turns]),
        paths=tuple([turn.path for turn in turns]),
        places=tuple([turn.places for turn in turns]),
        tools=tools,
        tool_paths=tuple([path for _, path in listed]),
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


def _messages(fields: Mapping[str, msgspec.Raw]) -> list[Any]:
    found: list[Any] = field(fields, "messages", list[Any])
    if not found:
        raise contrary("the field 'messages' is empty", "messages", "send what the user says")
    return found


def _max_tokens(fields: Mapping[str, msgspec.Raw]) -> int | None:
    old, new = _at_least(1, fields, "max_tokens"), _at_least(1, fields, "max_completion_tokens")
    if old is not None and new is not None and old != new:
        raise contrary(f"max_tokens is {old} and max_completion_tokens is {new}", "max_tokens", "send one of the two")
    return old if new is None else new


def _at_least(least: int, fields: Mapping[str, msgspec.Raw], name: str) -> int | None:
    value: int | None = field(fields, name, int | None)
    if value is not None and value < least:
        raise contrary(f"{name} is {value}", name, f"send {least} or more, or leave it out")
    return value


def _stop(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()


def _reasoning(fields: Mapping[str, msgspec.Raw], extra: dict[str, Any], left: list[str]) -> m.Reasoning | None:
    effort = _effort(field(fields, "reasoning_effort", str | None) or "", "reasoning_effort")
    value = field(fields, "reasoning")
    if not isinstance(value, dict):  # OpenRouter's is an object; anybody else's passes through
        if value is not None:
            extra["reasoning"] = fields["reasoning"]
        return m.Reasoning(effort=effort) if effort else None
    said = Fields(value, "reasoning")
    effort, budget = _effort(said.text("effort"), "reasoning.effort") or effort, said.integer("max_tokens")
    if budget is not None and budget < 0:
        raise contrary(f"reasoning.max_tokens is {budget}", "reasoning.max_tokens", "send 0 or more, or leave it out")
    enabled, excluded, show = said.flag("enabled"), said.flag("exclude"), said.text("summary")
    said.left(left)
    if not effort and budget is None and enabled is not None:
        effort = "medium" if enabled else "none"
    return m.Reasoning(effort=effort, budget=budget, show="none" if excluded else show)


def _effort(word: str, path: str) -> str:
    if word and word not in _EFFORTS:
        raise contrary(f"{path} is {word!r}", path, f"send one of {', '.join(_EFFORTS)}")
    return word


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
    raw = _inside(_inside(fields["response_format"], "json_schema"), "schema")
    schema = _schema(raw, inner.any("schema"), inner.at("schema"))
    name, description, strict = inner.text("name"), inner.text("description"), inner.flag("strict")
    inner.left(left)
    return m.ResponseFormat(kind="schema", schema=schema, name=name, description=description, strict=strict)


# -- tools


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw(b"null")
    strict: bool | None = None


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    function: _Function


_PLAIN = msgspec.json.Decoder(list[_Plain])


def _plain_tools(fields: Mapping[str, msgspec.Raw]) -> list[_Placed]:
    """The tools where all have the usual fields alone; empty where they have to be taken apart field by field, or are wrong."""
    field(fields, "tools")  # schemas too have to be sound
    said: list[_Function] = [one.function for one in usual(fields.get("tools"), _PLAIN)]
    if "functions" in fields or len({one.name for one in said}) < len(said):
        return []
    tools: list[_Placed] = []
    for at, one in enumerate(said):
        schema = None if one.parameters == _NULL else one.parameters
        if schema is not None and not bytes(schema).startswith(b"{"):
            return []
        tool = m.Tool(name=one.name, description=one.description or "", parameters=schema, strict=one.strict)
        tools.append((tool, f"tools[{at}]"))
    return tools


def _tools(fields: Mapping[str, msgspec.Raw], left: list[str]) -> Iterator[_Placed]:
    """The tools, and where each stands."""
    names: set[str] = set()
    for listed in ("tools", "functions"):
        values = field(fields, listed, list[Any] | None) or ()
        raws: Sequence[msgspec.Raw] = field(fields, listed, list[msgspec.Raw] | None) or ()
        for at, (value, raw) in enumerate(zip(values, raws, strict=True)):
            said = Fields(value, f"{listed}[{at}]")
            kind = value.get("type", "function") if listed == "tools" else "function"
            if type(kind) is not str:
                raise wrong(said.at("type"), "a string", kind)
            if kind not in ("function", "custom"):
                yield m.NativeTool(dialect=NAME, kind=kind, raw=value), said.path
                continue
            said.any("type")
            inner = needed(said, kind) if listed == "tools" else said
            tool = _tool(said, inner, _inside(raw, kind) if listed == "tools" else raw, left)
            if tool.name in names:
                raise contrary(f"two tools are called {tool.name!r}", inner.at("name"), "give each its own name")
            names.add(tool.name)
            yield tool, said.path


def _tool(outer: Fields, said: Fields, raw: msgspec.Raw, left: list[str]) -> m.Tool:
    custom = said.path.endswith(".custom")
    return m.Tool(
        name=said.needed_text("name"),
        description=said.text("description"),
        parameters=_schema(_inside(raw, "parameters"), said.any("parameters"), said.at("parameters")),
        strict=said.flag("strict"),
        custom=custom,
        grammar=said.any("format") if custom else None,
        cache=cache_of(outer) or cache_of(said),
        extra={**said.left(left), **(outer.left(left) if outer is not said else {})},
    )


def _inside(raw: msgspec.Raw, name: str) -> msgspec.Raw:
    """A field of an object that has been found sound, as the bytes that it is; none where it is absent."""
    return msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get(name, msgspec.Raw())


def _schema(raw: msgspec.Raw, value: Any, path: str) -> msgspec.Raw | None:
    """A schema, byte for byte; `value` is what it is."""
    if value is None:
        return None
    if type(value) is not dict:
        raise wrong(path, "an object", value)
    return raw


def _tool_choice(fields: Mapping[str, msgspec.Raw], tools: Sequence[m.Tool | m.NativeTool]) -> m.ToolChoice | None:
    name = "tool_choice" if "tool_choice" in fields else "function_call"
    if (value := field(fields, name)) is None:
        return None
    if isinstance(value, str):
        modes: dict[str, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "required": "required"}
        if (mode := modes.get("required" if value == "any" else value)) is None:
            raise contrary(f"{name} is {value!r}", name, 'send "auto", "none", "required" or a tool')
        return m.ToolChoice(mode=mode)
    said = Fields(value, name)
    kind = said.text("type", "function")
    chosen = needed(said, kind) if name == "tool_choice" else said
    if kind == "allowed_tools":
        each = [one.inner(one.text("type", "function")) or one for one in chosen.each("tools")]
        required = chosen.text("mode") == "required"
    else:
        each, required = [chosen], True
    names = tuple(one.needed_text("name") for one in each)
    known = {tool.name for tool in tools if isinstance(tool, m.Tool)}
    if unknown := [one for one in names if one not in known]:
        raise contrary(f"{name} names {unknown[0]!r}, and no such tool is there", name, "name one of `tools`")
    return m.ToolChoice(mode="required" if required else "auto", tools=names)
