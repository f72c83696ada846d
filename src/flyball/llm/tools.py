"""What a tool may be called, and of which type its arguments may be: by what the vendors take. Cheap: it is asked of every tool.

Knows the characters, and nothing of how a caller words a tool.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_NAMES: Mapping[str, re.Pattern[str]] = {
    "openai_chat": re.compile(r"[a-zA-Z0-9_-]{1,128}"),  # OpenAI's end at 64; many servers that are like it take more
    "openai_responses": re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    "anthropic_messages": re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    "gemini": re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}"),
    "bedrock_converse": re.compile(r"[a-zA-Z0-9_-]{1,64}"),
}
_TYPES = frozenset(("object", "array", "string", "number", "integer", "boolean", "null"))
_USUAL = (b'{"type":"object",', b'{"type": "object",')


class _Typed(msgspec.Struct):
    type: Any = "object"


_TYPED = msgspec.json.Decoder(_Typed)


def is_name(name: str, to: str) -> bool:
    """Whether a tool may be called this where the dialect `to` is spoken."""
    return _NAMES[to].fullmatch(name) is not None


def has_type(schema: msgspec.Raw) -> bool:
    """Whether a schema says a type that JSON Schema has, or several, or none. What cannot be read is for others to refuse."""
    if bytes(schema).startswith(_USUAL):
        return True
    try:
        said = _TYPED.decode(schema).type
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return True
    return all(isinstance(one, str) and one in _TYPES for one in (said if isinstance(said, list) else [said]))
