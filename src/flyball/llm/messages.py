"""A conversation, in the one shape that dialects translate through. Light: the SDK imports this module."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import msgspec

Role = Literal["system", "developer", "user", "assistant", "tool"]
ROLES: tuple[str, ...] = get_args(Role)


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn: who speaks, and what."""

    role: Role
    content: str


def text_of(content: Any) -> str:
    """The text of a message's content as a caller may write it: a string, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""


def last_user_text(messages: Iterable[Mapping[str, Any]]) -> str | None:
    """What the user said last, or None where no user spoke."""
    return next(
        (text_of(message.get("content")) for message in _backwards(messages) if message.get("role") == "user"), None
    )


def _backwards(messages: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [message for message in messages if isinstance(message, Mapping)][::-1]
