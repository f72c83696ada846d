"""What is asked, in Converse's words, for any model that Bedrock hosts; what is Claude's own goes into the additional fields.

Knows the fields beside the conversation. Where the conversation has calls Bedrock demands tools: a request that brings
none gets stand-ins for those that it called.
"""

import re
from typing import Any

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.efforts import SMALLEST, budget_of, effort_of, is_known
from flyball.llm.errors import InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import NativeTool, Reasoning, Request, Tool
from flyball.llm.translation import leave_behind, miss_half, name_of

from .answers import NAME
from .turns import Turns

COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")  # what CountTokens asks for
_OWN = (  # fields of Converse that a caller may send beside those of its own dialect
    *("guardrailConfig", "promptVariables", "additionalModelResponseFieldPaths", "requestMetadata"),
    *("performanceConfig", "serviceTier", "outputConfig", "additionalModelRequestFields"),
)
_DROPPED = ("frequency_penalty", "presence_penalty", "seed", "verbosity", "user", "store", "cache")
_TIERS = {
    "default": "default",
    "standard_only": "default",
    "priority": "priority",
    "flex": "flex",
    "reserved": "reserved",
}
_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}")
_MOST_METADATA = 16
_MOST_POINTS = 4  # of caching, in a whole request
_SMALLEST_SHARE = 0.95  # of top_p, where Claude thinks


