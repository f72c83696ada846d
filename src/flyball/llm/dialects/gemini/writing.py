"""What a provider is asked in Gemini's words. The model's name and whether to stream stand in the address.

Knows the fields beside the conversation. What its vendor takes differently (schemas, how thinking is asked for) is a quirk.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.llm import messages as m
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.efforts import budget_of, is_known, word_for
from flyball.llm.losses import Losses
from flyball.llm.translation import leave_behind, miss_half, name_of

from .answers import NAME
from .reading import SAMPLING
from .schemas import Subset
from .turns import Turns

_DROPPED = ("user", "verbosity", "cache")
_TIERS = {"flex": "flex", "priority": "priority", "default": "standard", "standard_only": "standard"}
_WARMEST, _MOST_STOPS = 2, 5
_LEVELS = {"none": "minimal", "xhigh": "high", "max": "high"}  # other vendors' words for how much to think


def body(request: m.Request, *, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    """The body. Raises CannotCarryError, and InvalidBodyError for a call whose arguments are no object."""
    leave_behind(request, losses, to=NAME)
    own = request.dialect == NAME
    turns = Turns(request, losses, signs_calls=quirks.thinking_by == "level")
    written: dict[str, Any] = {"contents": turns.written}
    if turns.system:
        written["systemInstruction"] = {"parts": turns.system}
    if tools := _tools(request, quirks, losses):
        written["tools"] = tools
    if choice := _choice(request, losses):
        written["toolConfig"] = {"functionCallingConfig": choice}
    config = {**_sample(request, quirks, losses), **_form(request, quirks, losses)}
    if thinking := _thinking(request, quirks, losses):
        config["thinkingConfig"] = thinking
    if config:
        written["generationConfig"] = config
    _beside(request, losses, written)
    for name, value in request.native.items() if own else ():
        head, _, tail = name.partition(".")
        if tail:
            written[head] = {**written.get(head, {}), tail: value}
        else:
            written[head] = value
    _join(request.extra, written, losses)
    return written


def _join(extra: Mapping[str, Any], written: dict[str, Any], losses: Losses) -> None:
    """What a caller of another dialect says in Google's words; what it says in its own holds."""
    for name, value in extra.items():
        before = written.get(name)
        if name == "generationConfig" and isinstance(before, dict) and isinstance(said := _decoded(value), dict):
            losses.drop_all(f"{name}.{field}" for field in said if field in before)
            written[name] = {**said, **before}
        elif before is not None:
            losses.drop(name)
        else:
            written[name] = value


