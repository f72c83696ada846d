"""Answers in JSON, and the one envelope of errors. Knows msgspec's encoder and no noun.

`Failure` is what every error under `/api` looks like:
`{"error": {"code": "not_found", "message": "...", "next_step": "..."}}`.
"""

from typing import Any

import msgspec
from starlette.responses import Response

from flyball.kit.errors import FlyballError


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong: a stable code, a sentence that names the thing and the value, and what to do next."""

    code: str
    message: str
    next_step: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of every error under `/api`."""

    error: Problem


class Json(Response):
    """A value as JSON, by msgspec: Structs, dataclasses, tuples, bytes as base64."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return msgspec.json.encode(content)


def failure(error: FlyballError) -> Json:
    """The envelope of an error, under its status."""
    problem = Problem(code=error.code, message=error.message, next_step=error.next_step)
    return Json(Failure(error=problem), status_code=error.status, headers=headers_of(error))


def headers_of(error: FlyballError) -> dict[str, str]:
    """The headers that an error adds to its answer, whatever its form."""
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after)))
    return headers
