"""Read your own writes: whoever asks waits a moment for what was acknowledged before they asked to reach the tables.

Knows what waits; knows not what is asked.
"""

import asyncio

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Row, fetch_one

PATIENCE_SECONDS = 2.0  # a flusher that is behind holds nobody up for longer
_POLL_SECONDS = 0.05

_NEWEST = """
    select (select max(id) from inbox where project = %s) as row,
        (select max(id) from inbox_batches where project = %s) as batch
"""
_NEWEST_OF = "select max(id) as batch from inbox_batches where project = %s and signal = %s"
_WAITS_OF = "select exists (select from inbox_batches where project = %s and id <= %s and signal = %s) as waits"
_WAITS = """
    select exists (select from inbox where project = %s and id <= %s)
        or exists (select from inbox_batches where project = %s and id <= %s) as waits
"""


async def requests_wait(ctx: Context) -> bool:
    """Whether requests of OTLP wait in the project: of what they hold, nobody knows anything yet."""
    async with ctx.db.connection() as connection:
        found = await fetch_one(connection, "select id from inbox_batches where project = %s limit 1", ctx.project)
    return found is not None


async def catch_up(ctx: Context, *, seconds: float = PATIENCE_SECONDS, signal: str = "") -> bool:
    """Return when everything that the project had sent is in the tables; False when it takes too long.

    `signal`: "logs" or "metrics", where nothing else matters.
    """
    async with ctx.db.connection() as connection:
        newest = await _newest(connection, ctx.project, signal)
        if newest.get("row") is None and newest.get("batch") is None:
            return True
        until_ns = ctx.clock.monotonic_ns() + int(seconds * 1e9)
        while ctx.clock.monotonic_ns() < until_ns:
            if not await _waits(connection, ctx.project, newest, signal):
                return True
            await asyncio.sleep(_POLL_SECONDS)
    return False


async def _newest(connection: Connection, project: str, signal: str) -> Row:
    if signal:
        return await fetch_one(connection, _NEWEST_OF, project, signal) or {}
    return await fetch_one(connection, _NEWEST, project, project) or {}


async def _waits(connection: Connection, project: str, newest: Row, signal: str) -> bool:
    row, batch = newest.get("row") or 0, newest.get("batch") or 0
    if signal:
        found = await fetch_one(connection, _WAITS_OF, project, batch, signal)
    else:
        found = await fetch_one(connection, _WAITS, project, row, project, batch)
    return bool(found and found["waits"])
