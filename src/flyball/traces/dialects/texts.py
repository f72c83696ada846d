"""Values as text and texts as values: what attributes hold as JSON because they can hold nothing else."""

from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(enc_hook=repr).encode


def written(value: Any) -> str:
    """A value as text: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return _encode(value).decode()


def parsed(text: str) -> Any:
    """What a text says as JSON, if it may be an object or a list, and the text itself if it is not."""
    if text[:1] not in "[{" and text[:1] not in " \n\t":
        return text
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def unquoted(text: str) -> Any:
    """What a text says as JSON, a text in quotes included; the text itself if it is none."""
    if text[:1] == '"' == text[-1:]:
        try:
            return _decode(text)
        except msgspec.DecodeError:
            return text
    return parsed(text)
