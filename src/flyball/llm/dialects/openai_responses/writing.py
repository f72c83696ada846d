"""A request of the vocabulary for a provider that is asked in Responses.

OpenAI refuses: a thought without what followed it, one of another's or without its signature; a schema without a name. It
holds a model to a tool's schema unless it is told not to, and keeps what is asked and answered unless it is told not to.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from flyball.llm import messages as m
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialect import suited
from flyball.llm.efforts import word_for
from flyball.llm.losses import Losses
from flyball.llm.media import data_url
from flyball.llm.signatures import detached, wrap
from flyball.llm.translation import inner_place, leave_behind, miss_half, name_of, name_of_theirs, thought_name

from .asking import NAME
from .items import BETWEEN, CALLS, HOME
from .requests import ENCRYPTED, LOGPROBS

_SAME = ("parallel_tool_calls", "temperature", "top_p", "top_logprobs", "metadata", "user", "service_tier", "store")
_OF_OTHERS = ("stop", "seed", "top_k", "frequency_penalty", "presence_penalty")  # servers like OpenAI's take them
_TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"))
_FILES = frozenset((NAME, "openai_chat"))  # whose file ids are OpenAI's
_COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text")
_ALSO_COUNTED = ("conversation", "previous_response_id", "truncation")
_LONGEST_ID = 64
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
    if (choice := request.tool_choice) is not None and request.tools:
        body["tool_choice"] = _tool_choice(choice, request.tools)
    elif choice is not None and choice.mode == "required":
        losses.drop(name_of(request, "tool_choice"))
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
    if own:
        _add_native(body, request.native)
    losses.drop_all(name for name in request.extra if name in body)  # what is said in the caller's own words holds
    called = partial(name_of_theirs, request, by=NAME)
    return suited({**body, **request.extra, **body}, quirks, losses, called)


def _add_native(body: dict[str, Any], native: Mapping[str, Any]) -> None:
    """What only this dialect says; a path goes where it points."""
    for name, value in native.items():
        if name == "include":
            body[name] = [*value, *body.get(name, ())]
            continue
        *way, last = name.split(".")
        place = body
        for one in way:
            place = place.setdefault(one, {})
        place[last] = value


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
            fits = value in _TIERS or request.dialect == NAME
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
        effort = word_for(asked.effort, asked.budget)
        said = {"effort": effort, "summary": "" if asked.show == "none" else asked.show}
        if thinks and any(said.values()):
            body["reasoning"] = {name: value for name, value in said.items() if value}
        if (effort != "none" and not thinks) or (not effort and (asked.adaptive or asked.budget is not None)):
            losses.drop(name_of(request, "reasoning"))
        miss_half(request, losses, by="words")
    # Thoughts come back by what is sealed in them: nothing is kept for us.
    include = [ENCRYPTED] if thinks and not request.store and request.dialect != NAME else []
    if request.logprobs:
        include.append(LOGPROBS)
    if include:
        body["include"] = include


def _format(request: m.Request, wanted: m.ResponseFormat, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    if wanted.kind == "json":
        return {"type": "json_object"}
    if not quirks.json_schema:
        losses.refuse(name_of(request, "response_format"), "it answers with any JSON object, and by no schema")
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
    path = request.tool_path_of(at)
    if isinstance(tool, m.NativeTool):
        if tool.dialect != NAME:
            losses.refuse(path, f"{tool.kind} is a tool of its own provider")
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
            losses.drop(f"{path}.strict")
        if tool.strict is not None or not own:  # unsaid it is strict here, and elsewhere it is not
            said["strict"] = bool(tool.strict) and quirks.strict_tools
    if tool.cache is not None:
        losses.drop(f"{path}.{name_of(request, 'cache')}")
    return {**said, **tool.extra} if own else said


# -- items


def _conversation(request: m.Request, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    turns = _Items(request, quirks, losses)
    written: dict[str, Any] = {}
    messages = request.messages
    own = request.dialect == NAME
    if own and messages and request.path_of(0) == "instructions":
        written["instructions"] = messages[0].text
    said = [item for at in range(len(written), len(messages)) for item in turns.of(messages[at], at)]
    plain = own and len(said) == 1 and request.path_of(len(messages) - 1) == "input"
    if said or not own:
        written["input"] = said[0]["content"] if plain else said
    return written


class _Placed(NamedTuple):
    """A part, and how the caller calls it."""

    part: m.Part | None
    place: str


_NOTHING = _Placed(None, "")


class _Items:
    """One request's turns, being written."""

    def __init__(self, request: m.Request, quirks: Quirks, losses: Losses) -> None:
        self._request = request
        self._quirks = quirks
        self._losses = losses
        self._own = request.dialect == NAME

    def of(self, message: m.Message, number: int) -> list[dict[str, Any]]:
        """A turn's items."""
        if message.name:
            self._losses.drop(f"{self._request.path_of(number)}.name")
        if not self._own and message.role not in ("assistant", "tool"):
            return [{"role": message.role, "content": self._content(list(self._placed(message, number)))}]
        written = [
            (item, placed[0].place if placed else "")
            for placed, own in self._grouped(message, number)
            for item in self._item(message, placed, own)
        ]
        # Without what followed it a thought is refused.
        while not self._own and written and written[-1][0].get("type") == "reasoning":
            self._losses.drop(written.pop()[1])
        return [item for item, _ in written]

    def _grouped(self, message: m.Message, number: int) -> Iterator[tuple[Sequence[_Placed], dict[str, Any] | None]]:
        """The parts of each item, and what only this dialect says of it."""
        if self._own and (known := message.extra.get("items")):
            start = 0
            for length, own in known:
                parts = message.parts[start : start + length]
                yield [_Placed(part, self._request.place_of(number, start + at)) for at, part in enumerate(parts)], own
                start += length
        elif message.role in ("assistant", "tool"):
            yield from (([one], {}) for one in self._placed(message, number))
        else:
            yield list(self._placed(message, number)), {}

    def _placed(self, message: m.Message, number: int) -> Iterator[_Placed]:
        for at, part in enumerate(message.parts):
            place = self._request.place_of(number, at)
            if not isinstance(part, m.Thinking) and getattr(part, "signature", None) is None:
                yield _Placed(part, place)
                continue
            for one in detached((part,)):
                if isinstance(one, m.Thinking):
                    place = thought_name(self._request, number, at, "thought" if one is part else "signature")
                yield _Placed(one, place)

    def _item(
        self, message: m.Message, placed: Sequence[_Placed], own: dict[str, Any] | None
    ) -> Iterator[dict[str, Any]]:
        first, place = placed[0] if placed else _NOTHING
        if own is None and isinstance(first, m.Native):
            yield first.raw
        elif message.role not in ("assistant", "tool"):
            yield {"role": message.role, "content": self._content(placed), **(own or {})}
        elif isinstance(first, m.ToolResult):
            yield {**self._result(first, place), **(own or {})}
        elif isinstance(first, m.ToolCall):
            self._mark({}, first, place)
            kind = "custom_tool_call" if first.custom else "function_call"
            written = first.arguments if first.custom else first.arguments or "{}"
            yield {"type": kind, "call_id": self._id(first.id), "name": first.name, CALLS[kind]: written, **(own or {})}
        elif isinstance(first, m.Thinking):
            yield from self._thought(first, own or {}, place)
        elif isinstance(first, m.Media) and self._own:
            yield {"type": "image_generation_call", "status": "completed", "result": first.data, **(own or {})}
        elif isinstance(first, m.Native | m.Media):
            self._losses.drop(place)
        elif self._own or not isinstance(first, m.Text) or first.text:
            yield self._said(placed, own or {})

    def _id(self, id_: str) -> str:
        """A call's id, no longer than OpenAI takes it: the same for the same."""
        return id_ if self._own or len(id_) <= _LONGEST_ID else _id("call", id_)

    def _thought(self, thought: m.Thinking, own: dict[str, Any], place: str) -> Iterator[dict[str, Any]]:
        signature = thought.signature
        if not self._own and (signature is None or signature.origin != HOME or thought.belongs_to_next):
            self._losses.drop(place)
            return
        shown = thought.text.split(BETWEEN) if not (thought.redacted or thought.belongs_to_next) else []
        item: dict[str, Any] = {"type": "reasoning", "id": signature.id if signature else ""}
        item["id"] = own.get("id") or item["id"] or _id("rs", thought.text)
        item["summary"] = [{"type": "summary_text", "text": text} for text in shown]
        if signature is not None:
            item["encrypted_content"] = wrap(thought, home=HOME)
        yield {**item, **own}

    def _said(self, placed: Sequence[_Placed], own: dict[str, Any]) -> dict[str, Any]:
        """The model's words: a string where they are nothing but one text, which every compatible server takes."""
        content: list[dict[str, Any]] = []
        for part, place in placed:
            if isinstance(part, m.Refusal):
                content.append({"type": "refusal", "refusal": part.text})
            elif isinstance(part, m.Text):
                if part.citations and not self._own:
                    self._losses.drop(f"{place}.citations")
                self._mark({}, part, place)
                cited = [dict(one.extra) for one in part.citations if self._own]
                content.append({"type": "output_text", "text": part.text, "annotations": cited})
        plain = not own and len(content) < 2 and not any(one.get("annotations", True) for one in content)
        if plain:
            return {"role": "assistant", "content": content[0]["text"] if content else ""}
        head = {"type": "message", "id": _id("msg", str(content)), "status": "completed", "role": "assistant"}
        return {**head, "content": content, **own}

    def _result(self, part: m.ToolResult, place: str) -> dict[str, Any]:
        if part.is_error:
            self._losses.drop(f"{place}.is_error")
        self._mark({}, part, place)
        kind = "custom_tool_call_output" if part.custom else "function_call_output"
        inner = [_Placed(one, inner_place(self._request, place, part, at)) for at, one in enumerate(part.parts)]
        return {"type": kind, "call_id": self._id(part.call_id), "output": self._content(inner)}

    def _content(self, placed: Sequence[_Placed]) -> str | list[dict[str, Any]]:
        written = [self._part(part, place) for part, place in placed]
        if not written or (len(written) == 1 and written[0].keys() == {"type", "text"}):
            return str(written[0]["text"]) if written else ""
        return written

    def _part(self, part: m.Part | None, path: str) -> dict[str, Any]:
        match part:
            case m.Text():
                if part.citations and not self._own:
                    self._losses.drop(f"{path}.{name_of(self._request, 'citations')}")
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
        named = media.kind == "document" and not media.text and (self._own or not media.file_id)
        unsaid = ("context", "cite") if named else ("name", "context", "cite")
        self._losses.drop_all(f"{path}.{name_of(self._request, name)}" for name in unsaid if getattr(media, name))
        if media.text:
            return {"type": "input_text", "text": media.text}
        if media.file_id and self._request.dialect not in _FILES:
            self._losses.refuse(path, "files belong to the provider that has them")
        by_value = data_url(media.media_type, media.data) if media.data else ""
        if media.kind == "image":
            place = {"file_id": media.file_id} if media.file_id else {"image_url": by_value or media.url}
            return {"type": "input_image", "detail": media.detail or "auto", **place}
        if media.kind == "document":
            name = media.name if named else ""
            name = name or ("document.pdf" if by_value and not self._own else "")
            place = {"file_data": by_value} if by_value else {"file_url": media.url}
            place = {"file_id": media.file_id} if media.file_id else place
            return {"type": "input_file", **({"filename": name} if name else {}), **place}
        if media.kind == "audio" and media.data and self._own:
            form = {"audio/mpeg": "mp3"}.get(media.media_type) or media.media_type.rpartition("/")[2]
            return {"type": "input_audio", "input_audio": {"data": media.data, "format": form}}
        self._losses.refuse(path, f"it takes no {media.kind}")
        return {}

    def _mark(self, said: dict[str, Any], part: m.Text | m.Media | m.ToolCall | m.ToolResult, path: str) -> None:
        """The point up to which may be cached, as far as the vendor lets it be said."""
        if part.cache is None:
            return
        if said and (self._own or self._quirks.cache_points == "prompt_cache_breakpoint"):
            longer = {"ttl": "12h"} if part.cache.ttl == "1h" else {}
            said["prompt_cache_breakpoint"] = {"mode": "explicit", **longer}
        else:
            self._losses.drop(f"{path}.{name_of(self._request, 'cache')}")


def _id(prefix: str, of: str) -> str:
    """An id for what has none: the same for the same."""
    return f"{prefix}_{hashlib.blake2b(of.encode(), digest_size=12).hexdigest()}"


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
