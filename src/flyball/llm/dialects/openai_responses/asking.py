"""Responses requests as they come: the top level is taken apart, and every value stays the bytes it came in."""

from flyball.llm.dialect import Asked
from flyball.llm.errors import InvalidBodyError
from flyball.llm.fields import field, missing, top_level
from flyball.llm.messages import last_user_text as last_user_text_of

NAME = "openai_responses"
KEPT_ELSEWHERE = ("prompt", "conversation", "previous_response_id")  # what may stand for an input


def ask(body: bytes, *, model: str = "", stream: bool | None = None) -> Asked:
    """Take a body apart. Raises InvalidBodyError, naming the field."""
    fields = top_level(body)
    model = model or field(fields, "model", str) or ""
    if not model:
        raise missing("model", "a string that names a model or a function of this server")
    if all(bytes(fields.get(name, b"null")) == b"null" for name in ("input", *KEPT_ELSEWHERE)):
        raise missing("input", "a string or a list of items")
    streamed = field(fields, "stream", bool | None) if stream is None else stream
    return Asked(dialect=NAME, fields=fields, model=model, stream=bool(streamed))


def last_user_text(asked: Asked) -> str | None:
    """What the user said last; None for shapes that are none."""
    try:
        found = field(asked.fields, "input")
    except InvalidBodyError:
        return None
    return found if isinstance(found, str) else last_user_text_of(found)


def end_user(asked: Asked) -> str:
    """The caller's name for its own user."""
    for name in ("safety_identifier", "user"):
        try:
            if found := field(asked.fields, name, str | None):
                return str(found)
        except InvalidBodyError:
            continue
    return ""
