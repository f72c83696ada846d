"""Upkeep: a table with many files comes to have few, and keeps its rows."""

import asyncio

import pyarrow as pa

from flyball.infra.lake.lake import Lake
from flyball.infra.lake.schema import TableSchema
from flyball.kit.clock import SystemClock
from flyball.kit.tally import Counted, Tally
from flyball.worker.upkeep import keep_in_order

EVENTS = TableSchema(name="events", arrow=pa.schema([("project", pa.string()), ("n", pa.int64())]))
QUIET = TableSchema(name="quiet", arrow=EVENTS.arrow)


async def test_many_files_become_few_and_a_quiet_table_is_left_alone(tmp_path):
    lake = Lake(tmp_path.as_uri())
    for number in range(25):
        lake.append(EVENTS, [{"project": "default", "n": number}], writer="w", sequence=number)
    for number in range(3):
        lake.append(QUIET, [{"project": "default", "n": number}], writer="w", sequence=number)

    assert (lake.extent(EVENTS).files, lake.extent(EVENTS).small) == (25, 25)

    tally = Tally()
    upkeep = asyncio.create_task(keep_in_order(lake, (EVENTS, QUIET), tally, SystemClock(), look_seconds=0.01))
    async with asyncio.timeout(10):
        while len(lake.files(EVENTS)) > 1 or Counted("files_joined", "events", 25) not in tally.sums():
            await asyncio.sleep(0.01)
    upkeep.cancel()
    await asyncio.gather(upkeep, return_exceptions=True)

    assert lake.query("select count(*) as rows, sum(n) as total from events", tables=[EVENTS]) == [
        {"rows": 25, "total": 300}
    ]
    assert len(lake.files(QUIET)) == 3
    assert Counted("compactions", "events", 1) in tally.sums()
    assert (lake.extent(EVENTS).rows, lake.extent(EVENTS).files, lake.extent(EVENTS).small) == (25, 1, 0)
