"""Chat requests as they are relayed: the top level is taken apart, and every value stays the bytes it came in."""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialect import Asked, suited, without_ours
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import field, missing, top_level
from flyball.llm.losses import Losses
from flyball.llm.messages import last_user_text as last_user_text_of

from .relaying import messages_of

NAME = "openai_chat"
DONE = b"data: [DONE]\n\n"
INCLUDE_USAGE = {"include_usage": True}
_OTHER_LIMIT = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


def is_done(data: bytes) -> bool:
    """Whether an event is the last word of a stream, with whatever blanks around it."""
    return data.startswith((b"[DONE]", b" ")) and data.strip() == b"[DONE]"


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


def ask(body: bytes, *, model: str = "", stream: bool | None = None) -> Asked:
    """Take a body apart. Raises InvalidBodyError, naming the field."""
    fields = top_level(body)
    model = model or field(fields, "model", str) or ""
    if not model:
        raise missing("model", "a string that names a model or a function of this server")
    if bytes(fields.get("messages", b"null")) == b"null":
        raise missing("messages", "a list of messages")
    streamed = field(fields, "stream", bool | None) if stream is None else stream
    options = field(fields, "stream_options", _StreamOptions | None) if "stream_options" in fields else None
    wants_usage = not streamed or bool(options and options.include_usage)
    return Asked(dialect=NAME, fields=fields, model=model, stream=bool(streamed), wants_usage=wants_usage)


def last_user_text(asked: Asked) -> str | None:
    """What the user said last; None for shapes that are none."""
    try:
        return last_user_text_of(field(asked.fields, "messages"))
    except InvalidBodyError:
        return None


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
    """The body for a provider of this dialect; only what it words differently at the top level is touched."""
    fields: dict[str, Any] = dict(without_ours(asked.fields))
    fields["model"] = model
    if asked.stream and quirks.stream_usage == "stream_options":
        fields["stream_options"] = {
            **(field(asked.fields, "stream_options", dict[str, Any] | None) or {}),
            **INCLUDE_USAGE,
        }
    other = _OTHER_LIMIT[quirks.max_tokens_field]
    if other in fields and quirks.max_tokens_field not in fields:
        fields = _renamed(fields, {other: quirks.max_tokens_field})
    fields["messages"] = messages_of(asked, quirks, losses)
    return msgspec.json.encode(suited(fields, quirks, losses))


def _renamed(fields: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in fields.items()}
