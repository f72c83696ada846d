"""Whole answers in Anthropic's words, the blocks that they are made of, errors: read and written. Knows no request.

A thought of another vendor is shown with its signature in an envelope, so that it comes home when the caller sends it back.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from flyball.llm.arguments import NO_ARGUMENTS, to_object
from flyball.llm.completions import Choice, Completion, Trouble
from flyball.llm.dialect import Frame
from flyball.llm.losses import Losses
from flyball.llm.messages import Citation, Native, Part, Refusal, Stop, StopReason, Text, Thinking, ToolCall
from flyball.llm.signatures import detached, unwrap, wrap
from flyball.llm.usage import Usage, usage_from_anthropic, usage_to_anthropic

NAME = "anthropic_messages"
HOME = "anthropic"
_REASONS: Mapping[str, StopReason] = {
    "end_turn": "stop",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context",
}
_WORDS = {reason: word for word, reason in _REASONS.items()} | {"content_filter": "refusal", "other": "end_turn"}
_OWN_WORDS = frozenset(("compaction",))  # that mean nothing to anybody else
_TIERS = ("standard", "priority", "batch")
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_TYPES = {status: type_ for type_, status in _STATUSES.items()} | {408: "timeout_error", 503: "overloaded_error"}


class Block(msgspec.Struct, gc=False):
    """A block of an answer, of a kind that others know; every field that they can say."""

    type: str
    text: str | None = None
    citations: list[dict[str, Any]] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = NO_ARGUMENTS
    caller: Any = None
    toolset_name: str | None = None


def trouble_of(said: Any) -> Trouble | None:
    """What stands under `error`, be it an object or mere words; None for what says that there is none."""
    if said is None or said is False:
        return None
    if not isinstance(said, dict):
        return Trouble(message=said if isinstance(said, str) and said else "no message")
    message, type_ = said.get("message"), said.get("type")
    code = type_ if isinstance(type_, str) else ""
    words = message if isinstance(message, str) and message else code or "no message"
    return Trouble(message=words, code=code, status=_STATUSES.get(code, 0))


class _Message(msgspec.Struct):
    content: list[msgspec.Raw] | None = None
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_BLOCK = msgspec.json.Decoder(Block)
_MESSAGE = msgspec.json.Decoder(_Message)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder()
_NULL = msgspec.Raw(b"null")
# What of an answer is no loss where it is not said: it is always the same, or told in another way.
SAID = frozenset(("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage", "error"))
_KINDS = {
    "text": frozenset(("type", "text", "citations")),
    "tool_use": frozenset(("type", "id", "name", "input", "caller", "toolset_name")),
    "thinking": frozenset(("type", "thinking", "signature")),
    "redacted_thinking": frozenset(("type", "data")),
}


def parse(body: bytes) -> Completion | Trouble:
    """A whole answer, or the error that a 200 carried. Raises ValueError for what is neither."""
    said = _MESSAGE.decode(body)
    if (found := trouble_of(said.error)) is not None:
        return found
    if said.content is None:
        raise ValueError("it has no `content`")
    extra = {name: _ANY.decode(raw) for name, raw in unsaid(body, SAID)}
    leftovers = list(extra)
    parts = tuple(part_of(raw, f"content[{at}]", leftovers) for at, raw in enumerate(said.content))
    return Completion(
        id=said.id or "",
        model=said.model or "",
        choices=(Choice(parts=parts, stop=stop_of(said.stop_reason, said.stop_sequence)),),
        usage=usage_from_anthropic(said.usage),
        usage_raw=said.usage,
        service_tier=tier_of(said.usage),
        extra=extra,
        leftovers=tuple(leftovers),
    )


def unsaid(data: bytes | msgspec.Raw, known: frozenset[str]) -> list[tuple[str, msgspec.Raw]]:
    """The fields of an object that are not among the known ones and say something."""
    return [(name, raw) for name, raw in _FIELDS.decode(data).items() if name not in known and raw != _NULL]


def part_of(raw: msgspec.Raw, path: str, leftovers: list[str]) -> Part:
    """One block; what only Anthropic can say of it is named. A kind that is not known may hold anything."""
    fields = _FIELDS.decode(raw)
    kind = _ANY.decode(fields.get("type", _NULL))
    if not isinstance(kind, str):
        raise ValueError(f"{path} has no type")  # noqa: TRY004 -- nonsense of a provider is a ValueError
    if kind not in _KINDS:
        leftovers.append(path)
        return Native(dialect=NAME, kind=kind, raw=_ANY.decode(raw))
    block = _BLOCK.decode(raw)
    leftovers += [f"{path}.{name}" for name, _ in unsaid(raw, _KINDS[kind])]
    match kind:
        case "text":
            return Text(text=block.text or "", citations=tuple(map(citation_of, block.citations or ())))
        case "tool_use":
            extra = {"caller": block.caller, "toolset_name": block.toolset_name}
            extra = {name: value for name, value in extra.items() if value not in (None, {"type": "direct"})}
            leftovers.extend(f"{path}.{name}" for name in extra)
            arguments = bytes(block.input).decode() if block.input != _NULL else "{}"
            return ToolCall(id=block.id or "", name=block.name or "", arguments=arguments, extra=extra)
        case "thinking":
            return thought_of(block.thinking or "", block.signature or "", redacted=False)
    return thought_of("", block.data or "", redacted=True)


def thought_of(words: str, data: str, *, redacted: bool, extra: Mapping[str, Any] | None = None) -> Thinking:
    """A thought, Anthropic's or what an envelope says whose it is."""
    signature, of_next = unwrap(data, home=HOME) if data else (None, False)
    return Thinking(text=words, signature=signature, redacted=redacted, belongs_to_next=of_next, extra=extra or {})


