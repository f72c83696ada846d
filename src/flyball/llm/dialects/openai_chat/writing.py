"""A request of the vocabulary for a provider that is asked in chat. Knows what the many compatible ones take differently."""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from flyball.llm import messages as m
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialect import suited
from flyball.llm.efforts import word_for
from flyball.llm.losses import Losses
from flyball.llm.media import data_url
from flyball.llm.translation import inner_place, leave_behind, miss_half, name_of, name_of_theirs, thought_name

from .asking import INCLUDE_USAGE, NAME
from .thoughts import details_of

# Fields of the vocabulary whose values are the same here.
_SAME = (
    ("parallel_tool_calls", "temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "stop"),
    ("candidates", "logprobs", "top_logprobs", "metadata", "store", "verbosity", "user", "service_tier"),
)
_TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast"))
_FILES = frozenset((NAME, "openai_responses"))  # whose file ids are OpenAI's
_MARKED = frozenset(("text", "image_url", "input_audio", "file"))  # parts that OpenAI lets be marked for caching
_FORMATS = {"audio/mpeg": "mp3", "audio/x-wav": "wav"}
_NO_PARAMETERS = {"type": "object", "properties": {}}
_Placed: TypeAlias = tuple[m.Part, str]  # a part, and how the caller calls it


def write_request(request: m.Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
    """The body. What cannot be said is dropped or refused through `losses`."""
    leave_behind(request, losses, to=NAME)
    body: dict[str, Any] = {"model": model, "messages": _Turns(request, quirks, losses).messages()}
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage == "stream_options":
            body["stream_options"] = INCLUDE_USAGE
    if request.tools:
        body["tools"] = [_tool(tool, at, request, quirks, losses) for at, tool in enumerate(request.tools)]
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice, request.tools, quirks)
    if request.max_tokens is not None:
        body[quirks.max_tokens_field] = request.max_tokens
    for name in (*_SAME[0], *_SAME[1]):
        value = getattr(request, name)
        if value not in (None, "", ()) and _fits(name, value, request, quirks, losses):
            body["n" if name == "candidates" else name] = value
    _add_wishes(body, request, quirks, losses)
    native = request.native if request.dialect == NAME else {}
    for name, value in native.items():
        body[name] = {**value, **body.get(name, {})} if name == "stream_options" else value
    losses.drop_all(name for name in request.extra if name in body)  # what is said in the caller's own words holds
    called = partial(name_of_theirs, request, by=NAME)
    return msgspec.json.encode(suited({**body, **request.extra, **body}, quirks, losses, called))


def _add_wishes(body: dict[str, Any], request: m.Request, quirks: Quirks, losses: Losses) -> None:
    if request.modalities:
        if request.dialect != NAME and set(request.modalities) != {"text"}:
            losses.refuse(name_of(request, "modalities"))
        body["modalities"] = request.modalities
    if request.response_format is not None:
        body["response_format"] = _response_format(request, request.response_format, quirks, losses)
    if (thinking := request.reasoning) is not None:
        if effort := word_for(thinking.effort, thinking.budget):
            body["reasoning_effort"] = effort
        elif thinking.adaptive or thinking.budget is not None:
            losses.drop(name_of(request, "reasoning"))  # many think unless they are told, and many do not
        miss_half(request, losses, by="words")
        if thinking.show:
            losses.drop(name_of(request, "reasoning.show"))
    if request.cache is not None:
        losses.drop(name_of(request, "cache"))


def _fits(name: str, value: Any, request: m.Request, quirks: Quirks, losses: Losses) -> bool:
    match name:
        case "parallel_tool_calls":
            return bool(request.tools)  # without tools it says nothing, and OpenAI refuses it
        case "stop" if quirks.most_stops is not None and len(value) > quirks.most_stops:
            losses.refuse(name_of(request, name), f"it takes {quirks.most_stops} at most")
        case "temperature" if quirks.temperature_max is not None and value > quirks.temperature_max:
            losses.drop(name_of(request, name))
            return False
        case "temperature" | "top_p" | "top_k" if not quirks.sampling:
            losses.drop(name_of(request, name))
            return False
        case "service_tier" if value not in _TIERS:
            losses.drop(name_of(request, name))
            return False
    return True


def _response_format(request: m.Request, wanted: m.ResponseFormat, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    if wanted.kind == "json":
        return {"type": "json_object"}
    if not quirks.json_schema:
        losses.refuse(name_of(request, "response_format"), "it answers with any JSON object, and by no schema")
    said = {"name": wanted.name or "answer", "description": wanted.description or None, "schema": wanted.schema}
    return {"type": "json_schema", "json_schema": _without_none({**said, "strict": wanted.strict})}


def _tool_choice(choice: m.ToolChoice, tools: Sequence[m.Tool | m.NativeTool], quirks: Quirks) -> Any:
    if not choice.tools:
        return quirks.tool_choice_required if choice.mode == "required" else choice.mode
    custom = {tool.name for tool in tools if isinstance(tool, m.Tool) and tool.custom}
    kinds = [("custom" if name in custom else "function", name) for name in choice.tools]
    named = [{"type": kind, kind: {"name": name}} for kind, name in kinds]
    if choice.mode == "required" and len(named) == 1:
        return named[0]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": named}}


def _tool(tool: m.Tool | m.NativeTool, at: int, request: m.Request, quirks: Quirks, losses: Losses) -> Any:
    path = request.tool_path_of(at)
    if isinstance(tool, m.NativeTool):
        if tool.dialect != NAME:
            losses.refuse(path, f"{tool.kind} is a tool of its own provider")
        return tool.raw
    said: dict[str, Any] = {"name": tool.name, "description": tool.description or None}
    if tool.custom:
        kind = "custom"
        said["format"] = tool.grammar
    else:
        kind = "function"
        said["parameters"] = _NO_PARAMETERS if tool.parameters is None else tool.parameters
        said["strict"] = tool.strict if quirks.strict_tools else None
        if tool.strict and not quirks.strict_tools:
            losses.drop(f"{path}.{name_of(request, 'strict')}")
    written = {"type": kind, kind: _without_none(said)}
    _mark(written, tool, f"{path}.{name_of(request, 'cache')}", quirks, losses)
    return {**written, **tool.extra} if request.dialect == NAME else written


class _Turns:
    """One request's messages, being written."""

    def __init__(self, request: m.Request, quirks: Quirks, losses: Losses) -> None:
        self._request = request
        self._quirks = quirks
        self._losses = losses
        self._own = request.dialect == NAME
        self._cache = name_of(request, "cache")

    def messages(self) -> list[dict[str, Any]]:
        """All of them, in order."""
        written: list[dict[str, Any]] = []
        for at, message in enumerate(self._request.messages):
            placed = [(part, self._request.place_of(at, number)) for number, part in enumerate(message.parts)]
            if message.role == "tool":
                written += self._results(placed)
                continue
            said = self._assistant(placed, at) if message.role == "assistant" else self._turn(message.role, placed)
            if message.name:
                said["name"] = message.name
            if self._own:
                said |= message.extra
            if self._quirks.alternating_roles and written and written[-1]["role"] == said["role"] == "user":
                written[-1]["content"] = _parts(written[-1]["content"]) + _parts(said["content"])
            else:
                written.append(said)
        return written

    def _turn(self, role: str, placed: Sequence[_Placed]) -> dict[str, Any]:
        if role != "user" and not self._own:
            for part, place in placed:
                if isinstance(part, m.Media) and not part.text:
                    self._losses.refuse(place, "instructions are words")
        role = "system" if role == "developer" and not self._quirks.developer_role else role
        return {"role": role, "content": self._content(placed)}

    def _assistant(self, placed: Sequence[_Placed], number: int) -> dict[str, Any]:
        said: dict[str, Any] = {"role": "assistant", "content": None}
        words: list[_Placed] = []
        calls: list[dict[str, Any]] = []
        for part, place in placed:
            match part:
                case m.ToolCall():
                    calls.append(self._call(part, place))
                case m.Refusal():
                    said["refusal"] = said.get("refusal", "") + part.text
                case m.Native() if self._own and part.kind == "audio":
                    said["audio"] = part.raw
                case m.Native() | m.Media() if not self._own:
                    self._losses.drop(place)
                case m.Text() | m.Native() | m.Media():
                    words.append((part, place))
        if words or not (calls or len(said) > 2):
            said["content"] = self._content(words)
        self._add_thoughts(said, [part for part, _ in placed], number)
        return {**said, "tool_calls": calls} if calls else said

    def _add_thoughts(self, said: dict[str, Any], parts: Sequence[m.Part], number: int) -> None:
        name = self._quirks.reasoning_field
        if self._quirks.reasoning_details:
            if details := details_of(parts):
                said["reasoning_details"] = details
            return
        plain = [part.text for part in parts if isinstance(part, m.Thinking) and part.signature is None]
        if name and (text := "".join(plain)):
            said[name] = text
        for at, part in enumerate(parts):
            signed = getattr(part, "signature", None) is not None
            if signed or (isinstance(part, m.Thinking) and not name):
                kind = "thought" if isinstance(part, m.Thinking) else "signature"
                self._losses.drop(thought_name(self._request, number, at, kind))

    def _call(self, call: m.ToolCall, place: str) -> dict[str, Any]:
        said: dict[str, Any] = {"id": self._id(call.id), "type": "custom" if call.custom else "function"}
        if call.custom:
            said["custom"] = {"name": call.name, "input": call.arguments}
        else:
            said["function"] = {"name": call.name, "arguments": call.arguments or "{}"}
        _mark(said, call, f"{place}.{self._cache}", self._quirks, self._losses)
        return {**said, **call.extra} if self._own else said

    def _id(self, id_: str) -> str:
        if not self._quirks.tool_call_ids or (len(id_) == 9 and id_.isascii() and id_.isalnum()):
            return id_
        return hashlib.sha256(id_.encode()).hexdigest()[:9]

    def _results(self, placed: Sequence[_Placed]) -> list[dict[str, Any]]:
        """Results are words here; what else stands in another dialect's follows as the user's."""
        written: list[dict[str, Any]] = []
        seen: list[dict[str, Any]] = []
        for result, path in placed:
            if not isinstance(result, m.ToolResult):
                continue
            id_ = self._id(result.call_id)
            inner = [(part, inner_place(self._request, path, result, at)) for at, part in enumerate(result.parts)]
            shown = [one for one in inner if isinstance(one[0], m.Media) and not one[0].text and not self._own]
            if shown:
                seen.append({"type": "text", "text": f"From the result of the tool call {id_}:"})
                seen += [self._part(part, place) for part, place in shown]
            words = [one for one in inner if one not in shown]
            said: dict[str, Any] = {"role": "tool", "tool_call_id": id_, "content": self._content(words)}
            if self._own:
                said |= {"name": result.name, **result.extra} if result.name else result.extra
            if result.is_error:
                self._losses.drop(f"{path}.is_error")
            _mark(said, result, f"{path}.{self._cache}", self._quirks, self._losses)
            written.append(said)
        return [*written, {"role": "user", "content": seen}] if seen else written

    def _content(self, placed: Sequence[_Placed]) -> str | list[dict[str, Any]]:
        """A string where it is nothing but one text, which every compatible server takes."""
        written = [self._part(part, place) for part, place in placed]
        if not written or (len(written) == 1 and written[0].keys() == {"type", "text"}):
            return str(written[0]["text"]) if written else ""
        return written

    def _part(self, part: m.Part, path: str) -> dict[str, Any]:
        match part:
            case m.Text():
                if part.citations:
                    self._losses.drop(f"{path}.{name_of(self._request, 'citations')}")
                said: dict[str, Any] = {"type": "text", "text": part.text}
            case m.Media():
                said = self._media(part, path)
            case m.Refusal():
                return {"type": "refusal", "refusal": part.text}
            case m.Native() if self._own:
                return {**part.raw}
            case _:
                self._losses.refuse(path)
                return {}
        _mark(said, part, f"{path}.{self._cache}", self._quirks, self._losses)
        return {**said, **part.extra} if self._own else said

    def _media(self, media: m.Media, path: str) -> dict[str, Any]:
        named = self._own or (media.kind == "document" and media.data)  # a file of its own has a name
        for name in ("context", "cite") if named else ("name", "context", "cite"):
            if getattr(media, name):
                self._losses.drop(f"{path}.{name_of(self._request, name)}")
        if media.text:
            return {"type": "text", "text": media.text}
        url = media.url or data_url(media.media_type, media.data)
        match media.kind:
            case "document" if media.file_id and self._request.dialect in _FILES:
                called = media.name or None if self._own else None
                return {"type": "file", "file": _without_none({"file_id": media.file_id, "filename": called})}
            case _ if media.file_id:
                self._losses.refuse(path, "files belong to the provider that has them")
            case "image" | "video":
                address = {"url": url, "detail": media.detail} if media.detail else {"url": url}
                return {"type": f"{media.kind}_url", f"{media.kind}_url": address}
            case "audio" if media.data:
                format_ = _FORMATS.get(media.media_type) or media.media_type.rpartition("/")[2]
                return {"type": "input_audio", "input_audio": {"data": media.data, "format": format_}}
            case "document" if media.data or self._own:
                return {"type": "file", "file": {"filename": media.name or "document.pdf", "file_data": url}}
        self._losses.refuse(path, f"it takes {media.kind} by value alone")
        return {}


def _mark(said: dict[str, Any], part: Any, name: str, quirks: Quirks, losses: Losses) -> None:
    """The point up to which may be cached, as far as the vendor lets it be said. `name`: how the caller calls it."""
    if part.cache is None or "prompt_cache_breakpoint" in part.extra:
        return
    if quirks.cache_points == "cache_control":
        said["cache_control"] = _without_none({"type": "ephemeral", "ttl": part.cache.ttl or None})
    elif quirks.cache_points and said.get("type") in _MARKED:
        said["prompt_cache_breakpoint"] = {"mode": "explicit"}
    else:
        losses.drop(name)


def _parts(content: str | list[Any]) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
