"""Responses requests as they are relayed: the top level is taken apart, and every value stays the bytes it came in."""

from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialect import Asked, suited, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import field, missing, top_level
from flyball.llm.losses import Losses
from flyball.llm.messages import last_user_text as last_user_text_of

NAME = "openai_responses"
KEPT_ELSEWHERE = ("prompt", "conversation", "previous_response_id")  # what may stand for an input
_OTHERS_THOUGHT = b'"flyball:'


def ask(body: bytes, *, model: str = "", stream: bool | None = None) -> Asked:
    """Take a body apart. Raises InvalidBodyError, naming the field."""
    fields = top_level(body)
    model = model or field(fields, "model", str) or ""
    if not model:
        raise missing("model", "a string that names a model or a function of this server")
    if all(bytes(fields.get(name, b"null")) == b"null" for name in ("input", *KEPT_ELSEWHERE)):
        raise missing("input", "a string or a list of items")
    streamed = field(fields, "stream", bool | None) if stream is None else stream
    return Asked(dialect=NAME, fields=fields, model=model, stream=bool(streamed))


def last_user_text(asked: Asked) -> str | None:
    """What the user said last; None for shapes that are none."""
    try:
        found = field(asked.fields, "input")
    except InvalidBodyError:
        return None
    return found if isinstance(found, str) else last_user_text_of(found)


def end_user(asked: Asked) -> str:
    """The caller's name for its own user."""
    for name in ("safety_identifier", "user"):
        try:
            if found := field(asked.fields, name, str | None):
                return str(found)
        except InvalidBodyError:
            continue
    return ""


def relayed(asked: Asked, *, model: str, quirks: Quirks, losses: Losses) -> bytes:
    """The body for a provider of this dialect. Thoughts of another vendor's are taken out: OpenAI refuses what it did not write."""
    fields: dict[str, Any] = {**without_ours(asked.fields), "model": model}
    if _OTHERS_THOUGHT in bytes(asked.fields.get("input", b"")):
        fields["input"] = _without_others_thoughts(asked, losses)
    return msgspec.json.encode(suited(fields, quirks, losses))


class _Thought(msgspec.Struct):
    type: Any = None
    encrypted_content: Any = None


def _without_others_thoughts(asked: Asked, losses: Losses) -> Any:
    items = field(asked.fields, "input")
    if not isinstance(items, list):
        return asked.fields["input"]
    kept = []
    for at, raw in enumerate(field(asked.fields, "input", list[msgspec.Raw])):
        found = msgspec.convert(items[at], _Thought) if isinstance(items[at], dict) else _Thought()
        if found.type == "reasoning" and str(found.encrypted_content).startswith("flyball:"):
            losses.drop(f"input[{at}]")
        else:
            kept.append(raw)
    return kept
