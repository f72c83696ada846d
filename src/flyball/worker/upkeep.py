"""Keep tables fast to read and no larger than needed: join small files, delete what no kept version needs.

Knows when; `infra.lake` knows how. It may stop or be killed at any moment: what is half done is not visible.
"""

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from flyball.infra.lake.compaction import Compacted
from flyball.infra.lake.errors import LakeAwayError
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.schema import TableSchema
from flyball.kit.clock import Clock
from flyball.kit.redaction import redact
from flyball.kit.tally import Tally

_LOOK_SECONDS = 30.0
_MANY_NEW_FILES = 24
_AT_LEAST_SECONDS = 3600.0
_LAST_OF_ALL = 19  # niceness


def _step_back() -> None:
    """Let everybody else's threads go first; where a system knows no niceness of a thread, as it is."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST_OF_ALL)


_LAST = ThreadPoolExecutor(1, thread_name_prefix="compaction", initializer=_step_back)
_log = logging.getLogger(__name__)


async def keep_in_order(
    lake: Lake, tables: tuple[TableSchema, ...], tally: Tally, clock: Clock, *, look_seconds: float = _LOOK_SECONDS
) -> None:
    """For ever: compact each table when many files have come since the last time, and once an hour besides; count it."""
    async with asyncio.TaskGroup() as group:
        for table in tables:
            group.create_task(_keep(lake, table, tally, clock, look_seconds))
        if not tables:
            await asyncio.Event().wait()


async def _keep(lake: Lake, table: TableSchema, tally: Tally, clock: Clock, look_seconds: float) -> None:
    waited, left = 0.0, 0
    while True:
        await asyncio.sleep(look_seconds)
        waited += look_seconds
        try:
            files = len(await asyncio.to_thread(lake.files, table))
            if files - left < _MANY_NEW_FILES and waited < _AT_LEAST_SECONDS:
                continue
            done = await asyncio.get_running_loop().run_in_executor(_LAST, lake.compact, table)
            _count(tally, table, done, clock.now_ns())
            waited, left = 0.0, files - done.joined + done.made
            _log.info("table %s: joined %d files into %d, deleted %d", table.name, *done)
        except LakeAwayError as error:
            tally.say(f"compaction_error {table.name}", redact(str(error))[:500])
            _log.warning("the table %s is not compacted now: %s", table.name, error)


def _count(tally: Tally, table: TableSchema, done: Compacted, now_ns: int) -> None:
    tally.count("compactions", of=table.name)
    tally.count("files_joined", done.joined, of=table.name)
    tally.count("files_deleted", done.deleted, of=table.name)
    tally.level("compacted_ns", now_ns, of=table.name)
    tally.say(f"compaction_error {table.name}", "")
