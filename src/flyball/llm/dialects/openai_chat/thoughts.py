"""Thoughts in chat: `reasoning_content` for their words, and OpenRouter's `reasoning_details` for what makes them whole.

A detail is a piece of a thought, read here and written here; the signature of a call stands in one that has the call's id.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.llm.messages import Media, Part, Signature, Text, Thinking, ToolCall
from flyball.llm.signatures import attached, unwrap, wrap

_FORMATS = {
    "anthropic": "anthropic-claude-v1",
    "google": "google-gemini-v1",
    "openai": "openai-responses-v1",
    "xai": "xai-responses-v1",
}
_ORIGINS = {format_: origin for origin, format_ in _FORMATS.items()}
_SUMMARISED = ("openai", "xai")  # their words and their signature are two details


class Detail(msgspec.Struct):
    """One of `reasoning_details`, or of LiteLLM's `thinking_blocks`."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None

    @property
    def words(self) -> str:
        """What may be read."""
        return self.text or self.summary or self.thinking or ""

    @property
    def sealed(self) -> bool:
        """Whether it is nothing but a signature that nobody can read."""
        return self.data is not None

    def signed(self) -> tuple[Signature | None, bool]:
        """Its signature, and whether that belongs to the next part."""
        if not (data := self.data or self.signature):
            return None, False
        home = "anthropic" if "thinking" in self.type else _ORIGINS.get(self.format or "", "")
        signature, of_next = unwrap(data, home=home)
        return (msgspec.structs.replace(signature, id=self.id) if self.id else signature), of_next


def thoughts_of(details: Iterable[Detail], calls: Iterable[str]) -> tuple[list[Thinking], dict[str, Signature]]:
    """Whole thoughts from their details, and the signatures of calls by the calls' ids."""
    thoughts: list[Thinking] = []
    of_calls: dict[str, Signature] = {}
    ids = frozenset(calls)
    last: Detail | None = None
    for detail in details:
        signature, of_next = detail.signed()
        if signature is not None and detail.sealed and detail.id in ids:
            of_calls[signature.id] = msgspec.structs.replace(signature, id="")
            continue
        open_ = last is not None and last.index == detail.index and not of_next and thoughts[-1].signature is None
        if open_ and not (detail.sealed and last is not None and last.summary is None):
            text = thoughts[-1].text + detail.words
            thoughts[-1] = Thinking(text=text, signature=signature)
        else:
            redacted = detail.sealed and not of_next
            thoughts.append(
                Thinking(text=detail.words, signature=signature, redacted=redacted, belongs_to_next=of_next)
            )
        last = detail
    return thoughts, of_calls


def details_of(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """The details of an answer or a turn: all its thoughts, and the signatures of everything else, in order."""
    details: list[dict[str, Any]] = []
    for part in attached(parts):
        at = len(details)
        if isinstance(part, Thinking):
            details.extend(details_of_thought(part, at))
        elif isinstance(part, Text | Media | ToolCall) and (signature := part.signature) is not None:
            if isinstance(part, ToolCall):
                details.append(sealed(signature.data, signature.origin, part.id, at))
            else:
                envelope = wrap(Thinking(signature=signature, belongs_to_next=True), home="")
                details.append(sealed(envelope, signature.origin, "", at))
    return details


def details_of_thought(thought: Thinking, at: int) -> list[dict[str, Any]]:
    """One thought's details; `at` is its place among the answer's."""
    signature = thought.signature
    if signature is None:
        return [{"type": "reasoning.text", "text": thought.text, "index": at}]
    origin = signature.origin
    data = wrap(thought, home=origin if origin in _FORMATS else "")
    if thought.redacted or thought.belongs_to_next:
        return [sealed(data, origin, signature.id, at)]
    if origin in _SUMMARISED:
        words = {"type": "reasoning.summary", "summary": thought.text, "format": _FORMATS[origin], "index": at}
        return [words, sealed(data, origin, signature.id, at)]
    detail = {"type": "reasoning.text", "text": thought.text, "signature": data, "format": _format(origin), "index": at}
    return [{**detail, "id": signature.id} if signature.id else detail]


def sealed(data: str, origin: str, id_: str, at: int) -> dict[str, Any]:
    """A detail that nobody can read; `id_` is a call's where it signs one."""
    detail = {"type": "reasoning.encrypted", "data": data, "format": _format(origin), "index": at}
    return {**detail, "id": id_} if id_ else detail


def _format(origin: str) -> str:
    return _FORMATS.get(origin, "unknown")
