"""What a provider is asked in Anthropic's words: instructions first and apart, turns that alternate, results before all else.

Anthropic refuses: no `max_tokens`, empty texts, a first turn that is not the user's, white space at the end of a last turn
of the assistant, more than four cache points, sampling beside thinking, a tool that must be called beside thinking.
"""

from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.efforts import SMALLEST, budget_of, effort_of, is_known
from flyball.llm.losses import Losses
from flyball.llm.messages import Reasoning, Request, Tool
from flyball.llm.translation import leave_behind, miss_half, name_of

from .answers import NAME
from .turns import Turns, point

_REFUSED = ("logprobs", "top_logprobs")
_DROPPED = ("frequency_penalty", "presence_penalty", "seed", "verbosity", "store")
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_EFFORTS = {"minimal": "low"}
_MOST_CACHES = 4
_LEAST_TOP_P = 0.95  # beside thinking
_EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')
_NO_THOUGHT = ("disabled", None)


def body(request: Request, *, model: str, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    """The body. Raises CannotCarryError, and InvalidBodyError for a call whose arguments are no object."""
    leave_behind(request, losses, to=NAME)
    _lose(request, losses)
    own = request.dialect == NAME
    turns = Turns(request, losses)
    turns.end(quirks)
    config: dict[str, Any] = {}
    max_tokens, thinking = _thinking(request, turns.written, quirks, losses, config)
    written: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "messages": turns.written}
    if system := turns.system:
        plain = len(system) == 1 and len(system[0]) == 2
        written["system"] = system[0]["text"] if plain else system
    if tools := _tools(request, turns.marks, quirks, losses):
        written["tools"] = tools
    if (choice := _choice(request, losses, has_tools=bool(tools))) is not None:
        written["tool_choice"] = choice
    if thinking is not None:
        written["thinking"] = thinking
    _sample(request, quirks, losses, written)
    _form(request, quirks, losses, config)
    if config:
        written["output_config"] = config
    _beside(request, losses, written)
    if own:
        _join(request, written)
    _keep_few_caches(written, turns.marks, losses)
    return written


def _join(request: Request, written: dict[str, Any]) -> None:
    """What only Anthropic knows of a field that the vocabulary has: joins the rest of it."""
    for path, value in request.native.items():
        *names, last = path.split(".")
        place = written
        for name in names:
            inner = place[name] = dict(place.get(name, {}))
            place = inner
        if names:
            place[last] = value


def _beside(request: Request, losses: Losses, written: dict[str, Any]) -> None:
    """What stands beside the question."""
    own = request.dialect == NAME
    if request.metadata and not own:
        losses.drop(name_of(request, "metadata"))
    user = {"user_id": request.user} if request.user else {}
    if metadata := {**user, **(request.metadata or {})} if own else user:
        written["metadata"] = metadata
    if tier := request.service_tier if own else _TIERS.get(request.service_tier):
        written["service_tier"] = tier
    elif request.service_tier:
        losses.drop(name_of(request, "service_tier"))
    if request.cache is not None:
        written["cache_control"] = point(request.cache)
    if request.stream:
        written["stream"] = True
    losses.drop_all(name for name in request.extra if name in written)  # what is said in the caller's own words holds
    for name, value in {**(request.native if own else {}), **request.extra}.items():
        if not own or "." not in name:
            written.setdefault(name, value)


def _lose(request: Request, losses: Losses) -> None:
    if request.candidates is not None and request.candidates != 1:
        losses.refuse(name_of(request, "candidates"), "there is one answer to a question")
    if any(modality != "text" for modality in request.modalities):
        losses.refuse(name_of(request, "modalities"), "its models answer with words")
    for name in _REFUSED:
        if getattr(request, name):
            losses.refuse(name_of(request, name))
    for name in _DROPPED:
        if getattr(request, name) not in (None, ""):
            losses.drop(name_of(request, name))


