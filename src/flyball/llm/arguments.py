"""Arguments of tool calls: JSON text in some dialects, an object in others. Byte for byte wherever the text is sound."""

from typing import Any

import msgspec

from .errors import InvalidBodyError

NO_ARGUMENTS = msgspec.Raw(b"{}")
UNSOUND = "unparsed_arguments"  # under which an answer's broken arguments stand where only an object can be said
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def to_object(text: str) -> msgspec.Raw | dict[str, str]:
    """An answer's arguments as an object. What a model wrote wrongly is kept, as text under `unparsed_arguments`."""
    if not text.strip():
        return NO_ARGUMENTS
    data = text.encode()
    try:
        _OBJECT.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return {UNSOUND: text}
    return msgspec.Raw(data)


def to_object_of_request(text: str, path: str) -> msgspec.Raw | dict[str, str]:
    """A request's arguments as an object. Raises InvalidBodyError where a caller sends what is none."""
    found = to_object(text)
    if isinstance(found, dict):
        raise InvalidBodyError(
            f"{path} is not a JSON object in a string", param=path, next_step="send the arguments as JSON"
        )
    return found


def to_text(value: Any) -> str:
    """An object's JSON. `unparsed_arguments` becomes again what the model wrote."""
    if value is None:
        return "{}"
    if isinstance(value, dict) and len(value) == 1 and isinstance(unsound := value.get(UNSOUND), str):
        return unsound
    return (bytes(value) if isinstance(value, msgspec.Raw) else msgspec.json.encode(value)).decode()