def body(request: Request, *, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    """The body of Converse. Raises CannotCarryError, and InvalidBodyError for a call whose arguments are no object."""
    leave_behind(request, losses, to=NAME)
    _lose(request, losses)
    turns = Turns(request, losses)
    turns.end(quirks)
    more, output = _think(request, turns.written, quirks, losses)
    _shape(request, quirks, losses, output)
    written = {
        "messages": turns.written,
        "system": turns.system,
        "inferenceConfig": _inference(request, quirks, losses, more),
        "toolConfig": _tools(request, turns, quirks, losses),
        "outputConfig": output,
        **_beside(request, losses),
    }
    for name, value in request.extra.items():
        place = written if name in _OWN else more
        if place.get(name):
            losses.drop(name)  # what is said in the caller's own words holds
        else:
            place[name] = value
    _keep_few_points(written, turns, losses)
    theirs = written.get("additionalModelRequestFields")
    written["additionalModelRequestFields"] = {**more, **theirs} if isinstance(theirs, dict) else more
    return {name: value for name, value in written.items() if value}


def _lose(request: Request, losses: Losses) -> None:
    if request.candidates not in (None, 1):
        losses.refuse(name_of(request, "candidates"), "there is one answer to a question")
    if any(modality != "text" for modality in request.modalities):
        losses.refuse(name_of(request, "modalities"), "answers are words")
    for field in ("logprobs", "top_logprobs"):
        if getattr(request, field):
            losses.refuse(name_of(request, field))
    for field in _DROPPED:
        if getattr(request, field) not in (None, ""):
            losses.drop(name_of(request, field))


def _think(
    request: Request, turns: list[dict[str, Any]], quirks: Quirks, losses: Losses
) -> tuple[dict[str, Any], dict[str, Any]]:
    """How much to think, in Claude's additional fields and in the output's.

    A tool that must be called and thinking exclude each other: the tool stays. So does a call whose thought is not there.
    """
    asked, most = request.reasoning, request.max_tokens
    if asked is None:
        return {}, {}
    if asked.effort == "none" or asked.budget == 0:
        return _thinking_off(request, quirks, losses), {}
    if not is_known(asked.effort) and quirks.thinking != "none":
        losses.refuse(name_of(request, "reasoning"), f"{asked.effort!r} is nothing that it could think by")
    wanted = asked.budget or 0
    budget = _budget(asked, most)
    forced = request.tool_choice is not None and request.tool_choice.mode == "required"
    without = quirks.thinking == "enabled" and _calls_without_thought(turns)
    if quirks.thinking == "none" or budget == 0 or forced or without:
        losses.drop(name_of(request, "reasoning"))
        return {}, {}
    miss_half(request, losses, by="tokens" if quirks.thinking == "enabled" else "words")
    said: dict[str, Any] = {"type": quirks.thinking}
    output = {}
    if quirks.thinking == "enabled":
        said["budget_tokens"] = max(budget, SMALLEST)
        if said["budget_tokens"] < wanted:
            losses.drop(name_of(request, "reasoning"))
    elif asked.effort or wanted > 0:
        effort = asked.effort or effort_of(wanted)
        output["effort"] = "low" if effort == "minimal" else effort
    if asked.show:
        said["display"] = "omitted" if asked.show == "none" else "summarized"
    return {"thinking": said}, output


def _budget(asked: Reasoning, most: int | None) -> int:
    """The tokens for a thought that is asked for in whatever way."""
    budget = asked.budget or 0
    if budget <= 0 and (asked.effort or asked.adaptive or budget < 0):
        return budget_of(asked.effort or "medium", most)
    return budget if most is None or budget < most else max(most - SMALLEST, 0)


def _thinking_off(request: Request, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    if not quirks.thinking_off:
        losses.drop(name_of(request, "reasoning"))
    return {"thinking": {"type": "disabled"}} if quirks.thinking_off and quirks.thinking != "none" else {}


def _calls_without_thought(turns: list[dict[str, Any]]) -> bool:
    """Whether the assistant's last turn calls a tool and does not begin with a thought: Claude refuses to think there."""
    last: list[Any] = next((turn["content"] for turn in reversed(turns) if turn["role"] == "assistant"), [{}])
    return "reasoningContent" not in last[0] and any("toolUse" in block for block in last)


def _inference(request: Request, quirks: Quirks, losses: Losses, more: dict[str, Any]) -> dict[str, Any]:
    """How to choose words. Two ways at once are refused by newer Claudes: the temperature stays."""
    thinks = more.get("thinking", {"type": "disabled"})["type"] != "disabled"
    warmth, share = request.temperature or 0, request.top_p or 0
    alone = quirks.thinking == "none" or request.temperature is None
    config: dict[str, Any] = {} if request.max_tokens is None else {"maxTokens": request.max_tokens}
    for field, place, name, sound in (
        ("temperature", config, "temperature", warmth == 1 if thinks else warmth <= (quirks.temperature_max or 1)),
        ("top_p", config, "topP", alone and (not thinks or share >= _SMALLEST_SHARE)),
        ("top_k", more, "top_k", not thinks),
    ):
        if (value := getattr(request, field)) is None:
            continue
        if quirks.sampling and sound:
            place[name] = value
        else:
            losses.drop(name_of(request, field))
    if request.stop:
        if quirks.most_stops is not None and len(request.stop) > quirks.most_stops:
            losses.refuse(name_of(request, "stop"), f"it takes {quirks.most_stops} at most")
        config["stopSequences"] = request.stop
    return config


def _tools(request: Request, turns: Turns, quirks: Quirks, losses: Losses) -> dict[str, Any] | None:
    choice, calls = request.tool_choice, turns.calls
    mode, only = (choice.mode, choice.tools) if choice else ("", ())
    one = mode == "required" and len(only) == 1
    tools: list[dict[str, Any]] = []
    for number, tool in enumerate(request.tools):
        path = request.tool_path_of(number)
        if isinstance(tool, NativeTool) or tool.custom:
            losses.refuse(path, "it takes functions with a schema alone")
        elif one or not only or tool.name in only:
            tools.append(_tool(tool, path, quirks, losses))
            tools += [turns.marked(tool.cache, f"{path}.{name_of(request, 'cache')}")] if tool.cache is not None else []
    if request.parallel_tool_calls is False and tools:
        losses.drop(name_of(request, "parallel_tool_calls"))
    if mode == "none":
        if not calls:
            return None  # what is not offered is not called
        losses.drop(name_of(request, "tool_choice"))
    tools = tools or [{"toolSpec": _spec(Tool(name=name))} for name in dict.fromkeys(calls.values())]
    if not tools:
        return None
    words = {"required": {"tool": {"name": only[0]}} if one else {"any": {}}, "auto": {"auto": {}}}
    return {"tools": tools, "toolChoice": words[mode]} if mode in words else {"tools": tools}


def _tool(tool: Tool, path: str, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    spec = _spec(tool)
    if tool.strict is not None and quirks.strict_tools:
        spec["strict"] = tool.strict
    elif tool.strict:
        losses.drop(f"{path}.strict")
    return {"toolSpec": spec}


def _keep_few_points(written: dict[str, Any], turns: Turns, losses: Losses) -> None:
    """Of more cache points than Bedrock takes, the earliest go: a later one caches what an earlier one does, and more."""
    tools = (written["toolConfig"] or {}).get("tools", [])
    lists = [tools, written["system"], *(turn["content"] for turn in written["messages"])]
    places = [(blocks, block) for blocks in lists for block in blocks if "cachePoint" in block]
    for blocks, block in places[: max(len(places) - _MOST_POINTS, 0)]:
        blocks[:] = [other for other in blocks if other is not block]
        losses.drop(turns.marks[id(block)])


def _spec(tool: Tool) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": tool.name, "description": tool.description}
    spec["inputSchema"] = {"json": tool.parameters or {"type": "object", "properties": {}}}
    return {name: value for name, value in spec.items() if value}


def _shape(request: Request, quirks: Quirks, losses: Losses, output: dict[str, Any]) -> None:
    form = request.response_format
    if form is None:
        return
    if form.schema is None or not quirks.json_schema:
        losses.refuse(name_of(request, "response_format"), "it answers freely or, where the model can, by a schema")
    try:
        words = bytes(form.schema or b"").decode()
    except UnicodeDecodeError:
        name = name_of(request, "response_format")
        raise InvalidBodyError(f"the schema in {name} is not UTF-8", param=name, next_step="send UTF-8") from None
    schema = {"schema": words, "name": form.name or "answer"}
    if form.description:
        schema["description"] = form.description
    output["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _beside(request: Request, losses: Losses) -> dict[str, Any]:
    """The fields that are about the call. Without being asked Bedrock does not say which stop sequence was met."""
    said: dict[str, Any] = {"additionalModelResponseFieldPaths": ["/stop_sequence"]} if request.stop else {}
    if metadata := request.metadata:
        words = (*metadata, *metadata.values())
        if len(metadata) <= _MOST_METADATA and all(isinstance(w, str) and _METADATA.fullmatch(w) for w in words):
            said["requestMetadata"] = metadata
        else:
            losses.drop(name_of(request, "metadata"))
    if tier := _TIERS.get(request.service_tier):
        said["serviceTier"] = {"type": tier}
    elif request.service_tier not in ("", "auto"):
        losses.drop(name_of(request, "service_tier"))
    return said
