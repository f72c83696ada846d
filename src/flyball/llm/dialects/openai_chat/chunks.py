"""What a chat provider sends, as shapes: chunks of streams, and whole answers, which are chunks with messages.

Knows which fields are read, which are nothing to a caller of another dialect, and names all others; what is made of them it
does not know. Takes halves of characters, which some servers send in two chunks, and puts them together.
"""

import json
from typing import Any

import msgspec

_EMPTY: tuple[Any, ...] = (None, "", [], {})  # what says nothing, whatever field it is in


class Function(msgspec.Struct, forbid_unknown_fields=True):
    """Who is called, and with what."""

    name: str | None = None
    arguments: Any = None
    input: Any = None


class Call(msgspec.Struct, forbid_unknown_fields=True):
    """A call, or a piece of one."""

    index: Any = None
    id: Any = None
    type: Any = None
    function: Function | None = None
    custom: Function | None = None


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """A message, or a piece of one. Whose it is nobody asks."""

    role: Any = None
    content: str | list[Any] | None = None
    refusal: str | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    thinking_blocks: Any = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: Any = None
    audio: Any = None
    images: Any = None


class Choice(msgspec.Struct, forbid_unknown_fields=True):
    """One answer, or a piece of it. The two words of OpenRouter and vLLM that only explain `finish_reason` are read and left."""

    index: Any = 0
    delta: Said | None = None
    message: Said | None = None
    finish_reason: Any = None
    native_finish_reason: Any = None
    stop_reason: Any = None  # vLLM's: the sequence that was met, or a token's number
    matched_stop: Any = None  # SGLang's
    logprobs: Any = None
    error: Any = None

    @property
    def number(self) -> int:
        """Which of several answers it is."""
        index = self.index
        return int(index) if isinstance(index, int) or (isinstance(index, float) and index.is_integer()) else 0


class Chunk(msgspec.Struct, forbid_unknown_fields=True):
    """A chunk. What stands below `error` is nothing to a caller of another dialect, and is left in silence.

    That is: kind and time, which it is told in our own words; padding; which house served it, and how fast; counts that
    stand under `usage` too. `id`, `model` and `system_fingerprint` are those of the provider, which the record keeps.
    """

    id: Any = None
    model: Any = None
    choices: list[Choice] | None = None
    usage: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None
    error: Any = None
    object: Any = None
    created: Any = None
    obfuscation: Any = None
    provider: Any = None
    timings: Any = None
    time_info: Any = None
    x_groq: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)
_ANY = msgspec.json.Decoder()
_INSIDE: dict[Any, dict[str, Any]] = {
    Chunk: {"choices": Choice},
    Choice: {"delta": Said, "message": Said},
    Said: {"tool_calls": Call, "function_call": Function},
    Call: {"function": Function, "custom": Function},
    Function: {},
}


class Chunks:
    """One stream's chunks, or one whole answer."""

    def __init__(self, *, whole: bool = False) -> None:
        self._halves: dict[str, str] | None = None if whole else {}

    def decode(self, data: bytes) -> tuple[Chunk, list[str]]:
        """A chunk, and the paths of what it holds that nobody reads. Raises ValueError for what is no chunk."""
        if not self._halves:
            try:
                return _CHUNK.decode(data), []
            except msgspec.DecodeError:
                pass
        unknown: list[str] = []
        return msgspec.convert(_read(patiently(data, self._halves), Chunk, "", unknown), Chunk), unknown


def _read(value: Any, shape: Any, path: str, unknown: list[str]) -> Any:
    """What is read of a value; the paths of the rest join `unknown`."""
    if isinstance(value, list):
        return [_read(one, shape, f"{path}[{at}]", unknown) for at, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    read = {}
    for name, inner in value.items():
        place = f"{path}.{name}" if path else name
        if name in shape.__struct_fields__:
            deeper = _INSIDE[shape].get(name)
            read[name] = inner if deeper is None else _read(inner, deeper, place, unknown)
        elif inner not in _EMPTY:
            unknown.append(place)
    return read


def patiently(data: bytes, halves: dict[str, str] | None) -> Any:
    """JSON of which half a character may be missing. Raises ValueError for what is no JSON.

    `halves` keeps those that end a string, by its path, for the next chunk; it is None where there is no next. Any other
    half becomes U+FFFD.
    """
    if not halves:
        try:
            return _ANY.decode(data)
        except msgspec.DecodeError:
            if b"\\u" not in data:
                raise
    return _joined(json.loads(data.decode()), "", halves)


def _joined(value: Any, path: str, halves: dict[str, str] | None) -> Any:
    if isinstance(value, dict):
        return {_joined(name, "", None): _joined(one, f"{path}.{name}", halves) for name, one in value.items()}
    if isinstance(value, list):
        places = [one.get("index", at) if isinstance(one, dict) else at for at, one in enumerate(value)]
        return [_joined(one, f"{path}[{place}]", halves) for place, one in zip(places, value, strict=True)]
    if not isinstance(value, str):
        return value
    if halves is not None:
        value = halves.pop(path, "") + value
        if value and "\ud800" <= value[-1] <= "\udbff":
            halves[path], value = value[-1], value[:-1]
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