def _thinking(
    request: Request, turns: list[dict[str, Any]], quirks: Quirks, losses: Losses, config: dict[str, Any]
) -> tuple[int, dict[str, Any] | None]:
    """`max_tokens` and how much to think. Without a limit of the caller's, the answer has its usual room beside the thought.

    A tool that must be called and thinking exclude each other: the tool stays. So does a call whose thought is not there.
    """
    most, asked = request.max_tokens, request.reasoning
    if asked is None:
        return quirks.default_max_tokens if most is None else most, None
    if not is_known(asked.effort) and request.dialect != NAME and quirks.thinking != "none":
        losses.refuse(name_of(request, "reasoning"), f"{asked.effort!r} is nothing that it could think by")
    thinking = _in_own_words(asked, config) if request.dialect == NAME else _translated(asked, most, quirks, config)
    kind = (thinking or {}).get("type")
    forced = request.tool_choice is not None and request.tool_choice.mode == "required"
    unthought = kind == "enabled" and _calls_without_thought(turns)
    if kind not in _NO_THOUGHT and (forced or unthought) and request.dialect != NAME:
        kind = thinking = None
        config.pop("effort", None)
    budget = thinking.get("budget_tokens", 0) if thinking else 0
    off = quirks.thinking_off and (asked.effort == "none" or asked.budget == 0)
    if request.dialect != NAME and thinking is not None and "type" in thinking:
        miss_half(request, losses, by="tokens" if kind == "enabled" else "words")
    if (kind is None and not off and not config) or (0 < budget < (asked.budget or 0)):
        losses.drop(name_of(request, "reasoning"))
    return quirks.default_max_tokens + budget if most is None else most, thinking


def _in_own_words(asked: Reasoning, config: dict[str, Any]) -> dict[str, Any] | None:
    if asked.effort:
        config["effort"] = asked.effort
    thinking: dict[str, Any] = {"type": "adaptive"}
    if asked.budget is not None:
        thinking = {"type": "enabled", "budget_tokens": asked.budget} if asked.budget else {"type": "disabled"}
    elif not asked.adaptive:
        return None
    return thinking | ({"display": "omitted" if asked.show == "none" else "summarized"} if asked.show else {})


def _translated(asked: Reasoning, most: int | None, quirks: Quirks, config: dict[str, Any]) -> dict[str, Any] | None:
    if quirks.thinking == "none":
        return None
    budget = asked.budget or 0
    if asked.effort == "none" or asked.budget == 0:
        return {"type": "disabled"} if quirks.thinking_off else None
    show = {"display": "omitted" if asked.show == "none" else "summarized"} if asked.show else {}
    if quirks.thinking == "adaptive":
        if effort := asked.effort or (effort_of(budget) if budget > 0 else ""):
            config["effort"] = _EFFORTS.get(effort, effort)
        return {"type": "adaptive", **show}
    if budget <= 0:
        budget = budget_of(asked.effort or "medium", most)
    elif most is not None and budget >= most:
        budget = most - SMALLEST
    return {"type": "enabled", "budget_tokens": max(budget, SMALLEST), **show} if budget else None


def _calls_without_thought(turns: list[dict[str, Any]]) -> bool:
    """Whether the last turn of the assistant's calls a tool and does not begin with a thought: thinking is refused there."""
    last: Any = next((turn["content"] for turn in reversed(turns) if turn["role"] == "assistant"), "")
    if isinstance(last, str) or last[0]["type"] in ("thinking", "redacted_thinking"):
        return False
    return any(block["type"] == "tool_use" for block in last)


def _tools(request: Request, marks: dict[int, str], quirks: Quirks, losses: Losses) -> list[Any]:
    choice = request.tool_choice
    only = choice.tools if choice is not None and (choice.mode == "auto" or len(choice.tools) > 1) else ()
    written: list[Any] = []
    for number, tool in enumerate(request.tools):
        path = request.tool_path_of(number)
        if not isinstance(tool, Tool):
            if tool.dialect != NAME:
                losses.refuse(path, f"{tool.kind} is another provider's own tool")
            written.append(tool.raw)
            continue
        if tool.custom:
            losses.refuse(path, "its tools take JSON alone")
        if only and tool.name not in only:
            continue
        written.append(_tool(tool, path, request, quirks, losses))
        if "cache_control" in written[-1]:
            marks[id(written[-1])] = f"{path}.{name_of(request, 'cache')}"
    return written


