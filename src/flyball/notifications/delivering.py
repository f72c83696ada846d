"""Sending what waits: claimed for a while, sent, and marked; what is not marked in time is sent again, with the same id.

So a message arrives at least once, whatever is killed when, and who receives it twice knows it by its id. Knows when a try is due and
when trying ends; how a message travels, `webhook` and `mail` know.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg

from flyball.infra.context import Context
from flyball.infra.db.database import DatabaseAwayError
from flyball.infra.egress.client import Egress
from flyball.kit.clock import NANOSECONDS
from flyball.kit.ending import end
from flyball.kit.errors import FlyballError

from . import mail, store, webhook
from .addresses import mailbox, shown
from .records import Claimed
from .service import signing_secret

MOST_TRIES = 12  # within some four hours
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 10, 3_600
LOST_SECONDS = 90  # longer than any try takes: then whoever claimed it is dead
_AT_ONCE = 32
_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 5.0
_FORGET_EVERY_SECONDS = 3_600
_KEPT_DAYS = 30
_log = logging.getLogger("flyball.notifications")


@contextlib.asynccontextmanager
async def delivering(ctx: Context) -> AsyncIterator[None]:
    """What waits is sent inside the block."""
    running = [asyncio.create_task(_keep(work)) for work in (Deliverer(ctx).run, Deliverer(ctx).keep_short)]
    try:
        yield
    finally:
        await end(*running)


async def _keep(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except (DatabaseAwayError, psycopg.Error) as error:
            _log.warning("notifications wait: %s", error)
        except Exception:  # noqa: BLE001 -- the door of a task that nobody awaits: it must neither end nor fail in silence
            _log.exception("sending notifications failed and begins again")
        await asyncio.sleep(_PAUSE_SECONDS)


class Deliverer:
    """Sends for every project of the server."""

    def __init__(self, ctx: Context, egress: Egress | None = None) -> None:
        self._ctx = ctx
        self._db = ctx.db.across_projects()
        self._egress = egress or Egress.of(ctx.settings)

    async def run(self) -> None:
        """Send whatever becomes due, until cancelled."""
        while True:
            if not await self.send_due():
                await asyncio.sleep(_LOOK_SECONDS)

    async def keep_short(self) -> None:
        """Forget what ended long ago, until cancelled."""
        while True:
            async with self._db.connection() as connection:
                await store.forget(connection, self._ctx.clock.now_ns() - _KEPT_DAYS * 86_400 * NANOSECONDS)
            await asyncio.sleep(_FORGET_EVERY_SECONDS)

    async def send_due(self) -> int:
        """Try everything that is due now, once; how many. A receiver that is slow holds up its own messages alone."""
        now_ns = self._ctx.clock.now_ns()
        async with self._db.connection() as connection:
            claimed = await store.claim(
                connection, now_ns=now_ns, lost_ns=now_ns + LOST_SECONDS * NANOSECONDS, most=_AT_ONCE
            )
        await asyncio.gather(*map(self._try, claimed))
        return len(claimed)

    async def _try(self, one: Claimed) -> None:
        try:
            await self._send(one)
        except FlyballError as error:
            await self._failed(one, error)
            return
        async with self._db.connection() as connection:
            await store.delivered(connection, one.message.id, self._ctx.clock.now_ns())

    async def _send(self, one: Claimed) -> None:
        address, ctx = one.receiver.address, self._ctx
        if address.startswith("mailto:"):
            await mail.send(ctx.settings, ctx.layout, mailbox(address), one.message)
            return
        inside = ctx.within(one.receiver.home, ctx.actor)
        async with inside.db.connection() as connection:
            secret = await signing_secret(connection, inside, one.receiver)
        await webhook.post(self._egress, ctx.clock, address, secret, one.message)

    async def _failed(self, one: Claimed, error: FlyballError) -> None:
        now_ns, last = self._ctx.clock.now_ns(), one.tries >= MOST_TRIES
        async with self._db.connection() as connection:
            await store.failed(
                connection,
                one.message.id,
                error=error.message[:500],
                next_ns=None if last else now_ns + pause_seconds(one.tries) * NANOSECONDS,
                now_ns=now_ns,
            )
        _log.log(
            logging.ERROR if last else logging.WARNING,
            "the notification %s did not reach %s%s: %s",
            one.message.id,
            shown(one.receiver.address),
            " and is given up" if last else "",
            error.message,
        )


def pause_seconds(tries: int) -> int:
    """How long after a failed try the next one is made: twice as long each time."""
    return int(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (tries - 1)))
