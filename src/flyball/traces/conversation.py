"""A span's text as people read it: a conversation line by line where it is one, else the text itself.

Knows messages in every shape that spans bring them in; knows no page.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .dialects.messages import read_messages
from .dialects.parts import Message
from .dialects.texts import written

_LARGEST = 1024 * 1024  # characters that are looked into; a longer text is shown as it begins
_MOST_LINES = 200


class Line(NamedTuple):
    """What one of them said. `role` is empty where the text is no conversation."""

    role: str
    text: str


class Said(NamedTuple):
    """The lines, and whether anything was left out."""

    lines: tuple[Line, ...]
    cut: bool


def conversation(text: str, *, longest: int) -> Said:
    """The lines of a text, each cut to so many characters."""
    messages = read_messages(text) if len(text) <= _LARGEST else None
    lines = [line for message in messages for line in _lines(message)] if messages else [Line("", text)]
    shown = tuple(Line(line.role, line.text[:longest]) for line in lines[:_MOST_LINES])
    return Said(shown, cut=len(lines) > _MOST_LINES or any(len(line.text) > longest for line in lines))


def _lines(message: Message) -> Iterator[Line]:
    role = str(message.get("role", ""))
    if reasoning := message.get("reasoning"):
        yield Line(f"{role}, thinking", str(reasoning))
    content = message.get("content")
    calls = [_call(call) for call in message.get("tool_calls", ())]
    if content or not (reasoning or calls):
        yield Line(role, content if isinstance(content, str) else "\n".join(map(_part, content or ())))
    for call in calls:
        yield Line(f"{role}, calling a tool", call)


def _call(call: dict[str, Any]) -> str:
    function = call["function"]
    return f"{function['name']}({function['arguments']})"


def _part(part: dict[str, Any]) -> str:
    if part.get("type") == "text":
        return str(part.get("text", ""))
    where = part.get("url") or part.get("file_id") or part.get("mime_type")
    if where is None and "data" not in part:
        return written(part)
    return f"[{part.get('type', 'file')}: {where or 'inside'}]"
