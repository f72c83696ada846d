"""Read your own writes: whoever asks waits a moment for what was acknowledged before they asked to reach the tables.

Knows what waits; knows not what is asked.
"""

import asyncio

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, fetch_one

PATIENCE_SECONDS = 2.0  # a flusher that is behind holds nobody up for longer
_POLL_SECONDS = 0.05

_NEWEST = """
    select (select max(id) from inbox where project = %s) as row,
        (select max(id) from inbox_batches where project = %s) as batch
"""
_WAITS = """
    select exists (select from inbox where project = %s and id <= %s)
        or exists (select from inbox_batches where project = %s and id <= %s) as waits
"""


async def requests_wait(ctx: Context) -> bool:
    """Whether requests of OTLP wait in the project: of what they hold, nobody knows anything yet."""
    async with ctx.db.connection() as connection:
        found = await fetch_one(connection, "select id from inbox_batches where project = %s limit 1", ctx.project)
    return found is not None


async def catch_up(ctx: Context, *, seconds: float = PATIENCE_SECONDS) -> bool:
    """Return when everything that the project had sent is in the tables; False when it takes too long."""
    async with ctx.db.connection() as connection:
        newest = await fetch_one(connection, _NEWEST, ctx.project, ctx.project) or {}
        if newest.get("row") is None and newest.get("batch") is None:
            return True
        until_ns = ctx.clock.monotonic_ns() + int(seconds * 1e9)
        while ctx.clock.monotonic_ns() < until_ns:
            if not await _waits(connection, ctx.project, newest.get("row") or 0, newest.get("batch") or 0):
                return True
            await asyncio.sleep(_POLL_SECONDS)
    return False


async def _waits(connection: Connection, project: str, row: int, batch: int) -> bool:
    found = await fetch_one(connection, _WAITS, project, row, project, batch)
    return bool(found and found["waits"])