def _decoded(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _beside(request: m.Request, losses: Losses, written: dict[str, Any]) -> None:
    own = request.dialect == NAME
    for name in _DROPPED:
        if getattr(request, name):
            losses.drop(name_of(request, name))
    if request.metadata:
        losses.drop(name_of(request, "metadata"))
    if request.parallel_tool_calls is False:
        losses.drop(name_of(request, "parallel_tool_calls"))
    if tier := request.service_tier if own else _TIERS.get(request.service_tier):
        written["serviceTier"] = tier
    elif request.service_tier not in ("", "auto"):
        losses.drop(name_of(request, "service_tier"))
    if request.store is not None:
        if own:
            written["store"] = request.store
        else:
            losses.drop(name_of(request, "store"))


def _sample(request: m.Request, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    """How to choose words, and how many."""
    own = request.dialect == NAME
    warmest = quirks.temperature_max or _WARMEST
    config: dict[str, Any] = {}
    for name, theirs in SAMPLING.items():
        if (value := getattr(request, name)) is None:
            continue
        refused = name in ("temperature", "top_p", "top_k") and not quirks.sampling
        if refused or (name == "temperature" and value > warmest and not own):
            losses.drop(name_of(request, name))
        elif own or not (name == "candidates" and value == 1):
            config[theirs] = value
    most = _MOST_STOPS if quirks.most_stops is None else quirks.most_stops
    if len(request.stop) > most and not own:
        losses.refuse(name_of(request, "stop"), f"it takes {most} at most")
    if request.stop:
        config["stopSequences"] = request.stop
    if request.modalities and (own or request.modalities != ("text",)):
        config["responseModalities"] = [one.upper() for one in request.modalities]
    return config


def _form(request: m.Request, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    form = request.response_format
    if form is None:
        return {}
    if form.description:
        losses.drop(name_of(request, "response_format.description"))
    said: dict[str, Any] = {"responseMimeType": "application/json"}
    if form.schema is None:
        return said
    if quirks.schemas == "json":
        return {**said, "responseJsonSchema": form.schema}
    return {**said, "responseSchema": _subset(form.schema, name_of(request, "response_format"), losses)}


def _subset(schema: msgspec.Raw, path: str, losses: Losses) -> dict[str, Any]:
    subset = Subset(schema, path)
    found = subset.schema
    losses.drop_all(subset.dropped)
    return found


def _thinking(request: m.Request, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    asked = request.reasoning
    if asked is None:
        return {}
    shown = {"includeThoughts": asked.show != "none"} if asked.show else {}
    if request.dialect == NAME:
        budget = {"thinkingBudget": asked.budget} if asked.budget is not None else {}
        return {**shown, **budget, **({"thinkingLevel": asked.effort.upper()} if asked.effort else {})}
    off = asked.effort == "none" or asked.budget == 0
    if quirks.thinking_by == "none":
        if not off:
            losses.drop(name_of(request, "reasoning"))
        return {}
    if not is_known(asked.effort):
        losses.refuse(name_of(request, "reasoning"), f"{asked.effort!r} is nothing that it could think by")
    shown = {"includeThoughts": not off and asked.show != "none"}
    by_level = quirks.thinking_by == "level"
    miss_half(request, losses, by="words" if by_level else "tokens")
    if by_level:
        effort = word_for(asked.effort, asked.budget)
        return {**shown, "thinkingLevel": _LEVELS.get(effort, effort).upper()} if effort else shown
    budget_ = asked.budget
    if budget_ is None:
        budget_ = budget_of(asked.effort, request.max_tokens) if asked.effort else -1
    if budget_ == 0 and not off:  # no room for a thought, and some models refuse to go without
        losses.drop(name_of(request, "reasoning"))
        return {}
    return {**shown, "thinkingBudget": budget_}


def _tools(request: m.Request, quirks: Quirks, losses: Losses) -> list[Any]:
    declared: list[dict[str, Any]] = []
    written: list[Any] = []
    own = request.dialect == NAME
    for number, tool in enumerate(request.tools):
        path = request.tool_path_of(number)
        if not isinstance(tool, m.Tool):
            if tool.dialect != NAME:
                losses.refuse(path, f"{tool.kind} is another provider's own tool")
            written.append(tool.raw)
            continue
        if tool.custom:
            losses.refuse(path, "its functions take JSON alone")
        for name, value in (("strict", tool.strict), ("cache", tool.cache)):
            if value:
                losses.drop(f"{path}.{name_of(request, name)}")
        said: dict[str, Any] = {"name": tool.name, "description": tool.description}
        if tool.parameters is not None and quirks.schemas == "json":
            said["parametersJsonSchema"] = tool.parameters
        elif tool.parameters is not None:
            schema = _subset(tool.parameters, f"{path}.parameters", losses)
            said |= {"parameters": schema} if schema.get("properties") else {}
        if not declared:
            written.append({"functionDeclarations": declared})
        declared.append({name: value for name, value in {**said, **(tool.extra if own else {})}.items() if value})
    return written


def _choice(request: m.Request, losses: Losses) -> dict[str, Any]:
    """Of some functions alone Google may call, or answer in words, where it is to be exact about them."""
    choice = request.tool_choice
    if choice is None:
        return {}
    if not any(isinstance(tool, m.Tool) for tool in request.tools):
        if choice.mode == "required" and request.dialect != NAME:
            losses.drop(name_of(request, "tool_choice"))
        if request.dialect != NAME:
            return {}
    modes = {"auto": "VALIDATED" if choice.tools else "AUTO", "required": "ANY", "none": "NONE"}
    said: dict[str, Any] = {"mode": modes[choice.mode]}
    return {**said, "allowedFunctionNames": choice.tools} if choice.tools and choice.mode != "none" else said
