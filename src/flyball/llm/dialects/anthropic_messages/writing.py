"""What a provider is asked in Anthropic's words: instructions first and apart, turns that alternate, results before all else.

Anthropic refuses: no `max_tokens`, empty texts, a first turn that is not the user's, white space at the end of a last turn
of the assistant, more than four cache points, sampling beside thinking, a tool that must be called beside thinking.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from flyball.llm.arguments import to_object_of_request
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.efforts import SMALLEST, budget_of, effort_of
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Cache,
    Media,
    Message,
    Native,
    Part,
    Reasoning,
    Refusal,
    Request,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from flyball.llm.signatures import detached
from flyball.llm.translation import leave_behind, name_of

from .answers import HOME, NAME

_REFUSED = ("logprobs", "top_logprobs")
_DROPPED = ("frequency_penalty", "presence_penalty", "seed", "verbosity", "store")
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_EFFORTS = {"minimal": "low"}
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_MOST_CACHES = 4
_LEAST_TOP_P = 0.95  # beside thinking
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_STANDARD = str.maketrans("-_", "+/")
_EMPTY_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')
_NO_THOUGHT = ("disabled", None)


def body(request: Request, *, model: str, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    """The body. Raises CannotCarryError, and InvalidBodyError for a call whose arguments are no object."""
    leave_behind(request, losses, to=NAME)
    _lose(request, losses)
    turns = _Turns(request, losses)
    turns.end(quirks)
    config: dict[str, Any] = {}
    max_tokens, thinking = _thinking(request, turns.written, quirks, losses, config)
    written: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "messages": turns.written}
    if system := turns.system:
        plain = len(system) == 1 and len(system[0]) == 2
        written["system"] = system[0]["text"] if plain else system
    if tools := _tools(request, quirks, losses):
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
    _keep_few_caches(written, losses)
    return written


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
        written["cache_control"] = _point(request.cache)
    if request.stream:
        written["stream"] = True
    for name, value in {**(request.native if own else {}), **request.extra}.items():
        if name != "output_config" or not own:
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


def _point(cache: Cache) -> dict[str, Any]:
    return {"type": "ephemeral", "ttl": cache.ttl} if cache.ttl in ("5m", "1h") else {"type": "ephemeral"}


class _Turns:
    """The conversation as Anthropic wants it."""

    def __init__(self, request: Request, losses: Losses) -> None:
        self.written: list[dict[str, Any]] = []
        self.system: list[dict[str, Any]] = []
        self._losses = losses
        self._own = request.dialect == NAME
        self._count = len(request.messages)
        self._results = 0  # blocks at the beginning of the last turn that are results
        for number, message in enumerate(request.messages):
            self._add(message, f"messages[{number}]")

    def end(self, quirks: Quirks) -> None:
        """What the whole must be. Writes a turn of one text as a string."""
        written, losses = self.written, self._losses
        if not written or written[0]["role"] != "user":
            losses.refuse("messages", "the first turn has to be the user's")
        if written[-1]["role"] == "assistant":
            if not quirks.prefill:
                losses.refuse(f"messages[{self._count - 1}]", "the last turn has to be the user's")
            if "text" in (last := written[-1]["content"][-1]):
                last["text"] = last["text"].rstrip()  # Anthropic refuses it otherwise
        for turn in written:
            content = turn["content"]
            if len(content) == 1 and len(content[0]) == 2 and "text" in content[0]:
                turn["content"] = content[0]["text"]

    def _add(self, message: Message, path: str) -> None:
        role = "assistant" if message.role == "assistant" else "user"
        if message.name:
            self._losses.drop(f"{path}.name")
        if message.role in ("system", "developer"):
            # Anthropic itself takes instructions between turns; for anybody else's callers they go to the front.
            role = "system" if self._own and self.written else ""
        blocks = list(self._blocks(message, path, is_instruction=role in ("", "system")))
        if not role:
            self.system += blocks
        elif blocks:
            self._put(role, blocks)
            if self._own:
                self.written[-1] |= message.extra

    def _put(self, role: str, blocks: list[dict[str, Any]]) -> None:
        if not self.written or self.written[-1]["role"] != role:
            self.written.append({"role": role, "content": []})
            self._results = 0
        content = self.written[-1]["content"]
        for block in blocks:
            if block["type"] == "tool_result":
                content.insert(self._results, block)
                self._results += 1
            else:
                content.append(block)

    def _blocks(self, message: Message, path: str, *, is_instruction: bool) -> Iterator[dict[str, Any]]:
        at = -1
        for part in detached(message.parts):
            at += not (isinstance(part, Thinking) and part.belongs_to_next)
            where = f"{path}.content[{max(at, 0)}]"
            if isinstance(part, Thinking) and not _is_home(part):
                self._losses.drop(f"{path}.thinking")
                continue
            block = self._block(part, where, message.role)
            if block is None:
                continue
            if is_instruction and block["type"] != "text":
                self._losses.refuse(where, "instructions are words")
            yield self._marked(block, part)

    def _marked(self, block: dict[str, Any], part: Part) -> dict[str, Any]:
        if isinstance(part, Thinking | Refusal):
            return block
        if part.cache is not None:
            block["cache_control"] = _point(part.cache)
        if self._own and not isinstance(part, Native) and part.extra and "block" not in part.extra:
            block |= part.extra
        return block

    def _block(self, part: Part, path: str, role: str) -> dict[str, Any] | None:  # noqa: C901, PLR0911 -- one for each kind
        match part:
            case Text():
                block: dict[str, Any] = {"type": "text", "text": part.text}
                if part.citations:
                    own = [citation.extra for citation in part.citations if citation.dialect == NAME]
                    if len(own) != len(part.citations):
                        self._losses.drop(f"{path}.citations")
                    block |= {"citations": own} if own else {}
                return block if part.text.strip() else None
            case ToolCall():
                text = part.arguments
                given = {"input": text} if part.custom else to_object_of_request(text, f"{path}.arguments")
                return {"type": "tool_use", "id": _id(part.id), "name": part.name, "input": given}
            case ToolResult():
                return self._result(part, path)
            case Thinking(signature=signature) if signature is not None:
                if part.redacted:
                    return {"type": "redacted_thinking", "data": signature.data}
                return {"type": "thinking", "thinking": part.text, "signature": signature.data}
            case Media():
                if role == "assistant":
                    self._losses.drop(path)  # Anthropic takes none from the assistant
                    return None
                return self._media(part, path)
            case Refusal():
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Native() if part.dialect == NAME:
                return dict(part.raw)
            case Native() if role != "assistant":
                self._losses.refuse(path)
        self._losses.drop(path)
        return None

    def _result(self, part: ToolResult, path: str) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": _id(part.call_id)}
        inner = []
        for number, one in enumerate(part.parts):
            if (said := self._block(one, f"{path}.content[{number}]", "tool")) is not None:
                inner.append(self._marked(said, one))
        if inner:
            plain = len(inner) == 1 and inner[0].keys() == {"type", "text"}
            block["content"] = inner[0]["text"] if plain else inner
        if part.is_error is not None:
            block["is_error"] = part.is_error
        return block

    def _media(self, part: Media, path: str) -> dict[str, Any]:
        if "block" in part.extra and self._own:
            return dict(part.extra["block"])
        if part.kind not in ("image", "document"):
            self._losses.refuse(path, f"it takes no {part.kind}")
        if part.detail not in ("", "auto"):
            self._losses.drop(f"{path}.detail")
        block: dict[str, Any] = {"type": part.kind, "source": self._source(part, path)}
        if part.kind == "document":
            block |= {"title": part.name} if part.name else {}
            block |= {"context": part.context} if part.context else {}
            block |= {"citations": {"enabled": part.cite}} if part.cite is not None else {}
        return block

    def _source(self, part: Media, path: str) -> dict[str, Any]:
        if part.text:
            return {"type": "text", "media_type": "text/plain", "data": part.text}
        if part.data:
            if not self._own and part.media_type not in (_IMAGES if part.kind == "image" else ("application/pdf",)):
                self._losses.refuse(path, f"it takes no {part.kind} of the type {part.media_type!r}")
            return {"type": "base64", "media_type": part.media_type, "data": part.data.translate(_STANDARD)}
        if part.file_id and self._own:
            return {"type": "file", "file_id": part.file_id}
        if not part.url.startswith(("https://", "http://")) and not self._own:
            self._losses.refuse(path, "it takes base64 and addresses of the web")
        return {"type": "url", "url": part.url}


def _is_home(thought: Thinking) -> bool:
    return thought.signature is not None and thought.signature.origin == HOME and not thought.belongs_to_next


def _id(id_: str) -> str:
    """An id that Anthropic takes: the same for the same."""
    return id_ if _ID.fullmatch(id_) else "call_" + hashlib.blake2b(id_.encode(), digest_size=12).hexdigest()


def _thinking(
    request: Request, turns: list[dict[str, Any]], quirks: Quirks, losses: Losses, config: dict[str, Any]
) -> tuple[int, dict[str, Any] | None]:
    """`max_tokens` and how much to think. Without a limit of the caller's, the answer has its usual room beside the thought.

    A tool that must be called and thinking exclude each other: the tool stays. So does a call whose thought is not there.
    """
    most, asked = request.max_tokens, request.reasoning
    if asked is None:
        return most or quirks.default_max_tokens, None
    thinking = _in_own_words(asked, config) if request.dialect == NAME else _translated(asked, most, quirks, config)
    kind = (thinking or {}).get("type")
    forced = request.tool_choice is not None and request.tool_choice.mode == "required"
    unthought = kind == "enabled" and _calls_without_thought(turns)
    if kind not in _NO_THOUGHT and (forced or unthought) and request.dialect != NAME:
        kind = thinking = None
        config.pop("effort", None)
    budget = thinking.get("budget_tokens", 0) if thinking else 0
    off = asked.effort == "none" or asked.budget == 0
    if (kind is None and not off and not config) or (0 < budget < (asked.budget or 0)):
        losses.drop(name_of(request, "reasoning"))
    return most or quirks.default_max_tokens + budget, thinking


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
        return {"type": "disabled"}
    show = {"display": "omitted" if asked.show == "none" else "summarized"} if asked.show else {}
    if quirks.thinking == "adaptive":
        if effort := asked.effort or (effort_of(budget) if budget > 0 else ""):
            config["effort"] = _EFFORTS.get(effort, effort)
        return {"type": "adaptive", **show}
    if budget <= 0:
        budget = budget_of(asked.effort or "medium", most)
    elif most is not None and budget >= most:
        budget = most - SMALLEST
    if budget < 0:
        budget = budget_of("medium", most)
    return {"type": "enabled", "budget_tokens": max(budget, SMALLEST), **show} if budget else None


def _calls_without_thought(turns: list[dict[str, Any]]) -> bool:
    """Whether the last turn of the assistant's calls a tool and does not begin with a thought: thinking is refused there."""
    last: Any = next((turn["content"] for turn in reversed(turns) if turn["role"] == "assistant"), "")
    if isinstance(last, str) or last[0]["type"] in ("thinking", "redacted_thinking"):
        return False
    return any(block["type"] == "tool_use" for block in last)


