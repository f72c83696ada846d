"""How many tokens a request has, where nobody who knows can be asked: an estimate that says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flyball.llm.dialect import Asked
from flyball.llm.translation import dialect
from flyball.llm.usage import BYTES_PER_TOKEN

from .replies import Reply, WholeReply

_ESTIMATED = ((b"x-flyball-estimated", b"true"),)


def estimate(asked: Asked) -> WholeReply:
    """Bytes of the whole request by four."""
    size = sum(map(len, asked.fields.values()))
    # Only dialects that have the question have a route for it.
    body = dialect(asked.dialect).write_count(max(1, size // BYTES_PER_TOKEN))
    return WholeReply(body or b"", _ESTIMATED)


@asynccontextmanager
async def estimate_of(asked: Asked) -> AsyncIterator[Reply]:
    """The same, for a function: what its variants make of an input nobody knows before."""
    yield estimate(asked)
