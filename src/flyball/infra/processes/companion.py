"""A process that another one needs beside it: started when there is time for it, kept alive, and told to stop at the end.

Knows children as the supervisor knows them; knows not what they do.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .child import ChildSpec
from .supervisor import Supervisor

_log = logging.getLogger(__name__)


@asynccontextmanager
async def companion(spec: ChildSpec, logs: Path) -> AsyncIterator[None]:
    """The process runs beside the block, whose start never waits for it (`later`), nor fails where it does."""
    supervisor = Supervisor([spec], logs, lambda line: _log.info("%s", line.strip()))
    await supervisor.begin()
    try:
        yield
    finally:
        stopping = asyncio.create_task(supervisor.stop())
        await asyncio.wait([stopping])
