"""Reading a JSON body into a typed record, within caps. Size is capped by `capping`, depth here, shape by msgspec.

And the one kind of body that is read piece by piece, whatever its size: a file.
"""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from fastapi import Depends
from starlette.requests import Request

from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError
from flyball.kit.nesting import nests_deeper

from .capping import BODY
from .errors import BodyNotJsonError, BodyTooDeepError, WrongMediaTypeError

OCTETS = "application/octet-stream"


def Body(shape: Any) -> Any:  # noqa: N802 -- reads as FastAPI's own markers do: `new: NewKey = Body(NewKey)`
    """The request's JSON body as `shape`, a msgspec Struct; the default value of a route's parameter.

    Give bodies `forbid_unknown_fields=True`, so that a misspelt field is an error and not silence.
    """
    return Depends(BodyReader(shape))


def FileBody() -> Any:  # noqa: N802 -- likewise: `file: Pieces = FileBody()`
    """The request's body as a `Pieces`: bytes that are not held, of a size that the route itself caps."""
    return Depends(PiecesReader())


class Pieces:
    """A body that is on its way."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def read(self, most_bytes: int) -> AsyncIterator[bytes]:
        """What comes, as it comes. Raises BodyTooLargeError (413) beyond so many bytes."""
        self._request.scope[BODY].pass_through(most_bytes)
        async for piece in self._request.stream():
            yield piece


class BodyReader:
    """Reads and checks one body. An instance per route, with its decoder made once."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape
        self._decoder = msgspec.json.Decoder(shape)

    async def __call__(self, request: Request) -> Any:
        """Raises InvalidInputError (400), WrongMediaTypeError (415), or BodyTooLargeError (413) from the shield."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise WrongMediaTypeError(
                f"this route takes JSON, and the Content-Type is {media_type or 'missing'!r:.80}",
                next_step="send the header `Content-Type: application/json`",
            )
        context: Context = request.app.state.context
        return self._decode(await request.body(), context.settings.max_json_depth)

    def _decode(self, data: bytes, most: int) -> Any:
        if nests_deeper(data, most):
            raise BodyTooDeepError(
                f"the body nests arrays and objects more than {most} deep",
                next_step="send a flatter body, or raise FLYBALL_MAX_JSON_DEPTH",
            )
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError as error:
            raise InvalidInputError(f"the body is not as expected: {_plain(error)}") from None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BodyNotJsonError(
                f"the body is not JSON: {error}", next_step="send one JSON object, encoded in UTF-8"
            ) from None


class PiecesReader(BodyReader):
    """Takes a file's bytes."""

    def __init__(self) -> None:
        super().__init__(bytes)

    async def __call__(self, request: Request) -> Pieces:
        """Raises WrongMediaTypeError (415): a form of another site cannot send this type without asking first."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != OCTETS:
            raise WrongMediaTypeError(
                f"this route takes a file's bytes, and the Content-Type is {media_type or 'missing'!r:.80}",
                next_step=f"send the header `Content-Type: {OCTETS}`",
            )
        return Pieces(request)


def _plain(error: msgspec.ValidationError) -> str:
    """`name: expected str, got int` where msgspec says "Expected `str`, got `int` - at `$.name`"."""
    what, at, path = str(error).replace("`", "").partition(" - at ")
    where = path.removeprefix("$").removeprefix(".")
    return f"{where}: {what[:1].lower()}{what[1:]}" if at and where else what
