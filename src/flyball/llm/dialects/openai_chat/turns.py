"""The messages of a chat request, in the vocabulary, and where each of their parts stands.

Knows OpenAI's messages, and what OpenRouter and LiteLLM add to them; knows nothing of a request's other fields.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from flyball.llm import messages as m
from flyball.llm.arguments import to_text
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, wrong
from flyball.llm.media import prove, split_data_url

from .asking import NAME
from .thoughts import DETAILS, WORDS, Detail, thoughts_of

_AUDIO = {"mp3": "audio/mpeg"}
_SPEAKING = ("system", "developer", "user")  # whose messages have to have a content
_PLAIN_RESULT = frozenset(("role", "tool_call_id", "content"))
_MARKS = ("cache_control", "prompt_cache_breakpoint")
_Placed: TypeAlias = tuple[m.Part, str]  # a part, and how the caller calls it
_PlacedCall: TypeAlias = tuple[m.ToolCall, str]


class _PlainFunction(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    arguments: str


class _PlainCall(msgspec.Struct, forbid_unknown_fields=True):
    """A call as almost all are. Any other is taken apart field by field, as it is for the sake of its errors."""

    id: str
    type: Literal["function"]
    function: _PlainFunction


class Turn(NamedTuple):
    """A message, where it stands in the caller's body, and where each of its parts does."""

    message: m.Message
    path: str
    places: tuple[str, ...]


def turns_of(values: list[Any], left: list[str]) -> Iterator[Turn]:
    """The turns; results of tools that follow each other are one. What nobody takes joins `left`. Raises InvalidBodyError."""
    calls: dict[str, m.ToolCall] = {}
    results: list[_Placed] = []
    for at, value in enumerate(values):
        path = f"messages[{at}]"
        if type(value) is dict and value.get("role") in ("tool", "function"):
            results.append((_plain_result(value, calls) or _result(Fields(value, path), calls, left), path))
            continue
        if results:
            yield _of_tools(results)
            results = []
        yield _plain(value, path) or _turn(Fields(value, path), at, calls, left)
    if results:
        yield _of_tools(results)


def _plain(value: Any, path: str) -> Turn | None:
    """A turn that is nothing but a text, as most are; None for any other."""
    if type(value) is not dict or len(value) != 2 or type(text := value.get("content")) is not str or not text:
        return None
    role: Any = value.get("role")
    if role not in _SPEAKING and role != "assistant":
        return None
    return Turn(m.Message(role=role, parts=(m.Text(text=text),)), path, (f"{path}.content",))


def _turn(said: Fields, at: int, calls: dict[str, m.ToolCall], left: list[str]) -> Turn:
    role: Any = said.needed_text("role")
    if role not in m.ROLES:
        raise contrary(f"{said.path}.role is {role!r}", said.at("role"), f"send one of {', '.join(m.ROLES)}")
    placed = [*(_answered(said, at, calls, left) if role == "assistant" else _content(said, left, role))]
    parts = tuple([part for part, _ in placed])
    message = m.Message(role=role, parts=parts, name=said.text("name"), extra=said.left(left))
    return Turn(message, said.path, tuple([place for _, place in placed]))


def _of_tools(results: list[_Placed]) -> Turn:
    parts, places = tuple(part for part, _ in results), tuple(place for _, place in results)
    return Turn(m.Message(role="tool", parts=parts), places[0], places)


def _plain_result(value: dict[str, Any], calls: Mapping[str, m.ToolCall]) -> m.ToolResult | None:
    """A result that is nothing but a text; None for any other."""
    if value.keys() != _PLAIN_RESULT or type(text := value["content"]) is not str or not text:
        return None
    id_ = value["tool_call_id"]
    if type(id_) is not str or value["role"] != "tool" or (call := calls.get(id_)) is None:
        return None
    return m.ToolResult(call_id=id_, parts=(m.Text(text=text),), custom=call.custom)


