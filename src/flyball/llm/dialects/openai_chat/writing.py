"""A request of the vocabulary for a provider that is asked in chat. Knows what the many compatible ones take differently."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.efforts import effort_of
from flyball.llm.losses import Losses
from flyball.llm.media import data_url
from flyball.llm.messages import (
    Media,
    Message,
    Native,
    NativeTool,
    Part,
    Refusal,
    Request,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from flyball.llm.translation import leave_behind, name_of

from .asking import INCLUDE_USAGE, NAME, suited
from .thoughts import details_of

_SAMPLING = ("temperature", "top_p", "top_k")
_SAME = ("frequency_penalty", "presence_penalty", "seed", "logprobs", "top_logprobs", "store", "metadata")
_TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast"))
_FILES = frozenset((NAME, "openai_responses"))  # whose file ids are OpenAI's
_FORMATS = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}
_SIGNED = Text | Media | Thinking | ToolCall
_NO_PARAMETERS = {"type": "object", "properties": {}}


def write_request(request: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
    """The body. What cannot be said is dropped or refused through `losses`."""
    leave_behind(request, losses, to=NAME)
    body: dict[str, Any] = {"model": model, "messages": _Turns(request, quirks, losses).messages()}
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage == "stream_options":
            body["stream_options"] = INCLUDE_USAGE
    _add_tools(body, request, quirks, losses)
    _add_limits(body, request, quirks, losses)
    if request.response_format is not None:
        body["response_format"] = _response_format(request, request.response_format, quirks, losses)
    if request.reasoning is not None:
        thinking = request.reasoning
        if effort := thinking.effort or ("" if thinking.budget in (None, -1) else effort_of(thinking.budget or 0)):
            body["reasoning_effort"] = effort
        if thinking.show:
            losses.drop(name_of(request, "reasoning.show"))
    if request.modalities:
        if request.dialect != NAME and set(request.modalities) != {"text"}:
            losses.refuse(name_of(request, "modalities"))
        body["modalities"] = request.modalities
    for name, value in (("n", request.candidates), *((name, getattr(request, name)) for name in _SAME)):
        if value is not None:
            body[name] = value
    for name in ("verbosity", "user"):
        if value := getattr(request, name):
            body[name] = value
    if request.service_tier in _TIERS:
        body["service_tier"] = request.service_tier
    elif request.service_tier:
        losses.drop(name_of(request, "service_tier"))
    if request.cache is not None:
        losses.drop(name_of(request, "cache"))
    if request.dialect == NAME:
        for name, value in request.native.items():
            body[name] = {**value, **body.get(name, {})} if name == "stream_options" else value
    for name, value in request.extra.items():
        body.setdefault(name, value)
    return msgspec.json.encode(suited(body, quirks, losses))


def _add_limits(body: dict[str, Any], request: Request, quirks: Quirks, losses: Losses) -> None:
    if request.max_tokens is not None:
        body[quirks.max_tokens_field] = request.max_tokens
    for name in _SAMPLING:
        if (value := getattr(request, name)) is None:
            continue
        too_hot = name == "temperature" and quirks.temperature_max is not None and value > quirks.temperature_max
        if too_hot or not quirks.sampling:
            losses.drop(name_of(request, name))
        else:
            body[name] = value
    if request.stop:
        if quirks.most_stops is not None and len(request.stop) > quirks.most_stops:
            losses.refuse(name_of(request, "stop"), f"it takes {quirks.most_stops} at most")
        body["stop"] = request.stop


def _response_format(request: Request, wanted: ResponseFormat, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    if wanted.kind == "json" or not quirks.json_schema:
        if wanted.kind == "schema":
            losses.drop(name_of(request, "response_format"))
        return {"type": "json_object"}
    said: dict[str, Any] = {"name": wanted.name or "answer"}
    if wanted.description:
        said["description"] = wanted.description
    if wanted.schema is not None:
        said["schema"] = wanted.schema
    if wanted.strict is not None:
        said["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": said}


# -- tools


def _add_tools(body: dict[str, Any], request: Request, quirks: Quirks, losses: Losses) -> None:
    if not request.tools:
        return
    body["tools"] = [_tool(tool, at, request, quirks, losses) for at, tool in enumerate(request.tools)]
    if (choice := request.tool_choice) is not None:
        if not choice.tools:
            body["tool_choice"] = quirks.tool_choice_required if choice.mode == "required" else choice.mode
        else:
            kinds = {tool.name: tool.custom for tool in request.tools if isinstance(tool, Tool)}
            named = [_named(name, custom=kinds.get(name, False)) for name in choice.tools]
            alone = choice.mode == "required" and len(named) == 1
            allowed = {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": named}}
            body["tool_choice"] = named[0] if alone else allowed
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _named(name: str, *, custom: bool) -> dict[str, Any]:
    kind = "custom" if custom else "function"
    return {"type": kind, kind: {"name": name}}


def _tool(tool: Tool | NativeTool, at: int, request: Request, quirks: Quirks, losses: Losses) -> Any:
    if isinstance(tool, NativeTool):
        if tool.dialect != NAME:
            losses.refuse(f"tools[{at}]", f"{tool.kind} is a tool of its own provider")
        return tool.raw
    said: dict[str, Any] = {"name": tool.name}
    if tool.description:
        said["description"] = tool.description
    if tool.custom:
        if tool.grammar is not None:
            said["format"] = tool.grammar
    else:
        said["parameters"] = tool.parameters if tool.parameters is not None else _NO_PARAMETERS
        if tool.strict is not None:
            if quirks.strict_tools:
                said["strict"] = tool.strict
            elif tool.strict:
                losses.drop(f"tools[{at}].strict")
    kind = "custom" if tool.custom else "function"
    written = {"type": kind, kind: said}
    _mark(written, tool, f"tools[{at}]", quirks, losses)
    return {**written, **tool.extra} if request.dialect == NAME else written


# -- messages


class _Turns:
    """One request's messages, being written."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self._request = request
        self._quirks = quirks
        self._losses = losses
        self._own = request.dialect == NAME

    def messages(self) -> list[dict[str, Any]]:
        """All of them, in order."""
        written: list[dict[str, Any]] = []
        waiting: list[dict[str, Any]] = []  # media from results of tools: they follow as the user's
        for at, message in enumerate(self._request.messages):
            path = f"messages[{at}]"
            if message.role == "tool":
                for result in message.parts:
                    if isinstance(result, ToolResult):
                        written.append(self._result(result, path, waiting))
                continue
            if waiting:
                written.append({"role": "user", "content": waiting})
                waiting = []
            said = self._assistant(message, path) if message.role == "assistant" else self._turn(message, path)
            if message.name:
                said["name"] = message.name
            if self._own:
                said |= message.extra
            if self._quirks.alternating_roles and written and written[-1]["role"] == said["role"] == "user":
                written[-1]["content"] = _joined(written[-1]["content"], said["content"])
            else:
                written.append(said)
        return [*written, {"role": "user", "content": waiting}] if waiting else written

    def _turn(self, message: Message, path: str) -> dict[str, Any]:
        role = "system" if message.role == "developer" and not self._quirks.developer_role else message.role
        return {"role": role, "content": self._content(message.parts, path)}

    def _assistant(self, message: Message, path: str) -> dict[str, Any]:
        said: dict[str, Any] = {"role": "assistant"}
        calls = [self._call(part) for part in message.parts if isinstance(part, ToolCall)]
        words: list[Part] = []
        for part in message.parts:
            if isinstance(part, Native) and part.dialect == NAME and part.kind == "audio":
                said["audio"] = part.raw
            elif isinstance(part, Refusal):
                said["refusal"] = said.get("refusal", "") + part.text
            elif (isinstance(part, Native) and part.dialect != NAME) or (isinstance(part, Media) and not self._own):
                self._losses.drop(f"{path}.{part.kind}")
            elif not isinstance(part, Thinking | ToolCall):
                words.append(part)
        said["content"] = self._content(words, path) if words or not (calls or len(said) > 1) else None
        self._add_thoughts(said, message.parts, path)
        if calls:
            said["tool_calls"] = calls
        return said

    def _add_thoughts(self, said: dict[str, Any], parts: Sequence[Part], path: str) -> None:
        quirks = self._quirks
        thoughts = [part for part in parts if isinstance(part, Thinking)]
        if quirks.reasoning_details and (details := details_of(parts)):
            said["reasoning_details"] = details
        elif quirks.reasoning_field and (text := "".join(one.text for one in thoughts if one.signature is None)):
            said[quirks.reasoning_field] = text
        signed = any(isinstance(part, _SIGNED) and part.signature for part in parts)
        if not quirks.reasoning_details and (signed or (thoughts and not quirks.reasoning_field)):
            self._losses.drop(f"{path}.thinking")

    def _call(self, call: ToolCall) -> dict[str, Any]:
        if call.custom:
            said: dict[str, Any] = {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        else:
            said = {"type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
        return {"id": self._id(call.id), **said, **(call.extra if self._own else {})}

    def _id(self, id_: str) -> str:
        if self._quirks.tool_call_ids != "alphanumeric9" or (len(id_) == 9 and id_.isascii() and id_.isalnum()):
            return id_
        return hashlib.sha256(id_.encode()).hexdigest()[:9]

    def _result(self, result: ToolResult, path: str, waiting: list[dict[str, Any]]) -> dict[str, Any]:
        said: dict[str, Any] = {"role": "tool", "tool_call_id": self._id(result.call_id)}
        parts: Sequence[Part] = result.parts
        if not self._own:
            for media in (part for part in parts if isinstance(part, Media) and not part.text):
                waiting.append({"type": "text", "text": f"From the result of tool call {said['tool_call_id']}:"})
                waiting.append(self._part(media, path))
            parts = [part for part in parts if not isinstance(part, Media) or part.text]
        said["content"] = self._content(parts, path)
        if result.name and self._own:
            said["name"] = result.name
        if result.is_error:
            self._losses.drop(f"{path}.is_error")
        _mark(said, result, path, self._quirks, self._losses)
        return {**said, **result.extra} if self._own else said

    def _content(self, parts: Sequence[Part], path: str) -> str | list[dict[str, Any]]:
        """A string where it is nothing but one text, which every compatible server takes."""
        if not parts:
            return ""
        written = [self._part(part, f"{path}.content[{at}]") for at, part in enumerate(parts)]
        if len(written) == 1 and written[0].keys() == {"type", "text"}:
            return str(written[0]["text"])
        return written

    def _part(self, part: Part, path: str) -> dict[str, Any]:
        match part:
            case Text():
                said: dict[str, Any] = {"type": "text", "text": part.text}
            case Media():
                said = self._media(part, path)
            case Refusal():
                return {"type": "refusal", "refusal": part.text}
            case Native() if part.dialect == NAME:
                return dict(part.raw)
            case _:
                self._losses.refuse(path)
                return {}
        _mark(said, part, path, self._quirks, self._losses)
        return {**said, **part.extra} if self._own else said

    def _media(self, media: Media, path: str) -> dict[str, Any]:
        for name in ("context", "cite"):
            if getattr(media, name):
                self._losses.drop(f"{path}.{name}")
        if media.text:
            return {"type": "text", "text": media.text}
        if media.file_id:
            if self._request.dialect not in _FILES or media.kind != "document":
                self._losses.refuse(f"{path}.file_id")
            return {"type": "file", "file": {"file_id": media.file_id}}
        url = media.url or data_url(media.media_type, media.data)
        match media.kind:
            case "image" | "video":
                address = {"url": url, "detail": media.detail} if media.detail else {"url": url}
                return {"type": f"{media.kind}_url", f"{media.kind}_url": address}
            case "audio" if media.data:
                format_ = _FORMATS.get(media.media_type) or media.media_type.rpartition("/")[2]
                return {"type": "input_audio", "input_audio": {"data": media.data, "format": format_}}
            case "document" if media.data or self._own:
                return {"type": "file", "file": {"filename": media.name or "document.pdf", "file_data": url}}
        self._losses.refuse(f"{path}.url")
        return {}


def _mark(said: dict[str, Any], part: Any, path: str, quirks: Quirks, losses: Losses) -> None:
    """The point up to which may be cached, as far as the vendor lets it be said."""
    cache = part.cache
    if cache is None or "prompt_cache_breakpoint" in part.extra:
        return
    if quirks.cache_points == "cache_control":
        said["cache_control"] = {"type": "ephemeral", "ttl": cache.ttl} if cache.ttl else {"type": "ephemeral"}
    elif quirks.cache_points == "prompt_cache_breakpoint" and said.get("type") in _BREAKPOINTS:
        said["prompt_cache_breakpoint"] = {"mode": "explicit"}
    else:
        losses.drop(f"{path}.cache_control")


_BREAKPOINTS = frozenset(("text", "image_url", "input_audio", "file"))


def _joined(first: str | list[Any], second: str | list[Any]) -> list[Any]:
    def parts(content: str | list[Any]) -> Iterable[Any]:
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    return [*parts(first), *parts(second)]
