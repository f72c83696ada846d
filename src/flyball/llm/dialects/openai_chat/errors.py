"""Errors as chat words them, ours and other people's."""

from collections.abc import Mapping
from typing import Any

import msgspec

from flyball.llm.completions import Trouble

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
# What a code or a type means where no status is said.
_STATUSES = {
    "authentication_error": 401,
    "content_filter": 400,
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_api_key": 401,
    "invalid_request_error": 400,
    "model_not_found": 404,
    "overloaded_error": 503,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
}
UNSAID = Trouble(message="the answer ended before anything was said")  # of a stream that is nothing but its last word
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def error(status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:
    """The envelope that OpenAI's clients turn into an exception."""
    said = {"message": message, "type": _TYPES.get(status, "api_error"), "param": param, "code": code}
    return msgspec.json.encode({"error": said})


def error_event(status: int, message: str, *, code: str) -> bytes:
    """The same in the middle of a stream: the clients raise on an `error` in any event's data. No `[DONE]` follows."""
    return b"data: " + error(status, message, code=code) + b"\n\n"


def parse_error(body: bytes) -> Trouble | None:
    """Somebody else's error body; None where OpenAI's clients would not understand it."""
    try:
        said = _OBJECT.decode(body)
    except (ValueError, RecursionError):
        return None
    found = said.get("error", said if said.get("object") == "error" else None)  # the latter is vLLM's
    return trouble_of(found) if found and isinstance(found, Mapping) else None


def trouble_of(said: Any) -> Trouble:
    """What an error object says, or a string that stands for one."""
    if not isinstance(said, Mapping):
        return Trouble(message=str(said) if said else "no message")
    code, kind = said.get("code"), said.get("type")
    words = [str(one) for one in (code, kind) if one is not None and one != ""]
    numbers = [int(word) for word in words if word.isdecimal() and len(word) == 3]
    status = next((one for one in (*numbers, *(_STATUSES.get(word, 0) for word in words)) if one >= 400), 0)
    return Trouble(
        message=str(said.get("message") or code or "no message"), code=words[0] if words else "", status=status
    )
