"""What a caller asks in Anthropic's words beside its conversation: tools and their choice, the answer's form, how much to think.

Schemas stay the bytes that they are. What nobody else can say is named among the leftovers, or kept in Anthropic's own words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, field, usual, wrong
from flyball.llm.messages import Cache, NativeTool, Reasoning, ResponseFormat, Tool, ToolChoice

from .answers import NAME

_NULL = msgspec.Raw(b"null")
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {"auto": "auto", "any": "required", "none": "none"}


class _Usual(msgspec.Struct, forbid_unknown_fields=True):
    """A tool with the usual fields, its schema still bytes."""

    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    type: Literal["", "custom"] | None = None
    strict: bool | None = None


_USUAL = msgspec.json.Decoder(list[_Usual])


def tools_of(fields: Mapping[str, msgspec.Raw], leftovers: list[str]) -> tuple[Tool | NativeTool, ...]:
    """The tools. Raises InvalidBodyError."""
    tools: list[Tool | NativeTool] = []
    names: set[str] = set()
    listed: Sequence[_Usual | dict[str, msgspec.Raw]] = usual(fields.get("tools"), _USUAL)
    for number, said in enumerate(listed or field(fields, "tools", list[dict[str, msgspec.Raw]] | None) or ()):
        path = f"tools[{number}]"
        tool = _usual(said, path) if isinstance(said, _Usual) else _tool(said, path, leftovers)
        if isinstance(tool, Tool):
            if tool.name in names:
                name = f"{path}.name"
                raise InvalidBodyError(f"{name} is {tool.name!r}, as another tool's is", param=name)
            names.add(tool.name)
        tools.append(tool)
    return tuple(tools)


def _usual(said: _Usual, path: str) -> Tool:
    schema = _schema({"input_schema": said.input_schema}, "input_schema", path)
    return Tool(name=said.name, description=said.description or "", parameters=schema, strict=said.strict)


def _tool(raw: dict[str, msgspec.Raw], path: str, leftovers: list[str]) -> Tool | NativeTool:
    schema = _schema(raw, "input_schema", path)
    raw.pop("input_schema", None)
    said = Fields({name: field(raw, name, within=path) for name in raw}, path)
    kind = said.text("type")
    if kind not in ("", "custom"):
        # The provider's own tool, whole; `input_schema` is no part of any of these.
        return NativeTool(dialect=NAME, kind=kind, raw=raw)
    name = said.needed_text("name")
    if schema is None:
        raise wrong(said.at("input_schema"), "an object", None)
    description, strict, cache = said.text("description"), said.flag("strict"), cache_of(said, leftovers)
    own = said.left(leftovers)
    return Tool(name=name, description=description, parameters=schema, strict=strict, cache=cache, extra=own)


def _schema(fields: Mapping[str, msgspec.Raw], name: str, path: str) -> msgspec.Raw | None:
    """A schema, byte for byte; None where it is absent. Raises InvalidBodyError for what is no object in UTF-8."""
    if (raw := fields.get(name)) is None:
        return None
    if not bytes(raw).startswith(b"{"):
        raise wrong(f"{path}.{name}", "an object", field(fields, name, within=path))
    if not bytes(raw).isascii():
        field(fields, name, within=path)
    return raw


def choice_of(
    fields: Mapping[str, msgspec.Raw], tools: tuple[Tool | NativeTool, ...], native: dict[str, Any]
) -> tuple[ToolChoice | None, bool | None]:
    """Whether tools are called, and whether several at once. Raises InvalidBodyError."""
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
        native |= {said.at(one): value for one, value in said.left([]).items()}
        return ToolChoice(mode="required", tools=(name,)), parallel
    if kind not in _MODES:
        raise wrong("tool_choice.type", "auto, any, tool or none", kind)
    native |= {said.at(name): value for name, value in said.left([]).items()}
    return ToolChoice(mode=_MODES[kind]), parallel


def form_of(
    fields: Mapping[str, msgspec.Raw], config: dict[str, msgspec.Raw], native: dict[str, Any]
) -> ResponseFormat | None:
    """The form of the answer; what is taken from `config` is taken out of it."""
    objects = dict[str, msgspec.Raw] | None
    if "format" in config:
        path, form = "output_config.format", field(config, "format", objects, within="output_config")
        config.pop("format")
    else:
        path, form = "output_format", field(fields, "output_format", objects)
    if form is None:
        return None
    if field(form, "type", Any, within=path) != "json_schema" or "schema" not in form:
        raise InvalidBodyError(f"{path} is no json_schema with a schema", param=path, next_step="send both")
    more = {name: raw for name, raw in form.items() if name not in ("type", "schema") and raw != _NULL}
    native |= {f"{path}.{name}": raw for name, raw in more.items()}
    return ResponseFormat(kind="schema", schema=_schema(form, "schema", path))


def reasoning_of(
    fields: Mapping[str, msgspec.Raw], config: dict[str, msgspec.Raw], native: dict[str, Any]
) -> Reasoning | None:
    """How much to think; what is taken from `config` is taken out of it."""
    effort = field(config, "effort", str | None, within="output_config") or ""
    config.pop("effort", None)
    thinking = field(fields, "thinking")
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    said = Fields(thinking, "thinking")
    kind = said.needed_text("type")
    show = said.text("display") if kind in ("enabled", "adaptive") else ""
    show = {"omitted": "none", "summarized": "auto"}.get(show, show)
    asked: Reasoning | None = Reasoning(effort=effort) if effort else None
    match kind:
        case "enabled":
            if (budget := said.integer("budget_tokens")) is None:
                raise wrong("thinking.budget_tokens", "a whole number", None)
            asked = Reasoning(effort=effort, budget=budget, show=show)
        case "adaptive":
            asked = Reasoning(effort=effort, adaptive=True, show=show)
        case "disabled":
            asked = Reasoning(effort=effort, budget=0)
        case _:
            native["thinking"] = fields["thinking"]
            return asked
    native |= {said.at(name): value for name, value in said.left([]).items()}
    return asked


def cache_of(block: Fields, leftovers: list[str]) -> Cache | None:
    """A cache point; None where there is none."""
    if not block.has("cache_control") or (point := block.inner("cache_control")) is None:
        return None
    point.any("type")
    cache = Cache(ttl=point.text("ttl"))
    point.left(leftovers)
    return cache
