"""What a Responses request asks, in the vocabulary. Checks what it needs and no more: the vendor checks the rest.

Items of one side that follow each other are one turn: a thought, words and calls of the model, results of its calls.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from flyball.llm import messages as m
from flyball.llm.dialect import Asked, without_ours
from flyball.llm.efforts import TOKENS, is_known
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, field, missing, wrong

from . import items
from .asking import KEPT_ELSEWHERE, NAME
from .tools import schema_of, tools_of

# Fields that this dialect defines and no other can say. Nothing is kept here: what is kept elsewhere cannot be asked for.
LEAVING: Mapping[str, Literal["refuse", "drop"]] = {
    **dict.fromkeys(("previous_response_id", "conversation", "background", "prompt", "context_management"), "refuse"),
    **dict.fromkeys(
        ("moderation", "store", "tool_choice"), "refuse"
    ),  # a choice of a tool that the provider runs itself
    **dict.fromkeys(("include", "max_tool_calls", "truncation", "stream_options", "prompt_cache_key"), "drop"),
    **dict.fromkeys(("prompt_cache_options", "prompt_cache_retention", "safety_identifier", "image"), "drop"),
    **dict.fromkeys(("access_programs", "reasoning", "text"), "drop"),  # of these two what no other has
}
NAMES = {
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
    "logprobs": "include",
    "candidates": "n",
    "reasoning.effort": "reasoning.effort",
    "reasoning.show": "reasoning.summary",
    "thought": "",  # is an item of its own
    "result": "output",
    "cache": "prompt_cache_breakpoint",
    "citations": "annotations",
    "name": "filename",
}
LOGPROBS, ENCRYPTED = "message.output_text.logprobs", "reasoning.encrypted_content"
# Fields whose values are the same in the vocabulary; the last four are those of servers that are like OpenAI's.
_SAME: dict[str, Any] = {
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), int | float | None),
    **dict.fromkeys(("parallel_tool_calls", "store"), bool | None),
    **dict.fromkeys(("service_tier", "user"), str | None),
    **dict.fromkeys(("top_logprobs", "top_k", "seed"), int | None),
    "metadata": dict[str, Any] | None,
}
_READ = frozenset((
    *("model", "input", "instructions", "stream", "tools", "tool_choice", "text", "reasoning", "include"),
    *("max_output_tokens", "safety_identifier", "stop"),
))  # fmt: skip
_DEFAULTS = {"background": b"false", "truncation": b'"disabled"'}  # say nothing
_OTHER_SIDE = frozenset(("mcp_list_tools", "mcp_approval_request", "program"))  # the provider's, besides its calls
_MODES: Mapping[str, Literal["auto", "none", "required"]] = {"auto": "auto", "none": "none", "required": "required"}


class _Bytes(msgspec.Struct):
    """Where schemas stand: they stay the bytes that they are."""

    schema: msgspec.Raw = msgspec.Raw()


class _Text(msgspec.Struct):
    format: _Bytes | None = None


def parse_request(asked: Asked) -> m.Request:
    """What is asked. Raises InvalidBodyError, naming the field."""
    fields = {name: raw for name, raw in without_ours(asked.fields).items() if bytes(raw) != b"null"}
    left: list[str] = []
    said: dict[str, Any] = {name: field(fields, name, _SAME[name]) for name in fields if name in _SAME}
    beside = {name: _proven(raw, name) for name, raw in fields.items() if name not in _SAME and name not in _READ}
    native: dict[str, Any] = {
        name: raw for name in LEAVING if name in beside and bytes(raw := beside.pop(name)) != _DEFAULTS.get(name)
    }
    if said.get("store"):
        native["store"] = fields["store"]
        del said["store"]
    identifier = field(fields, "safety_identifier", str | None)
    if identifier and said.setdefault("user", identifier) != identifier:
        native["safety_identifier"] = identifier
    include = field(fields, "include", list[str] | None) or []
    if other := [one for one in include if one not in (LOGPROBS, ENCRYPTED)]:
        native["include"] = other
    form, verbosity = _text(fields, native)
    stop = field(fields, "stop", str | tuple[str, ...] | None) or ()
    tools = tuple(tools_of(fields, left))
    choice = _tool_choice(fields, native, tools, left)
    turns = _turns(fields, left)
    return m.Request(
        dialect=NAME,
        model=asked.model,
        messages=tuple([turn.message for turn in turns]),
        paths=tuple([turn.path for turn in turns]),
        places=tuple([turn.places for turn in turns]),
        tools=tools,
        tool_choice=choice,
        response_format=form,
        reasoning=_reasoning(fields, native),
        max_tokens=field(fields, "max_output_tokens", int | None),
        logprobs=True if LOGPROBS in include else None,
        verbosity=verbosity,
        stop=(stop,) if isinstance(stop, str) else stop,
        stream=asked.stream,
        native=native,
        extra=beside,
        leftovers=tuple(left),
        **said,
    )


def _proven(raw: msgspec.Raw, name: str) -> msgspec.Raw:
    """A value that nobody here reads. Raises InvalidBodyError where it is not even text."""
    try:
        bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise InvalidBodyError(f"the field {name!r} is no UTF-8: {error}", param=name) from None
    return raw


def _reasoning(fields: Mapping[str, msgspec.Raw], native: dict[str, Any]) -> m.Reasoning | None:
    said = Fields(field(fields, "reasoning", dict[str, Any] | None) or {}, "reasoning")
    effort, shown, old = said.text("effort"), said.text("summary"), said.text("generate_summary")
    if not is_known(effort):
        words = ", ".join(("none", *TOKENS))
        path = said.at("effort")
        raise InvalidBodyError(f"{path} is {effort!r}", param=path, next_step=f"send one of {words}")
    native |= {said.at(name): value for name, value in said.left([]).items()}
    return m.Reasoning(effort=effort, show=shown or old) if effort or shown or old else None


def _text(fields: Mapping[str, msgspec.Raw], native: dict[str, Any]) -> tuple[m.ResponseFormat | None, str]:
    said = Fields(field(fields, "text", dict[str, Any] | None) or {}, "text")
    form, verbosity = said.inner("format"), said.text("verbosity")
    native |= {said.at(name): value for name, value in said.left([]).items()}
    if form is None:
        return None, verbosity
    found = _format(form, fields)
    if (rest := form.left([])) and found is None:
        native[form.path] = {"type": "text", **rest}
    else:
        native |= {form.at(name): value for name, value in rest.items()}
    return found, verbosity


def _format(form: Fields, fields: Mapping[str, msgspec.Raw]) -> m.ResponseFormat | None:
    kind = form.needed_text("type")
    if kind in ("text", "json_object"):
        return m.ResponseFormat(kind="json") if kind == "json_object" else None
    if kind != "json_schema":
        path = form.at("type")
        raise InvalidBodyError(f"{path} is {kind!r}", param=path, next_step="send text, json_object or json_schema")
    found: _Text = field(fields, "text", _Text)
    if type(schema := form.any("schema")) is not dict:
        raise wrong(form.at("schema"), "an object", schema)
    return m.ResponseFormat(
        kind="schema",
        schema=schema_of(found.format.schema) if found.format else None,
        name=form.text("name"),
        description=form.text("description"),
        strict=form.flag("strict"),
    )


# -- the choice of tools


def _tool_choice(
    fields: Mapping[str, msgspec.Raw],
    native: dict[str, Any],
    tools: Sequence[m.Tool | m.NativeTool],
    left: list[str],
) -> m.ToolChoice | None:
    if (value := field(fields, "tool_choice")) is None:
        return None
    if isinstance(value, str):
        if value not in _MODES:
            raise _contrary(f"tool_choice is {value!r}", 'send "auto", "none", "required" or a tool')
        return m.ToolChoice(mode=_MODES[value])
    said = Fields(value, "tool_choice")
    kind, mode = said.needed_text("type"), "required"
    each = [said]
    if kind == "allowed_tools":
        each, mode = list(said.each("tools")), said.needed_text("mode")
        if mode not in ("auto", "required"):
            raise _contrary(f"tool_choice.mode is {mode!r}", 'send "auto" or "required"')
        if not each:
            raise _contrary("tool_choice.tools is empty", 'name one of `tools`, or send "none"')
    kinds = [kind if one is said else one.text("type", "function") for one in each]
    if not {"function", "custom"}.issuperset(kinds):
        native["tool_choice"] = fields["tool_choice"]
        return None
    names = tuple(one.needed_text("name") for one in each)
    for one in {id(one): one for one in (said, *each)}.values():
        one.left(left)
    known = {tool.name for tool in tools if isinstance(tool, m.Tool)}
    if unknown := [one for one in names if one not in known]:
        raise _contrary(f"tool_choice names {unknown[0]!r}, and no such tool is there", "name one of `tools`")
    return m.ToolChoice(mode=_MODES[mode], tools=names)


# -- items


def _turns(fields: Mapping[str, msgspec.Raw], left: list[str]) -> "list[_Turn]":
    turns = _Turns()
    if instructions := field(fields, "instructions", str | None):
        turns.add("system", "instructions", items.Item((m.Text(text=instructions),), {}, ("instructions",)))
    if isinstance(said := field(fields, "input", str | list[Any] | None), str):
        turns.add("user", "input", items.Item((m.Text(text=said),), {}, ("input",)))
        said = None
    elsewhere = any(name in fields for name in KEPT_ELSEWHERE)
    for at, value in enumerate(said or ()):
        path = f"input[{at}]"
        if type(value) is not dict:
            raise wrong(path, "an item", value)
        kind = value.get("type") or ("message" if "role" in value else "item_reference")
        if type(kind) is not str:
            raise wrong(f"{path}.type", "a string", kind)
        if kind == "item_reference" and type(value.get("id")) is not str:
            raise wrong(path, "an item with its type", value)
        role = _role(value, kind, path)
        item = items.read(value, kind, path, left)
        elsewhere = elsewhere or kind == "item_reference"
        turns.add(role, path, _answering(item, turns.calls, path, elsewhere=elsewhere) if role == "tool" else item)
    found = turns.all()
    if not found and not elsewhere:
        raise missing("input", "a string or a list of items")
    return found


def _role(value: dict[str, Any], kind: str, path: str) -> m.Role:
    if kind in items.RESULTS:
        return "tool"
    if kind != "message":
        of_model = kind in items.CALLS or kind == "reasoning" or kind.endswith("_call") or kind in _OTHER_SIDE
        return "assistant" if of_model else "user"
    role: Any = value.get("role")
    if role not in ("user", "assistant", "system", "developer"):
        path = f"{path}.role"
        raise InvalidBodyError(
            f"{path} is {role!r}", param=path, next_step="send one of user, assistant, system, developer"
        )
    return role  # type: ignore[no-any-return] # one of these


def _answering(item: items.Item, calls: Mapping[str, m.ToolCall], path: str, *, elsewhere: bool) -> items.Item:
    """A result with the name of what was called. Its call stands before it, or is kept elsewhere."""
    (result,) = item.parts
    assert isinstance(result, m.ToolResult)  # noqa: S101 -- items of this side are nothing else
    call = calls.get(result.call_id)
    if call is None and not elsewhere:
        param = f"{path}.call_id"
        raise InvalidBodyError(
            f"{param} is that of no call before it", param=param, next_step="send the item that calls before it"
        )
    if call is None or result.name:
        return item
    return items.Item((msgspec.structs.replace(result, name=call.name),), item.own, item.places)


class _Turn(NamedTuple):
    """A turn, where it stands, and where its parts do."""

    message: m.Message
    path: str
    places: tuple[str, ...]


class _Turns:
    """The turns, as they are made of items."""

    def __init__(self) -> None:
        self.calls: dict[str, m.ToolCall] = {}
        self._turns: list[tuple[m.Role, str, list[items.Item]]] = []

    def add(self, role: m.Role, path: str, item: items.Item) -> None:
        """One more item."""
        if role == "assistant":
            self.calls.update([(part.id, part) for part in item.parts if isinstance(part, m.ToolCall)])
        if role in ("assistant", "tool") and self._turns and self._turns[-1][0] == role:
            self._turns[-1][2].append(item)
        else:
            self._turns.append((role, path, [item]))

    def all(self) -> list[_Turn]:
        """The turns. What only this dialect says of an item stands in `extra`, with its number of parts."""
        turns = []
        for role, path, said in self._turns:
            first = said[0]
            if len(said) == 1 and first.own == {} and (role != "assistant" or len(first.parts) == 1):
                turns.append(_Turn(m.Message(role=role, parts=first.parts), path, first.places))
                continue
            parts = tuple(part for item in said for part in item.parts)
            own = [(len(item.parts), item.own) for item in said]
            several = role == "assistant" and any(length != 1 for length, _ in own)
            extra = {"items": own} if several or any(fields != {} for _, fields in own) else {}
            places = tuple(place for item in said for place in item.places)
            turns.append(_Turn(m.Message(role=role, parts=parts, extra=extra), path, places))
        return turns


def _contrary(what: str, next_step: str) -> InvalidBodyError:
    return InvalidBodyError(what, param="tool_choice", next_step=next_step)