def _result(said: Fields, calls: Mapping[str, m.ToolCall], left: list[str]) -> m.ToolResult:
    role, name, where = said.needed_text("role"), said.text("name"), "tool_call_id"
    if role == "function":
        where = "name"
        call = next((one for one in reversed([*calls.values()]) if one.name == name), None)
    else:
        call = calls.get(said.needed_text(where))
    if call is None:
        raise contrary(
            f"{said.at(where)} is that of no call before it", said.at(where), "send the message that calls before it"
        )
    cache = cache_of(said)
    parts: Any = tuple(part for part, _ in _content(said, left, role))
    extra = said.left(left)
    return m.ToolResult(call_id=call.id, parts=parts, name=name, custom=call.custom, cache=cache, extra=extra)


def _answered(said: Fields, at: int, calls: dict[str, m.ToolCall], left: list[str]) -> Iterator[_Placed]:
    path = said.at("tool_calls")
    called = [_call(one, f"{path}[{number}]", left) for number, one in enumerate(said.listed("tool_calls"))]
    if (old := said.inner("function_call")) is not None:
        call = m.ToolCall(id=f"call_{at}_0", name=old.needed_text("name"), arguments=old.text("arguments"))
        called.append((call, old.path))
    signatures: Mapping[str, m.Signature] = {}
    if said.has_any(WORDS) or said.has_any(DETAILS):
        thoughts, signatures = _thoughts(said, {call.id for call, _ in called})
        yield from thoughts
    yield from _content(said, left, "assistant")
    if refusal := said.text("refusal"):
        yield m.Refusal(text=refusal), said.at("refusal")
    if (audio := said.any("audio")) is not None:
        yield m.Native(dialect=NAME, kind="audio", raw=audio), said.at("audio")
    for call, place in called:
        calls[call.id] = call
        signature = signatures.get(call.id)
        yield (call if signature is None else msgspec.structs.replace(call, signature=signature)), place


def _thoughts(said: Fields, calls: set[str]) -> tuple[list[_Placed], dict[str, m.Signature]]:
    plain = {name: said.any(name) for name in WORDS}
    words = next((name for name, one in plain.items() if isinstance(one, str) and one), "")
    listed = {name: said.any(name) for name in DETAILS}
    name = next((one for one, value in listed.items() if value), "reasoning_details")
    try:
        details = msgspec.convert(listed[name] or (), list[Detail])
    except msgspec.ValidationError as error:
        raise contrary(f"{said.at(name)} is wrong: {error}", said.at(name)) from None
    thoughts, signatures = thoughts_of(details, calls)
    placed: list[_Placed] = [(thought, said.at(name)) for thought in thoughts]
    if words and not any(thought.text for thought in thoughts):
        placed.insert(0, (m.Thinking(text=plain[words]), said.at(words)))
    return placed, signatures


def _call(value: Any, path: str, left: list[str]) -> _PlacedCall:
    try:
        plain = msgspec.convert(value, _PlainCall)
    except msgspec.ValidationError:
        return _odd_call(Fields(value, path), left), path
    return m.ToolCall(id=plain.id, name=plain.function.name, arguments=plain.function.arguments), path


def _odd_call(said: Fields, left: list[str]) -> m.ToolCall:
    kind = said.text("type", "function")
    inner = needed(said, kind)
    said.any("index")  # of a stream, sent back
    name = "input" if kind == "custom" else "arguments"
    written = inner.any(name)
    if not isinstance(written, str | dict | None) or (kind == "custom" and isinstance(written, dict)):
        raise wrong(inner.at(name), "a string", written)
    return m.ToolCall(
        id=said.needed_text("id"),
        name=inner.needed_text("name"),
        arguments=written if isinstance(written, str) else "" if written is None else to_text(written),
        custom=kind == "custom",
        cache=cache_of(said),
        extra={**said.left(left), **inner.left(left)},
    )


def _content(said: Fields, left: list[str], role: str) -> Iterator[_Placed]:
    """The parts of a message's content. A mark on the message is one on its last part."""
    name = _MARKS[0] if said.has(_MARKS[0]) else _MARKS[1]
    content, cache, path = said.any("content"), cache_of(said), said.at("content")
    if isinstance(content, str):
        if content:
            yield m.Text(text=content, cache=cache), path if cache is None else said.path
            return
    elif isinstance(content, list):
        for at, value in enumerate(content, 1):
            place = f"{path}[{at - 1}]"
            part = _plain_text(value) or _part(Fields(value, place), value, left)
            if cache is not None and at == len(content) and not isinstance(part, m.Refusal):
                part, cache = msgspec.structs.replace(part, cache=cache), None
            yield part, place
    elif content is not None or role in _SPEAKING:
        raise wrong(path, "a string or a list of parts", content)
    if cache is not None:
        left.append(said.at(name))  # on nothing that could be marked


