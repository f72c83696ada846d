"""Errors as Responses word them, ours and other people's."""

from typing import Any

import msgspec

from flyball.llm.completions import Trouble

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
# What a code or a type means where no status is said.
_STATUSES = {
    **dict.fromkeys(("invalid_request_error", "context_length_exceeded", "content_filter", "invalid_prompt"), 400),
    **dict.fromkeys(("authentication_error", "invalid_api_key"), 401),
    **dict.fromkeys(("rate_limit_exceeded", "rate_limit_error", "insufficient_quota"), 429),
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "overloaded_error": 503,
    **dict.fromkeys(("server_error", "api_error"), 500),
}
_OBJECT = msgspec.json.Decoder(dict[str, Any])


def error(status: int, message: str, *, code: str | None, param: str | None = None) -> bytes:
    """The envelope that OpenAI's clients turn into an exception."""
    return msgspec.json.encode({"error": _said(status, message, code, param)})


def error_event(number: int, status: int, message: str, *, code: str) -> bytes:
    """The event at which OpenAI's clients raise: they look for `error`, what is published of the event has its fields beside."""
    said = _said(status, message, code, None)
    event = {"type": "error", "sequence_number": number, "code": code, "message": message, "param": None, "error": said}
    return b"event: error\ndata: %b\n\n" % msgspec.json.encode(event)


def _said(status: int, message: str, code: str | None, param: str | None) -> dict[str, Any]:
    type_ = _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
    return {"message": message, "type": type_, "param": param, "code": code}


def parse_error(body: bytes) -> Trouble | None:
    """Somebody else's error body; None where OpenAI's clients would not understand it."""
    try:
        found = _OBJECT.decode(body).get("error")
    except (ValueError, RecursionError):
        return None
    return trouble_of(found) if isinstance(found, dict) else None


def trouble_of(said: Any) -> Trouble:
    """What an error object says, or a string that stands for one."""
    if not isinstance(said, dict):
        return Trouble(message=str(said or "no message"))
    words = [str(one) for one in (said.get("code"), said.get("type")) if one not in (None, "", "error")]
    statuses = (int(one) if one.isdecimal() and len(one) == 3 else _STATUSES.get(one, 0) for one in words)
    status = next((one for one in statuses if one >= 400), 400 if words and words[0].startswith("invalid_") else 0)
    return Trouble(message=str(said.get("message") or "no message"), code=words[0] if words else "", status=status)
