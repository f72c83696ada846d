"""What the control process does for the ledger by itself.

Telling of thresholds, forgetting what nobody counts any more, bringing the sums of days that are over together.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, DatabaseAwayError
from flyball.kit.ending import end
from flyball.projects import store as projects_store

from . import alert_store, quota_store, sum_store
from .alerts import LATELY_NS, SECOND, tell_passed

_LOOK_SECONDS = 3.0
_REST = 4.0  # times as long as a look took: ten thousand quotas keep a fifth of one processor busy at most
_FORGET_EVERY_SECONDS = 3_600.0
_PAUSE_SECONDS = 5.0
_DAY_NS = 86_400 * 1_000_000_000  # how far the first look goes back: over what passed while nobody looked
_FOLDED_DAYS = 3
_log = logging.getLogger("flyball.ledger")


@contextlib.asynccontextmanager
async def keeping(
    ctx: Context, *, look_seconds: float = _LOOK_SECONDS, forget_seconds: float = _FORGET_EVERY_SECONDS
) -> AsyncIterator[None]:
    """The tasks, running until the end of the block."""
    tasks = [
        asyncio.create_task(_keep(lambda: watch(ctx, look_seconds))),
        asyncio.create_task(_keep(lambda: forget(ctx, forget_seconds))),
    ]
    try:
        yield
    finally:
        await end(*tasks)


async def watch(ctx: Context, look_seconds: float) -> None:
    """Tell of thresholds as they are passed, until cancelled."""
    back_ns = _DAY_NS
    while True:
        began_ns = ctx.clock.monotonic_ns()
        await tell_passed(ctx, back_ns=back_ns)
        back_ns = LATELY_NS
        took = (ctx.clock.monotonic_ns() - began_ns) / SECOND
        await asyncio.sleep(max(look_seconds, _REST * took))


async def forget(ctx: Context, seconds: float) -> None:
    """Give up counters and thresholds of windows that ended long ago, and fold sums, until cancelled. The ledger's entries stay."""
    while True:
        async with ctx.db.across_projects().connection() as connection:
            counters = await quota_store.forget_old(connection, ctx.clock.now_ns())
            passed = await alert_store.forget_old(connection, ctx.clock.now_ns())
            await fold(ctx, connection)
        if counters or passed:
            _log.info("forgot %d counters and %d thresholds of windows that ended long ago", counters, passed)
        await asyncio.sleep(seconds)


async def fold(ctx: Context, connection: Connection) -> None:
    """Bring what several workers summed in the days that just ended together, so that fewer rows are read."""
    now_ns = ctx.clock.now_ns()
    today_ns = now_ns - now_ns % _DAY_NS
    for project in sorted(await projects_store.organisations(connection)):
        async with connection.transaction():
            await quota_store.let_settle(connection)  # whoever derives sums again must not see half of it
            await sum_store.fold(connection, project, today_ns - _FOLDED_DAYS * _DAY_NS, today_ns)


async def _keep(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except (DatabaseAwayError, psycopg.Error) as error:
            _log.warning("the ledger is looked after later: %s", error)
        except Exception:  # noqa: BLE001 -- the door of a task that nobody awaits: it must neither end nor fail in silence
            _log.exception("looking after the ledger failed and begins again")
        await asyncio.sleep(_PAUSE_SECONDS)