def citation_of(said: dict[str, Any]) -> Citation:
    """What a text rests on; all of Anthropic's own words are kept."""

    def text(*names: str) -> str:
        return next((value for name in names if isinstance(value := said.get(name), str)), "")

    kind = said.get("type")
    where = {"url": text("url", "source")} if kind in ("web_search_result_location", "search_result_location") else {}
    return Citation(
        kind="url" if where else "document",
        title=text("title", "document_title"),
        quote=text("cited_text"),
        file_id=text("file_id"),
        dialect=NAME,
        extra=said,
        **where,  # type: ignore[arg-type]  # a url alone
    )


def citation_for(citation: Citation) -> dict[str, Any] | None:
    """Anthropic's words for a citation; None for what it cannot say."""
    if citation.dialect == NAME:
        return dict(citation.extra)
    if citation.kind != "url":
        return None
    place = {"type": "web_search_result_location", "url": citation.url, "title": citation.title or None}
    return {**place, "cited_text": citation.quote, "encrypted_index": ""}


def is_placed(citation: Citation) -> bool:
    """Whether somebody else's citation is one of some of a text's words, where Anthropic cites for the whole of a text."""
    return citation.dialect != NAME and (citation.start or citation.end) is not None


def stop_of(word: str | None, sequence: str | None) -> Stop:
    """Why an answer ended."""
    return Stop(reason=_REASONS.get(word or "", "other"), sequence=sequence, native=word or "")


def stop_word(stop: Stop, losses: Losses, *, refused: bool) -> str:
    """Anthropic's word for it; `refused`: the answer holds a refusal in words. That there is none is named in `losses`."""
    if refused and stop.reason == "stop":
        return "refusal"
    if stop.reason == "other" and stop.native and stop.native not in _OWN_WORDS:
        losses.drop("stop_reason")
    return stop.native if stop.native in _OWN_WORDS else _WORDS[stop.reason]


def tier_of(usage: Mapping[str, Any] | None) -> str:
    """The service tier, which Anthropic counts among the usage."""
    tier = usage.get("service_tier") if usage else None
    return tier if isinstance(tier, str) else ""


def miss_tier(tier: str, losses: Losses) -> None:
    """Name a service tier that has no word here. The usual one needs none."""
    if tier not in (*_TIERS, "", "default"):
        losses.drop("service_tier")


def counts(usage: Usage | None, tier: str = "") -> dict[str, Any]:
    """The usage; its clients want numbers even where nobody counted."""
    said = usage_to_anthropic(usage) if usage is not None else {"input_tokens": 0, "output_tokens": 0}
    return {**said, "service_tier": tier} if tier in _TIERS else said


def write(completion: Completion, frame: Frame, losses: Losses) -> bytes:
    """A whole answer. What cannot be said is named in `losses`."""
    choice = completion.choices[0] if completion.choices else Choice(stop=Stop(reason="other"))
    own = [at for at, part in enumerate(choice.parts) if isinstance(part, Native) and part.dialect == NAME]
    losses.drop_all(name for name in completion.leftovers if name not in {f"content[{at}]" for at in own})
    losses.drop_all(f"choices[{other.index}]" for other in completion.choices[1:])
    if choice.logprobs is not None:
        losses.drop("logprobs")
    miss_tier(completion.service_tier, losses)
    return msgspec.json.encode(
        {
            "id": f"msg_{frame.id}",
            "type": "message",
            "role": "assistant",
            "model": frame.model,
            "content": list(_blocks(choice.parts, losses)),
            "stop_reason": stop_word(
                choice.stop, losses, refused=any(isinstance(part, Refusal) for part in choice.parts)
            ),
            "stop_sequence": choice.stop.sequence,
            "usage": counts(completion.usage, completion.service_tier),
            **frame.extra,
        }
    )


def _blocks(parts: tuple[Part, ...], losses: Losses) -> Iterator[dict[str, Any]]:
    for part in detached(parts):
        if isinstance(part, Text):
            cited = [citation_for(citation) for citation in part.citations]
            if None in cited or any(map(is_placed, part.citations)):
                losses.drop("citations")
            if part.text or cited:
                found = {"citations": [one for one in cited if one is not None]} if any(cited) else {}
                yield {"type": "text", "text": part.text, **found}
        elif (block := block_for(part, losses)) is not None:
            yield block


def block_for(part: Part, losses: Losses) -> dict[str, Any] | None:  # noqa: PLR0911 -- one for each kind
    """A block that is no text of the answer; None where Anthropic has none for it."""
    match part:
        case ToolCall():
            given = {"input": part.arguments} if part.custom else to_object(part.arguments)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": given, **part.extra}
        case Thinking(redacted=True):
            return {"type": "redacted_thinking", "data": wrap(part, home=HOME)}
        case Thinking():
            return {"type": "thinking", "thinking": part.text, "signature": wrap(part, home=HOME)}
        case Refusal():
            return {"type": "text", "text": part.text}
        case Native() if part.dialect == NAME:
            return dict(part.raw)
        case Native():
            return None  # named among the answer's leftovers
        case _:
            losses.drop(f"content.{type(part).__name__.lower()}")
            return None


# -- errors


class _Envelope(msgspec.Struct):
    error: Any


def trouble(body: bytes) -> Trouble | None:
    """What stands in an error's envelope; None where the body is none."""
    try:
        return trouble_of(msgspec.json.decode(body, type=_Envelope).error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def error(status: int, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The envelope for an error status."""
    type_ = _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    said = {"type": type_, "message": message, **({"details": details} if details else {})}
    return msgspec.json.encode({"type": "error", "error": said})
