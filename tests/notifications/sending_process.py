"""A process that sends what waits, until it is killed: `sending_process.py DATABASE_URL DATA_DIRECTORY`."""

import asyncio
import sys

from flyball.app import build_context
from flyball.notifications.delivering import delivering
from flyball.settings import Settings


async def main() -> None:
    settings = Settings(database_url=sys.argv[1], data=sys.argv[2], allowed_networks="127.0.0.1")
    async with build_context(settings, process="control") as ctx, delivering(ctx):
        await asyncio.Event().wait()


asyncio.run(main())
