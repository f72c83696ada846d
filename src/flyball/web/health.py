"""Whether the control process lives and can work, and the description of its API. For probes and for programs."""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flyball.infra.db.database import fetch_one
from flyball.kit.errors import UnavailableError
from flyball.surface.http import PUBLIC, ContextDep, Router

router = Router(tag="health")

_PATIENCE_SECONDS = 2.0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`, or the answer is an error."""

    status: str = "ok"


@router.get("/healthz", permission=PUBLIC, returns=Health)
async def healthz() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz", permission=PUBLIC, returns=Health)
async def readyz(ctx: ContextDep) -> Health:
    """The process can work: PostgreSQL answers within two seconds. 503 otherwise."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), ctx.db.connection() as connection:
            await fetch_one(connection, "select 1")
    except TimeoutError:
        raise UnavailableError(
            f"PostgreSQL did not answer within {_PATIENCE_SECONDS:.0f} seconds",
            next_step="run `flyball doctor`, which checks the database",
        ) from None
    return Health()


@router.get("/api/openapi.json", permission=PUBLIC, returns=dict[str, Any])
async def openapi(request: Request) -> Response:
    """This API as an OpenAPI document."""
    answer: Response = request.app.state.document.answer()
    return answer
