"""Items, of which both a conversation and an answer consist, as the vocabulary has them. Knows neither requests nor streams.

A thought of another vendor's comes with its signature in an envelope, and goes back to it as it was.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from flyball.llm import messages as m
from flyball.llm.arguments import to_text
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import Fields, wrong
from flyball.llm.media import prove, split_data_url
from flyball.llm.signatures import unwrap

from .asking import NAME

HOME = "openai"
BETWEEN = "\n\n"  # the parts of a summary
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
RESULTS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
_TEXTS = frozenset(("input_text", "output_text", "text", "summary_text"))
_CONTENTS = _TEXTS | {"refusal", "input_image", "input_file", "input_audio"}
_AUDIO = {"mp3": "audio/mpeg"}
_USUAL: Mapping[str, Any] = {"phase": "final_answer", "caller": {"type": "direct"}}


class Item(NamedTuple):
    """One item: its parts, and what nobody else can say of it (its id, its status); None: it is its only part, a `Native`.

    `places`: where each part stands.
    """

    parts: tuple[m.Part, ...]
    own: dict[str, Any] | None
    places: tuple[str, ...]


class _Plain(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An item as almost all are. Any other is taken apart field by field, as it is for the sake of its errors."""

    type: str = ""
    id: str = ""
    status: str = ""


class _Message(_Plain):
    role: str
    content: str


class _Call(_Plain):
    call_id: str
    name: str
    arguments: str


class _Output(_Plain):
    call_id: str
    output: str


_PLAIN: Mapping[str, type[_Message | _Call | _Output]] = {
    "message": _Message,
    "function_call": _Call,
    "function_call_output": _Output,
}


def _plain(value: dict[str, Any], kind: str, path: str) -> Item | None:
    try:
        said = msgspec.convert(value, _PLAIN[kind])
    except msgspec.ValidationError:
        return None
    place = path
    if isinstance(said, _Call):
        part: m.Part = m.ToolCall(id=said.call_id, name=said.name, arguments=said.arguments)
    elif not (text := said.content if isinstance(said, _Message) else said.output):
        return None
    elif isinstance(said, _Output):
        part = m.ToolResult(call_id=said.call_id, parts=(m.Text(text=text),))
    else:
        part, place = m.Text(text=text), f"{path}.content"
    own = {"id": said.id} if said.id else {}
    return Item((part,), {**own, "status": said.status} if said.status else own, (place,))


def read(value: dict[str, Any], kind: str, path: str, left: list[str]) -> Item:
    """An item, which is used up. The paths of what only this dialect can say join `left`. Raises InvalidBodyError."""
    if kind in _PLAIN and (plain := _plain(value, kind, path)) is not None:
        return plain
    known = kind in CALLS or kind in RESULTS or kind in ("message", "reasoning")
    if not known and not (kind == "image_generation_call" and isinstance(value.get("result"), str) and value["result"]):
        return Item((m.Native(dialect=NAME, kind=kind, raw=value),), None, (path,))
    said = Fields(value, path)
    said.any("type")
    id_, status = said.text("id"), said.any("status")
    own: dict[str, Any] = {name: value for name, value in (("id", id_), ("status", status)) if value}
    parts: tuple[m.Part, ...]
    places: tuple[str, ...] = (path,)
    if kind == "message":
        said.any("role")
        listed = type(value.get("content")) is list
        parts = tuple(content_of(said, "content", left))
        places = tuple(f"{path}.content[{at}]" for at in range(len(parts))) if listed else (f"{path}.content",)
    elif kind == "reasoning":
        own |= {name: _copied(value.get(name)) for name in ("summary", "content") if value.get("content")}
        parts = (_thought(said, id_, left),)
    elif kind in CALLS:
        parts = (_call(said, kind),)
    elif kind in RESULTS:
        words: Any = tuple(content_of(said, "output", left))
        for at, one in enumerate(words):
            if isinstance(one, m.Refusal):
                raise wrong(f"{path}.output[{at}].type", "a part of a result", "refusal")
        call = said.needed_text("call_id")
        parts = (m.ToolResult(call_id=call, parts=words, name=said.text("name"), custom=kind.startswith("custom")),)
    else:
        form = said.text("output_format", "png")
        parts = (m.Media(kind="image", media_type=f"image/{form}", data=said.needed_text("result")),)
    return Item(parts, {**own, **_told(said, left)}, places)


def _told(said: Fields, left: list[str]) -> dict[str, Any]:
    """What is left of an item. What says only the usual is no loss to anybody else."""
    before = len(left)
    if not (rest := said.left(left)):
        return rest
    usual = {said.at(name) for name, value in _USUAL.items() if rest.get(name) == value}
    left[before:] = [path for path in left[before:] if path not in usual]
    return rest


def _copied(pieces: Any) -> Any:
    return [dict(one) if type(one) is dict else one for one in pieces] if type(pieces) is list else []


def _thought(said: Fields, id_: str, left: list[str]) -> m.Thinking:
    words = []
    for name in ("summary", "content"):
        for piece in said.each(name):
            piece.any("type")
            words.append(piece.text("text"))
            piece.left(left)
    text, data = BETWEEN.join(words), said.text("encrypted_content")
    if not data:
        return m.Thinking(text=text)
    signature, of_next = unwrap(data, home=HOME)
    if signature.data == data:
        signature = msgspec.structs.replace(signature, id=id_)
    return m.Thinking(text=text, signature=signature, redacted=not (words or of_next), belongs_to_next=of_next)


