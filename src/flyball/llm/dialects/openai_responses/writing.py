"""A request of the vocabulary for a provider that is asked in Responses.

OpenAI refuses: a thought without what followed it, one of another's or without its signature; a schema without a name. It
holds a model to a tool's schema unless it is told not to, and keeps what is asked and answered unless it is told not to.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from flyball.llm import messages as m
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.efforts import effort_of
from flyball.llm.losses import Losses
from flyball.llm.media import data_url
from flyball.llm.signatures import detached, wrap
from flyball.llm.translation import leave_behind, name_of

from .asking import NAME, suited
from .items import BETWEEN, CALLS, HOME
from .requests import ENCRYPTED, LOGPROBS

_SAME = ("parallel_tool_calls", "temperature", "top_p", "top_logprobs", "metadata", "user", "service_tier", "store")
_OF_OTHERS = ("stop", "seed", "top_k", "frequency_penalty", "presence_penalty")  # servers like OpenAI's take them
_TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"))
_FILES = frozenset((NAME, "openai_chat"))  # whose file ids are OpenAI's
_COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text")
_ALSO_COUNTED = ("conversation", "previous_response_id", "truncation")
_NO_PARAMETERS = {"type": "object", "properties": {}}


def write_request(request: m.Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
    """The body. What cannot be said is dropped or refused through `losses`."""
    return msgspec.json.encode(_body(request, model, quirks, losses))


def write_count_request(request: m.Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
    """The question for the number of tokens, which knows fewer fields."""
    asked = _body(request, model, quirks, losses)
    return msgspec.json.encode({name: asked[name] for name in (*_COUNTED, *_ALSO_COUNTED) if name in asked})


def _body(request: m.Request, model: str, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    leave_behind(request, losses, to=NAME)
    own = request.dialect == NAME
    body: dict[str, Any] = {"model": model, **_conversation(request, quirks, losses)}
    if request.stream:
        body["stream"] = True
    if request.tools:
        body["tools"] = [_tool(tool, at, request, quirks, losses) for at, tool in enumerate(request.tools)]
        if request.tool_choice is not None:
            body["tool_choice"] = _tool_choice(request.tool_choice, request.tools)
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    _refuse(request, losses)
    for name in (*_SAME, *_OF_OTHERS):
        value = getattr(request, name)
        if value not in (None, "", ()) and _fits(name, value, request, quirks, losses):
            body[name] = value
    _add_wishes(body, request, quirks, losses)
    if not own:
        body.setdefault("store", False)  # nobody else keeps an answer unasked
    for name, value in (request.native if own else {}).items():
        if name == "include":
            body[name] = [*value, *body.get(name, ())]
        else:
            body[name] = {**value, **body.get(name, {})} if name in ("reasoning", "text") else value
    return suited({**body, **request.extra, **body}, quirks, losses)


def _refuse(request: m.Request, losses: Losses) -> None:
    if request.candidates not in (None, 1):
        losses.refuse(name_of(request, "candidates"), "there is one answer to a question")
    if any(modality != "text" for modality in request.modalities):
        losses.refuse(name_of(request, "modalities"), "it answers with words")
    if request.stop and request.dialect != NAME:
        losses.refuse(name_of(request, "stop"), "it has no stop sequences")
    if request.cache is not None:
        losses.drop(name_of(request, "cache"))


def _fits(name: str, value: Any, request: m.Request, quirks: Quirks, losses: Losses) -> bool:
    match name:
        case "parallel_tool_calls":
            return bool(request.tools)
        case "stop" | "seed" | "frequency_penalty" | "presence_penalty":
            fits = request.dialect == NAME
        case "top_k":
            fits = request.dialect == NAME and quirks.sampling
        case "temperature":
            fits = quirks.sampling and (quirks.temperature_max is None or value <= quirks.temperature_max)
        case "top_p":
            fits = quirks.sampling
        case "service_tier":
            fits = value in _TIERS
        case _:
            fits = True
    if not fits:
        losses.drop(name_of(request, name))
    return fits


def _add_wishes(body: dict[str, Any], request: m.Request, quirks: Quirks, losses: Losses) -> None:
    text: dict[str, Any] = {"verbosity": request.verbosity} if request.verbosity else {}
    if (wanted := request.response_format) is not None:
        text["format"] = _format(request, wanted, quirks, losses)
    if text:
        body["text"] = text
    thinks = quirks.thinking != "none"
    if (asked := request.reasoning) is not None:
        budget = asked.budget
        effort = asked.effort or ("" if budget is None or budget < 0 else effort_of(budget))
        said = {"effort": effort, "summary": "" if asked.show == "none" else asked.show}
        if thinks and any(said.values()):
            body["reasoning"] = {name: value for name, value in said.items() if value}
        elif not thinks and effort != "none":
            losses.drop(name_of(request, "reasoning"))
    # Thoughts come back by what is sealed in them: nothing is kept for us.
    include = [ENCRYPTED] if thinks and not request.store and request.dialect != NAME else []
    if request.logprobs:
        include.append(LOGPROBS)
    if include:
        body["include"] = include


def _format(request: m.Request, wanted: m.ResponseFormat, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    if wanted.kind == "json" or not quirks.json_schema:
        if wanted.kind == "schema":
            losses.drop(name_of(request, "response_format"))
        return {"type": "json_object"}
    said = {"type": "json_schema", "name": wanted.name or "answer", "description": wanted.description or None}
    schema = wanted.schema or msgspec.Raw(b"{}")
    return _without_none({**said, "schema": schema, "strict": wanted.strict})


def _tool_choice(choice: m.ToolChoice, tools: Sequence[m.Tool | m.NativeTool]) -> Any:
    if not choice.tools:
        return choice.mode
    custom = {tool.name for tool in tools if isinstance(tool, m.Tool) and tool.custom}
    named = [{"type": "custom" if name in custom else "function", "name": name} for name in choice.tools]
    if choice.mode == "required" and len(named) == 1:
        return named[0]
    return {"type": "allowed_tools", "mode": choice.mode, "tools": named}


def _tool(tool: m.Tool | m.NativeTool, at: int, request: m.Request, quirks: Quirks, losses: Losses) -> Any:
    if isinstance(tool, m.NativeTool):
        if tool.dialect != NAME:
            losses.refuse(f"tools[{at}]", f"{tool.kind} is a tool of its own provider")
        return tool.raw
    own = request.dialect == NAME
    said: dict[str, Any] = {"type": "custom" if tool.custom else "function", "name": tool.name}
    said |= {"description": tool.description} if tool.description else {}
    if tool.custom:
        grammar = tool.grammar
        if isinstance(grammar, dict) and isinstance(grammar.get("grammar"), dict):
            grammar = {"type": "grammar", **grammar["grammar"]}
        said |= {"format": grammar} if grammar is not None else {}
    else:
        said["parameters"] = _NO_PARAMETERS if tool.parameters is None else tool.parameters
        if tool.strict and not quirks.strict_tools:
            losses.drop(f"tools[{at}].strict")
        if tool.strict is not None or not own:  # unsaid it is strict here, and elsewhere it is not
            said["strict"] = bool(tool.strict) and quirks.strict_tools
    if tool.cache is not None:
        losses.drop(f"tools[{at}].cache_control")
    return {**said, **tool.extra} if own else said


# -- items


def _conversation(request: m.Request, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    turns = _Items(request, quirks, losses)
    written: dict[str, Any] = {}
    messages = request.messages
    own = request.dialect == NAME
    if own and messages and request.path_of(0) == "instructions":
        written["instructions"] = messages[0].text
    said = [item for at in range(len(written), len(messages)) for item in turns.of(messages[at], request.path_of(at))]
    plain = own and len(said) == 1 and request.path_of(len(messages) - 1) == "input"
    if said or not own:
        written["input"] = said[0]["content"] if plain else said
    return written


class _Items:
    """One request's turns, being written."""

    def __init__(self, request: m.Request, quirks: Quirks, losses: Losses) -> None:
        self._request = request
        self._quirks = quirks
        self._losses = losses
        self._own = request.dialect == NAME

    def of(self, message: m.Message, path: str) -> list[dict[str, Any]]:
        """A turn's items."""
        if message.name:
            self._losses.drop(f"{path}.name")
        written = [item for parts, own in self._grouped(message) for item in self._item(message, parts, own, path)]
        # Without what followed it a thought is refused.
        while not self._own and written and written[-1].get("type") == "reasoning":
            written.pop()
            self._losses.drop(f"{path}.thinking")
        return written

    def _grouped(self, message: m.Message) -> Iterator[tuple[Sequence[m.Part], dict[str, Any] | None]]:
        """The parts of each item, and what only this dialect says of it."""
        if self._own and (known := message.extra.get("items")):
            start = 0
            for length, own in known:
                yield message.parts[start : start + length], own
                start += length
        elif message.role in ("assistant", "tool"):
            yield from (((part,), {}) for part in detached(message.parts))
        else:
            yield message.parts, {}

    def _item(
        self, message: m.Message, parts: Sequence[m.Part], own: dict[str, Any] | None, path: str
    ) -> Iterator[dict[str, Any]]:
        first = parts[0] if parts else None
        if own is None and isinstance(first, m.Native):
            yield first.raw
        elif message.role not in ("assistant", "tool"):
            yield {"role": message.role, "content": self._content(parts, path), **(own or {})}
        elif isinstance(first, m.ToolResult):
            yield {**self._result(first, path), **(own or {})}
        elif isinstance(first, m.ToolCall):
            kind = "custom_tool_call" if first.custom else "function_call"
            written = first.arguments if first.custom else first.arguments or "{}"
            yield {"type": kind, "call_id": first.id, "name": first.name, CALLS[kind]: written, **(own or {})}
        elif isinstance(first, m.Thinking):
            yield from self._thought(first, own or {}, path)
        elif isinstance(first, m.Media) and self._own:
            yield {"type": "image_generation_call", "status": "completed", "result": first.data, **(own or {})}
        elif isinstance(first, m.Native | m.Media):
            self._losses.drop(f"{path}.{first.kind}")
        elif self._own or not isinstance(first, m.Text) or first.text:
            yield self._said(parts, own or {}, path)

    def _thought(self, thought: m.Thinking, own: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
        signature = thought.signature
        if not self._own and (signature is None or signature.origin != HOME or thought.belongs_to_next):
            self._losses.drop(f"{path}.thinking")
            return
        shown = thought.text.split(BETWEEN) if not (thought.redacted or thought.belongs_to_next) else []
        item: dict[str, Any] = {"type": "reasoning", "id": signature.id if signature else ""}
        item["id"] = own.get("id") or item["id"] or _id("rs", thought.text)
        item["summary"] = [{"type": "summary_text", "text": text} for text in shown]
        if signature is not None:
            item["encrypted_content"] = wrap(thought, home=HOME)
        yield {**item, **own}

    def _said(self, parts: Sequence[m.Part], own: dict[str, Any], path: str) -> dict[str, Any]:
        """The model's words: a string where they are nothing but one text, which every compatible server takes."""
        content: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, m.Refusal):
                content.append({"type": "refusal", "refusal": part.text})
            elif isinstance(part, m.Text):
                if part.citations and not self._own:
                    self._losses.drop(f"{path}.citations")
                self._mark({}, part, path)
                cited = [dict(one.extra) for one in part.citations if self._own]
                content.append({"type": "output_text", "text": part.text, "annotations": cited})
        plain = not own and len(content) < 2 and not any(one.get("annotations", True) for one in content)
        if plain:
            return {"role": "assistant", "content": content[0]["text"] if content else ""}
        head = {"type": "message", "id": _id("msg", str(content)), "status": "completed", "role": "assistant"}
        return {**head, "content": content, **own}

    def _result(self, part: m.ToolResult, path: str) -> dict[str, Any]:
        if part.is_error:
            self._losses.drop(f"{path}.is_error")
        self._mark({}, part, path)
        kind = "custom_tool_call_output" if part.custom else "function_call_output"
        return {"type": kind, "call_id": part.call_id, "output": self._content(part.parts, path)}

    def _content(self, parts: Sequence[m.Part], path: str) -> str | list[dict[str, Any]]:
        written = [self._part(part, f"{path}.content[{at}]") for at, part in enumerate(parts)]
        if not written or (len(written) == 1 and written[0].keys() == {"type", "text"}):
            return str(written[0]["text"]) if written else ""
        return written

    def _part(self, part: m.Part, path: str) -> dict[str, Any]:
        match part:
            case m.Text():
                said: dict[str, Any] = {"type": "input_text", "text": part.text}
            case m.Media():
                said = self._media(part, path)
            case m.Native() if self._own:
                return dict(part.raw)
            case m.Refusal():
                return {"type": "input_text", "text": part.text}
            case _:
                self._losses.refuse(path)
                return {}
        self._mark(said, part, path)
        return {**said, **part.extra} if self._own else said

    def _media(self, media: m.Media, path: str) -> dict[str, Any]:
        self._losses.drop_all(f"{path}.{name}" for name in ("context", "cite") if getattr(media, name))
        if media.text:
            return {"type": "input_text", "text": media.text}
        if media.file_id and self._request.dialect not in _FILES:
            self._losses.refuse(f"{path}.file_id", "files belong to the provider that has them")
        by_value = data_url(media.media_type, media.data) if media.data else ""
        if media.kind == "image":
            place = {"file_id": media.file_id} if media.file_id else {"image_url": by_value or media.url}
            return {"type": "input_image", "detail": media.detail or "auto", **place}
        if media.kind == "document":
            name = media.name or ("document.pdf" if by_value and not self._own else "")
            place = {"file_data": by_value} if by_value else {"file_url": media.url}
            place = {"file_id": media.file_id} if media.file_id else place
            return {"type": "input_file", **({"filename": name} if name and not media.file_id else {}), **place}
        if media.kind == "audio" and media.data and self._own:
            form = {"audio/mpeg": "mp3"}.get(media.media_type) or media.media_type.rpartition("/")[2]
            return {"type": "input_audio", "input_audio": {"data": media.data, "format": form}}
        self._losses.refuse(path, f"it takes no {media.kind}")
        return {}

    def _mark(self, said: dict[str, Any], part: m.Text | m.Media | m.ToolResult, path: str) -> None:
        """The point up to which may be cached, as far as the vendor lets it be said."""
        if part.cache is None:
            return
        if said and (self._own or self._quirks.cache_points == "prompt_cache_breakpoint"):
            longer = {"ttl": "12h"} if part.cache.ttl == "1h" else {}
            said["prompt_cache_breakpoint"] = {"mode": "explicit", **longer}
        else:
            self._losses.drop(f"{path}.cache_control")


def _id(prefix: str, of: str) -> str:
    """An id for what has none: the same for the same."""
    return f"{prefix}_{hashlib.blake2b(of.encode(), digest_size=12).hexdigest()}"


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