def _tool(tool: Tool, path: str, request: Request, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    said: dict[str, Any] = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    said["input_schema"] = tool.parameters or _EMPTY_SCHEMA
    if tool.strict is not None and quirks.strict_tools:
        said["strict"] = tool.strict
    elif tool.strict:
        losses.drop(f"{path}.strict")
    if tool.cache is not None:
        said["cache_control"] = point(tool.cache)
    return {**said, **tool.extra} if request.dialect == NAME else said


def _choice(request: Request, losses: Losses, *, has_tools: bool) -> dict[str, Any] | None:
    choice, one_by_one = request.tool_choice, request.parallel_tool_calls is False
    if not has_tools:
        if choice is not None and choice.mode == "required":
            losses.drop(name_of(request, "tool_choice"))
        return None
    if choice is None and not one_by_one:
        return None
    said: dict[str, Any] = {"type": "auto"}
    if choice is not None and choice.mode != "auto":
        said = {"type": "none" if choice.mode == "none" else "any"}
        if choice.mode == "required" and len(choice.tools) == 1:
            said = {"type": "tool", "name": choice.tools[0]}
    return {**said, "disable_parallel_tool_use": True} if one_by_one and said["type"] != "none" else said


def _sample(request: Request, quirks: Quirks, losses: Losses, written: dict[str, Any]) -> None:
    """How to choose words. Two ways at once are refused by its newer models: the temperature stays."""
    own = request.dialect == NAME
    thinks = written.get("thinking", {}).get("type") not in _NO_THOUGHT
    warmest, warmth, share = quirks.temperature_max or 1, request.temperature, request.top_p
    fits = {
        "temperature": warmth is not None and warmth <= warmest and (warmth == 1 or not thinks),
        "top_p": share is not None and (share >= _LEAST_TOP_P or not thinks) and (own or warmth is None),
        "top_k": not thinks,
    }
    for name, is_fit in fits.items():
        if (value := getattr(request, name)) is not None:
            if is_fit and quirks.sampling:
                written[name] = value
            else:
                losses.drop(name_of(request, name))
    stops = [stop for stop in request.stop if own or stop.strip()]
    if quirks.most_stops is not None and len(stops) > quirks.most_stops:
        losses.refuse(name_of(request, "stop"), f"it takes {quirks.most_stops} at most")
    if stops:
        written["stop_sequences"] = stops
    if len(stops) < len(request.stop):
        losses.drop(name_of(request, "stop"))


def _form(request: Request, quirks: Quirks, losses: Losses, config: dict[str, Any]) -> None:
    form = request.response_format
    if form is not None:
        if form.kind == "json":
            losses.refuse(name_of(request, "response_format"), "it answers freely or by a schema: send a JSON schema")
        if not quirks.json_schema:
            losses.refuse(name_of(request, "response_format"), "it has no answers by a schema")
        if form.description:
            losses.drop(name_of(request, "response_format.description"))
        config["format"] = {"type": "json_schema", "schema": form.schema or msgspec.Raw(b"{}")}


def _keep_few_caches(written: dict[str, Any], marks: dict[int, str], losses: Losses) -> None:
    """Of more cache points than Anthropic takes, the earliest go: a later one caches what an earlier one does, and more.

    `marks`: how the caller calls them, by the identities of what has them.
    """
    places: list[tuple[str, dict[str, Any]]] = []

    def look(path: str, blocks: Any) -> None:
        for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
            if isinstance(block, dict):
                look(f"{path}[{number}].content", block.get("content"))
                if "cache_control" in block:
                    places.append((marks.get(id(block), f"{path}[{number}].cache_control"), block))

    for name in ("tools", "system", "messages"):
        look(name, written.get(name))
    most = _MOST_CACHES - ("cache_control" in written)
    for path, block in places[: max(len(places) - most, 0)]:
        del block["cache_control"]
        losses.drop(path)