def _plain_text(value: Any) -> m.Text | None:
    plain = type(value) is dict and len(value) == 2 and value.get("type") == "text"
    return m.Text(text=text) if plain and type(text := value.get("text")) is str else None


def _part(said: Fields, value: dict[str, Any], left: list[str]) -> Any:
    kind = said.needed_text("type")
    hint = value.get("prompt_cache_breakpoint")
    hint = {**hint} if isinstance(hint, dict) else None  # which has more to say than a cache point
    name = _MARKS[0] if said.has(_MARKS[0]) else _MARKS[1]
    changes: dict[str, Any] = {"cache": cache} if (cache := cache_of(said)) is not None else {}
    match kind:
        case "text":
            part: m.Part = m.Text(text=said.needed_text("text"))
        case "refusal":
            part = m.Refusal(text=said.needed_text("refusal"))
            said.left(left)
            left += [said.at(name)] if changes else ()
            return part
        case "image_url" | "video_url":
            part = _seen(said, kind, left)
        case "input_audio" | "file":
            inner = needed(said, kind)
            part = _heard(inner) if kind == "input_audio" else _file(inner)
            inner.left(left)
        case _:
            return m.Native(dialect=NAME, kind=kind, raw={"type": kind, **value}, **changes)
    extra = said.left(left)
    if extra or hint:
        changes["extra"] = {**extra, "prompt_cache_breakpoint": hint} if hint else extra
    return msgspec.structs.replace(part, **changes) if changes else part


def _seen(said: Fields, kind: str, left: list[str]) -> m.Media:
    value = said.any(kind)
    inner = Fields({"url": value} if isinstance(value, str) else value, said.at(kind))
    url, detail, path = inner.needed_text("url"), inner.text("detail"), inner.at("url")
    inner.left(left)
    what: Literal["image", "video"] = "image" if kind == "image_url" else "video"
    if (found := split_data_url(url, path)) is not None:
        return m.Media(kind=what, media_type=found[0], data=found[1], detail=detail)
    return m.Media(kind=what, url=url, detail=detail)


def _heard(inner: Fields) -> m.Media:
    data, format_ = inner.needed_text("data"), inner.text("format", "wav")
    data = prove("", data, inner.at("data"))
    return m.Media(kind="audio", media_type=_AUDIO.get(format_, f"audio/{format_}"), data=data)


def _file(inner: Fields) -> m.Media:
    data, name, file_id = inner.text("file_data"), inner.text("filename"), inner.text("file_id")
    if data.startswith(("https://", "http://")):  # OpenRouter's
        return m.Media(kind="document", url=data, name=name)
    if not data and not file_id:
        raise contrary(f"{inner.path} has neither file_data nor file_id", inner.path, "send one of the two")
    media_type, data = split_data_url(data, inner.at("file_data")) or ("application/pdf" if data else "", data)
    return m.Media(kind="document", media_type=media_type, data=data, file_id=file_id, name=name)


def cache_of(said: Fields) -> m.Cache | None:
    """Where a caller marks the end of what may be cached: as Anthropic's callers do, or as OpenAI's."""
    if not said.has_any(_MARKS):
        return None
    mark, other = said.inner(_MARKS[0]), said.inner(_MARKS[1])
    if mark is not None:
        return m.Cache(ttl=mark.text("ttl"))
    return None if other is None else m.Cache(ttl="1h" if other.text("ttl") == "12h" else "")


def needed(said: Fields, name: str) -> Fields:
    """An object that has to be there."""
    inner = said.inner(name)
    if inner is None:
        raise wrong(said.at(name), "an object", None)
    return inner


def contrary(what: str, param: str, next_step: str = "") -> InvalidBodyError:
    """The error for values that are of the right type, and make no sense."""
    return InvalidBodyError(what, param=param, next_step=next_step)
