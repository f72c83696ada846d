"""A conversation of a chat caller's as it is relayed: what the vendor does not take of thoughts is taken out, all else stays its bytes.

Where thoughts come back in words alone, those that another vendor signed stay away, and many vendors refuse fields that they do not know.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialect import Asked
from flyball.llm.fields import field, usual
from flyball.llm.losses import Losses

from .thoughts import DETAILS, WORDS, Detail

_ENVELOPED = b'"flyball:'
_SYSTEM, _NULL = msgspec.Raw(b'"system"'), b"null"
_LISTED = msgspec.json.Decoder(list[Detail])
_EACH = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def messages_of(asked: Asked, quirks: Quirks, losses: Losses) -> Any:
    """The messages. What is taken out is named. Raises InvalidBodyError."""
    raw = asked.fields["messages"]
    said = bytes(raw)
    renames = not quirks.developer_role and b'"developer"' in said
    if not renames and not any(mark in said for mark in _marks(quirks)):
        return raw
    messages: list[dict[str, msgspec.Raw]] = field(asked.fields, "messages", list[dict[str, msgspec.Raw]])
    for at, message in enumerate(messages):
        role = bytes(message.get("role", b""))
        if renames and role == b'"developer"':
            message["role"] = _SYSTEM
        elif role == b'"assistant"':
            messages[at] = _suited(message, f"messages[{at}]", quirks, losses)
    return messages


def _marks(quirks: Quirks) -> Sequence[bytes]:
    if quirks.reasoning_details:
        return (_ENVELOPED,)
    names = [*DETAILS, *(one for one in WORDS if _is_foreign(one, quirks))]
    return [f'"{name}"'.encode() for name in names]


def _is_foreign(word: str, quirks: Quirks) -> bool:
    """Whether the vendor may refuse it. The field of most vendors that show thoughts is what ours are worded in, too."""
    return not quirks.reasoning_field or (word == WORDS[0] and word != quirks.reasoning_field)


def _suited(message: dict[str, Any], path: str, quirks: Quirks, losses: Losses) -> dict[str, Any]:
    signed = [name for name in DETAILS if _is_signed(message.get(name), quirks)]
    if quirks.reasoning_details:
        losses.drop_all(f"{path}.{name}" for name in signed)
        return {**message, **{name: _without_envelopes(message[name]) for name in signed}}
    gone = {*signed, *(name for name in DETAILS if name in message and quirks.reasoning_field != WORDS[0])}
    losses.drop_all(f"{path}.{name}" for name in DETAILS if name in gone and bytes(message[name]) not in (_NULL, b"[]"))
    words = [name for name in WORDS if name in message]
    if signed or not quirks.reasoning_field:  # the same thought in words
        losses.drop_all(f"{path}.{name}" for name in words if not signed and _says(message[name]))
        gone.update(words)
    elif quirks.reasoning_field != WORDS[0] and WORDS[0] in words:
        if quirks.reasoning_field in words or not _says(message[WORDS[0]]):
            gone.add(WORDS[0])
        message = {
            quirks.reasoning_field if one == WORDS[0] else one: raw for one, raw in message.items() if one not in gone
        }
    return {name: raw for name, raw in message.items() if name not in gone}


def _says(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (_NULL, b'""')


def _is_signed(details: msgspec.Raw | None, quirks: Quirks) -> bool:
    """Whether something stands in it that a vendor signed who is not this one."""
    if details is None or bytes(details) == _NULL:
        return False
    if quirks.reasoning_details:
        return _ENVELOPED in bytes(details)
    return any(one.signed()[0] is not None for one in usual(details, _LISTED))


def _without_envelopes(details: msgspec.Raw) -> list[Mapping[str, msgspec.Raw]]:
    return [one for one in usual(details, _EACH) if not any(bytes(raw).startswith(_ENVELOPED) for raw in one.values())]
