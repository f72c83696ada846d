"""Sending every project's chain to the operator's sinks: in order, at least once, and never in the way of a change.

Each sink has a place of its own in each chain, kept in the database and moved on only after the sink has taken a batch. One
that is away is tried again with growing pauses; what it missed waits in the chain, where it is anyway.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import psycopg

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.errors import FlyballError

from . import sink_store, store
from .errors import SinkAwayError
from .noted import checkpoint_line_of
from .sink_store import Cursor
from .sinks import Sink, identity

MOST_LINES = 500
_LOOK_SECONDS = 1.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0

logger = logging.getLogger("flyball.audit")


class Streamer:
    """Sends to the sinks of this process, for the life of the control process."""

    def __init__(self, ctx: Context, sinks: Sequence[Sink]) -> None:
        self._ctx = ctx
        self._sinks = sinks

    def runs(self) -> list[Callable[[], Awaitable[None]]]:
        """Sending until cancelled; one for each sink, at its own pace."""
        return [partial(self._keep_sending, sink) for sink in self._sinks]

    async def deliver(self, sink: Sink) -> int:
        """Send one batch of every chain; how many lines. 0 also where another process sends to this sink.

        Raises:
            SinkAwayError: the sink did not take a batch; it is noted, and the batch stays to be sent.
        """
        mine = identity(sink)
        async with self._ctx.db.across_projects().connection() as connection:
            if not await sink_store.take(connection, mine):
                return 0
            try:
                heads = await store.heads(connection)
                return sum([await self._send(connection, sink, project) for project in heads])
            finally:
                await sink_store.give_back(connection, mine)

    async def _keep_sending(self, sink: Sink) -> None:
        pause = 0.0
        while True:
            try:
                sent = await self.deliver(sink)
                pause = 0.0 if sent else _LOOK_SECONDS
            except (FlyballError, psycopg.Error, OSError) as error:
                pause = min(max(pause, _SHORTEST_PAUSE) * 2, _LONGEST_PAUSE)
                logger.warning("audit events wait for a sink, which is tried again in %.0f s: %s", pause, error)
            await asyncio.sleep(pause)

    async def _send(self, connection: Connection, sink: Sink, project: str) -> int:
        mine = identity(sink)
        stood = await sink_store.cursor(connection, project, mine)
        lines, to = await _next(connection, project, stood)
        if not lines:
            return 0
        try:
            await sink.send(project, lines)
        except SinkAwayError as error:
            now_ns = self._ctx.clock.now_ns()
            await sink_store.fail(connection, project, mine, at_ns=stood.failed_ns or now_ns, why=error.message)
            raise
        sent = to._replace(sent_ns=self._ctx.clock.now_ns(), failed_ns=None, failure="")
        await sink_store.advance(connection, project, mine, to=sent)
        return len(lines)


async def _next(connection: Connection, project: str, stood: Cursor) -> tuple[list[bytes], Cursor]:
    """The lines after a place, and the place after them: events, and the checkpoints that cover none but those and earlier ones."""
    begin = max(stood.seq, await store.pruned_up_to(connection, project))
    block = await store.block(connection, project, begin, begin + MOST_LINES)
    lines = list(block.events.lines) if block else []
    seq = block.last if block else begin
    row = await store.checkpoints(connection, project, after=stood.checkpoint, most=MOST_LINES)
    ready = [each for each in row if each.seq <= seq]
    lines += [checkpoint_line_of(each) for each in ready]
    return lines, stood._replace(seq=seq, checkpoint=ready[-1].number if ready else stood.checkpoint)
