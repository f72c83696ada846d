"""Hear NOTIFY on a connection of its own, and come back when the connection is lost.

Knows channels and reconnecting; knows not what news means. NOTIFY is a hint: what was missed while away is not repeated,
so a listener looks for itself when it hears `RECONNECTED`.
"""

import asyncio
from collections.abc import AsyncIterator

import psycopg
from psycopg import sql

from flyball.kit.retry import backoff

RECONNECTED = "reconnected"  # the channel of the news that news may have been missed


async def listen(database_url: str, *channels: str) -> AsyncIterator[tuple[str, str]]:
    """Yield (channel, payload) as they come, for ever; after a reconnect first (RECONNECTED, "").

    The first connection yields (RECONNECTED, "") too: what happened before it was not heard either.
    """
    pauses = backoff(first=0.05, most=1.0, tries=10)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(
                database_url, autocommit=True, application_name="flyball listen", connect_timeout=5
            ) as connection:
                for channel in channels:
                    await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
                pauses = backoff(first=0.05, most=1.0, tries=10)
                yield RECONNECTED, ""
                async for news in connection.notifies():
                    yield news.channel, news.payload
        except psycopg.OperationalError:
            await asyncio.sleep(next(pauses, 1.0))
