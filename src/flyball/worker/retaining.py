"""Take out, once an hour, the days that projects keep no longer. Knows when; `traces.retention` knows what."""

import asyncio
import logging

from flyball.infra.context import Context
from flyball.kit.errors import FlyballError
from flyball.traces import retention

_LOOK_SECONDS = 3600.0
_FIRST_SECONDS = 60.0  # after the start, which has more urgent work
_log = logging.getLogger(__name__)


async def retain(ctx: Context, *, first_seconds: float = _FIRST_SECONDS, look_seconds: float = _LOOK_SECONDS) -> None:
    """For ever: each project that does not keep for ever."""
    await asyncio.sleep(first_seconds)
    while True:
        try:
            for project in await retention.days_of_projects(ctx):
                expired = await retention.expire(ctx.within(project, ctx.actor))
                if expired.files:
                    _log.info("project %s: took %d files of old days out", project, expired.files)
        except FlyballError as error:
            _log.warning("old days are taken out later: %s", error)
        await asyncio.sleep(look_seconds)