def _tools(request: Request, quirks: Quirks, losses: Losses) -> list[Any]:
    choice = request.tool_choice
    only = choice.tools if choice is not None and (choice.mode == "auto" or len(choice.tools) > 1) else ()
    written: list[Any] = []
    for number, tool in enumerate(request.tools):
        path = f"tools[{number}]"
        if not isinstance(tool, Tool):
            if tool.dialect != NAME:
                losses.refuse(path, f"{tool.kind} is another provider's own tool")
            written.append(tool.raw)
            continue
        if tool.custom:
            losses.refuse(path, "its tools take JSON alone")
        if only and tool.name not in only:
            continue
        said: dict[str, Any] = {"name": tool.name}
        if tool.description:
            said["description"] = tool.description
        said["input_schema"] = tool.parameters or _EMPTY_SCHEMA
        if tool.strict is not None and quirks.strict_tools:
            said["strict"] = tool.strict
        elif tool.strict:
            losses.drop(f"{path}.strict")
        if tool.cache is not None:
            said["cache_control"] = _point(tool.cache)
        written.append({**said, **tool.extra} if request.dialect == NAME else said)
    return written


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
    stops = [stop for stop in request.stop if own or stop.strip()][: quirks.most_stops]
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
            losses.drop(name_of(request, "response_format") + ".description")
        config["format"] = {"type": "json_schema", "schema": form.schema or msgspec.Raw(b"{}")}
    if request.dialect == NAME:
        config |= request.native.get("output_config", {})


def _keep_few_caches(written: dict[str, Any], losses: Losses) -> None:
    """Of more cache points than Anthropic takes, the earliest go: a later one caches what an earlier one does, and more."""
    places: list[tuple[str, dict[str, Any]]] = []

    def look(path: str, blocks: Any) -> None:
        for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
            if isinstance(block, dict):
                look(f"{path}[{number}].content", block.get("content"))
                if "cache_control" in block:
                    places.append((f"{path}[{number}].cache_control", block))

    for name in ("tools", "system", "messages"):
        look(name, written.get(name))
    most = _MOST_CACHES - ("cache_control" in written)
    for path, block in places[: max(len(places) - most, 0)]:
        del block["cache_control"]
        losses.drop(path)
