"""Thoughts in chat: `reasoning_content` for their words, and OpenRouter's `reasoning_details` for what makes them whole.

A detail is a piece of a thought, read here and written here; the signature of a call stands in one that has the call's id.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from flyball.llm import messages as m
from flyball.llm.signatures import attached, unwrap, wrap

# The fields of a message: words, and what makes them whole. Ours are the first of each.
WORDS, DETAILS = ("reasoning_content", "reasoning"), ("reasoning_details", "thinking_blocks")
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

    type: str | None = None
    text: str | None = None
    summary: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    format: str | None = None
    id: str | None = None
    index: Any = None

    @property
    def words(self) -> str:
        """What may be read."""
        return self.text or self.summary or self.thinking or ""

    @property
    def sealed(self) -> bool:
        """Whether it is nothing but a signature that nobody can read."""
        return self.data is not None

    def signed(self) -> tuple[m.Signature | None, bool]:
        """Its signature, and whether that belongs to the next part."""
        if not (data := self.data or self.signature):
            return None, False
        home = "anthropic" if "thinking" in (self.type or "") else _ORIGINS.get(self.format or "", "")
        signature, of_next = unwrap(data, home=home)
        return (msgspec.structs.replace(signature, id=self.id) if self.id else signature), of_next


def thoughts_of(details: Iterable[Detail], calls: Iterable[str]) -> tuple[list[m.Thinking], dict[str, m.Signature]]:
    """Whole thoughts from their details, and the signatures of calls by the calls' ids."""
    thoughts: list[m.Thinking] = []
    of_calls: dict[str, m.Signature] = {}
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
            thoughts[-1] = m.Thinking(text=text, signature=signature)
        else:
            redacted = detail.sealed and not of_next and not detail.words
            thoughts.append(
                m.Thinking(text=detail.words, signature=signature, redacted=redacted, belongs_to_next=of_next)
            )
        last = detail
    return thoughts, of_calls


def details_of(parts: Iterable[m.Part]) -> list[dict[str, Any]]:
    """The details of a turn: all its thoughts, and the signatures of everything else, in order."""
    details: list[dict[str, Any]] = []
    for part in attached(parts):
        signature = getattr(part, "signature", None)
        if signature is not None or isinstance(part, m.Thinking):
            details += details_of_part(part, signature, len(details))
    return details


def details_of_part(part: m.Part, signature: m.Signature | None, at: int) -> list[dict[str, Any]]:
    """One thought's details, or those of another part that is signed; `at` is their place among the answer's."""
    text = part.text if isinstance(part, m.Thinking) else ""
    if signature is None:
        return [{"type": "reasoning.text", "text": text, "index": at}]
    said: dict[str, Any] = {"format": _FORMATS.get(signature.origin, "unknown"), "index": at}
    thought = isinstance(part, m.Thinking) and not part.belongs_to_next
    home = signature.origin if signature.origin in _FORMATS else ""
    whole = m.Thinking(signature=signature, belongs_to_next=not thought and not isinstance(part, m.ToolCall))
    id_ = part.id if isinstance(part, m.ToolCall) else signature.id
    named = {**said, "id": id_} if id_ else said
    if not thought or part.redacted or signature.origin in _SUMMARISED:  # type: ignore[union-attr] # a thought
        # OpenAI's client puts together what has one index: the format is said once.
        words = [{"type": "reasoning.summary", "summary": text, "index": at}] if text else []
        return [*words, {"type": "reasoning.encrypted", "data": wrap(whole, home=home), **named}]
    return [{"type": "reasoning.text", "text": text, "signature": wrap(whole, home=home), **named}]
