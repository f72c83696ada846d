"""Signatures of thoughts in dialects that are not their provider's own.

A signature is of use to the provider that made it, and callers send back what they were given. Where the caller's dialect is
another's, the signature travels in an envelope that says whose it is, so that it comes home unchanged.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote

import msgspec

from .messages import Media, Part, Signature, Text, Thinking, ToolCall

_MARK = "flyball"
_SIGNED = (Text, Media, ToolCall)  # besides thoughts


class Unwrapped(NamedTuple):
    """A signature, and whether it stood on the part behind it."""

    signature: Signature
    belongs_to_next: bool


def wrap(thought: Thinking, *, home: str) -> str:
    """The signature's text for a caller whose dialect is that of the family `home`. Empty where there is none."""
    signature = thought.signature
    if signature is None:
        return ""
    if signature.origin == home and not thought.belongs_to_next and not signature.data.startswith(_MARK + ":"):
        return signature.data
    place = "next" if thought.belongs_to_next else ""
    return f"{_MARK}:{quote(signature.origin, safe='')}:{place}:{quote(signature.id, safe='')}:{signature.data}"


def unwrap(text: str, *, home: str) -> Unwrapped:
    """What a caller of the family `home` sent back. What is in no envelope is that family's own."""
    parts = text.split(":", 4)
    if len(parts) != 5 or parts[0] != _MARK:
        return Unwrapped(Signature(data=text, origin=home), belongs_to_next=False)
    _, origin, place, id_, data = parts
    return Unwrapped(Signature(data=data, origin=unquote(origin), id=unquote(id_)), place == "next")


def to_base64(text: str) -> str:
    """An envelope for a dialect whose signatures are bytes."""
    return base64.b64encode(text.encode()).decode() if text.startswith(_MARK + ":") else text


def from_base64(text: str) -> str:
    """The reverse, in either of base64's alphabets; what is no envelope stays as it is."""
    try:
        found = base64.b64decode(text.translate(_URL_SAFE) + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return text
    return found.decode("utf-8", "replace") if found.startswith(_MARK.encode() + b":") else text


_URL_SAFE = str.maketrans("-_", "+/")


def detached(parts: Iterable[Part]) -> Iterator[Part]:
    """The parts as dialects say them that sign thoughts alone: a signature of anything else becomes a thought before it."""
    for part in parts:
        if isinstance(part, _SIGNED) and part.signature is not None:
            yield Thinking(signature=part.signature, belongs_to_next=True)
            yield msgspec.structs.replace(part, signature=None)
        else:
            yield part


def attached(parts: Iterable[Part]) -> Iterator[Part]:
    """The reverse: a thought that belongs to the next part becomes its signature."""
    waiting: Thinking | None = None
    for part in parts:
        if waiting is not None and isinstance(part, _SIGNED) and part.signature is None:
            yield msgspec.structs.replace(part, signature=waiting.signature)
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = part if isinstance(part, Thinking) and part.belongs_to_next else None
        if waiting is None:
            yield part
    if waiting is not None:
        yield waiting
