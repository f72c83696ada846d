"""What is asked. Reads the body under its caps, and takes it apart as far as this gateway needs."""

from functools import partial
from typing import NamedTuple

from flyball.kit.nesting import has_more_fields, nests_deeper
from flyball.llm.dialect import Asked

from .admit import Loan
from .beside import beside
from .errors import BodyTooDeepError, BodyTooLargeError, BodyTooWideError
from .exchange import Exchange
from .routes import Route

_MOST_FIELDS = 1_000  # at the top level; OpenAI's own requests have about forty


class Limits(NamedTuple):
    """The caps on one body."""

    body_bytes: int
    json_depth: int


async def read(exchange: Exchange, limits: Limits, loan: Loan, route: Route) -> Asked:
    """The request, its values still bytes. The body counts against the worker's loan of memory while it lives.

    Raises:
        BodyTooLargeError: by its announced length, or by what came.
        BodyTooDeepError: it nests too deeply.
        BodyTooWideError: it has thousands of fields.
        InvalidBodyError: it is not JSON, or a field that we need is missing or wrong.
        OverloadedError: too many bytes are in flight.
        ClientGoneError: the client left.
    """
    announced = exchange.headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > limits.body_bytes:
        raise BodyTooLargeError(limits.body_bytes)
    pieces: list[bytes] = []
    size = 0
    async for piece in exchange.body():
        size += len(piece)
        if size > limits.body_bytes:
            raise BodyTooLargeError(limits.body_bytes)
        loan.take(len(piece))
        pieces.append(piece)
    body = b"".join(pieces)
    return await beside(size, partial(_understand, body, limits, route))


def _understand(body: bytes, limits: Limits, route: Route) -> Asked:
    if nests_deeper(body, limits.json_depth):
        raise BodyTooDeepError(limits.json_depth)
    if has_more_fields(body, _MOST_FIELDS):
        raise BodyTooWideError(_MOST_FIELDS)
    return route.dialect.ask(body, model=route.model, stream=route.stream)