def _call(said: Fields, kind: str) -> m.ToolCall:
    written = said.any(CALLS[kind])
    if not isinstance(written, str | dict | None) or (kind == "custom_tool_call" and isinstance(written, dict)):
        raise wrong(said.at(CALLS[kind]), "a string", written)
    return m.ToolCall(
        id=said.needed_text("call_id"),
        name=said.needed_text("name"),
        arguments=written if isinstance(written, str) else "" if written is None else to_text(written),
        custom=kind == "custom_tool_call",
    )


def content_of(said: Fields, name: str, left: list[str]) -> Iterator[m.Part]:
    """What is said: a string, or a list of parts."""
    content, path = said.any(name), said.at(name)
    if isinstance(content, str):
        if content:
            yield m.Text(text=content)
    elif isinstance(content, list):
        for at, value in enumerate(content):
            yield part_of(value, f"{path}[{at}]", left)
    elif content is not None:
        raise wrong(path, "a string or a list of parts", content)


def part_of(value: Any, path: str, left: list[str]) -> m.Part:
    """One part of a content. Raises InvalidBodyError."""
    kind = value.get("type") if type(value) is dict else None
    if type(kind) is not str:
        raise wrong(f"{path}.type" if type(value) is dict else path, "a part with its type", kind or value)
    if kind not in _CONTENTS:
        return m.Native(dialect=NAME, kind=kind, raw=value)
    said = Fields(value, path)
    said.any("type")
    if kind == "refusal":
        return m.Refusal(text=said.needed_text("refusal"))
    part: m.Text | m.Media
    if kind in _TEXTS:
        left += [said.at("logprobs")] if said.any("logprobs") else []
        part = m.Text(text=said.needed_text("text"), citations=tuple(_cited(said)))
    else:
        part = _image(said) if kind == "input_image" else _file(said) if kind == "input_file" else _heard(said, left)
    hint = said.inner("prompt_cache_breakpoint")
    extra = said.left(left)
    if hint is not None:
        return msgspec.structs.replace(part, cache=_cache(hint, left), extra=extra)
    return msgspec.structs.replace(part, extra=extra) if extra else part


def _cache(hint: Fields, left: list[str]) -> m.Cache:
    hint.any("mode")
    if (ttl := hint.text("ttl")) not in ("", "12h"):
        left.append(hint.at("ttl"))
    hint.left(left)
    return m.Cache(ttl="1h" if ttl == "12h" else "")


def _cited(said: Fields) -> Iterator[m.Citation]:
    path = said.at("annotations")
    for at, one in enumerate(said.listed("annotations")):
        if type(one) is not dict:
            raise wrong(f"{path}[{at}]", "an object", one)
        yield citation_of(one)


def _image(said: Fields) -> m.Media:
    url, file_id, detail = said.text("image_url"), said.text("file_id"), said.text("detail")
    if not url and not file_id:
        raise InvalidBodyError(f"{said.path} has neither image_url nor file_id", param=said.path, next_step="send one")
    media_type, data = split_data_url(url, said.at("image_url")) or ("", "")
    detail = "" if detail == "auto" else detail
    return m.Media(
        kind="image", media_type=media_type, data=data, url="" if data else url, file_id=file_id, detail=detail
    )


def _file(said: Fields) -> m.Media:
    url, data, file_id = said.text("file_url"), said.text("file_data"), said.text("file_id")
    if not (url or data or file_id):
        raise InvalidBodyError(
            f"{said.path} has none of file_data, file_url and file_id", param=said.path, next_step="send one of them"
        )
    found = split_data_url(data, said.at("file_data"))
    if found is None and data:
        prove("application/pdf", data, said.at("file_data"))
    media_type, data = found or ("application/pdf" if data else "", data)
    name = said.text("filename")
    return m.Media(kind="document", media_type=media_type, data=data, url=url, file_id=file_id, name=name)


def _heard(said: Fields, left: list[str]) -> m.Media:
    if (inner := said.inner("input_audio")) is None:
        raise wrong(said.at("input_audio"), "an object", None)
    data, form = inner.needed_text("data"), inner.text("format", "wav")
    prove("", data, inner.at("data"))
    inner.left(left)
    return m.Media(kind="audio", media_type=_AUDIO.get(form, f"audio/{form}"), data=data)


def citation_of(said: Mapping[str, Any]) -> m.Citation:
    """What a text rests on; all of this dialect's own words are kept."""

    def text(*names: str) -> str:
        return next((value for name in names if isinstance(value := said.get(name), str)), "")

    def place(name: str) -> int | None:
        return value if type(value := said.get(name)) is int else None

    return m.Citation(
        kind="url" if said.get("type") == "url_citation" else "file",
        url=text("url"),
        title=text("title", "filename"),
        quote=text("content"),
        file_id=text("file_id"),
        start=place("start_index"),
        end=place("end_index"),
        dialect=NAME,
        extra=said,
    )


def annotation_of(citation: m.Citation, length: int) -> dict[str, Any] | None:
    """The words for it, the text having this length; None for what cannot be said."""
    if citation.dialect == NAME:
        return dict(citation.extra)
    if citation.kind != "url" or not citation.url:
        return None
    end = length if citation.end is None else citation.end
    place = {"start_index": citation.start or 0, "end_index": end, "title": citation.title, "url": citation.url}
    return {"type": "url_citation", **place, **({"content": citation.quote} if citation.quote else {})}
