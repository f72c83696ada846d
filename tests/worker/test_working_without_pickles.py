"""Nothing in the tables of the job machinery is a pickle, and none that somebody puts there is ever loaded."""

import asyncio
import base64
import pickle
import signal

from psycopg import sql

from flyball.infra.db.database import fetch_all
from flyball.runs import service

from .test_working import queue, workers  # noqa: F401 -- the fixture

TABLES = {"workflow_status": ("inputs", "output", "error"), "operation_outputs": ("output", "error")}


class Trap:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


async def cut_off(ctx, workers):  # noqa: F811
    run = await queue(ctx, "test.count", name="a", steps=3, gates=[1])
    first = workers.start()
    await workers.until("begin a 1")
    first.send_signal(signal.SIGKILL)
    first.wait()
    (workers.folder / "gate-1").touch()
    return run


async def rows_of(ctx, table):
    async with ctx.db.owner_connection() as connection:
        return await fetch_all(connection, sql.SQL("select * from dbos.{}").format(sql.Identifier(table)))


async def test_the_tables_of_the_machinery_hold_json_and_say_so(ctx, workers):  # noqa: F811
    run = await cut_off(ctx, workers)

    for table, columns in TABLES.items():
        mine = [row for row in await rows_of(ctx, table) if row["workflow_uuid"] == run.id]
        assert mine
        assert {row["serialization"] for row in mine} == {"portable_json"}
        assert all((row[name] or "{")[0] in '{"n' for row in mine for name in columns)


async def test_a_planted_pickle_runs_nothing_and_the_run_ends(ctx, workers):  # noqa: F811
    run = await cut_off(ctx, workers)
    mark = workers.folder / "trapped"
    trap = base64.b64encode(pickle.dumps(Trap(mark))).decode()
    async with ctx.db.owner_connection() as connection:
        await connection.execute(
            "update dbos.operation_outputs set output = %s, serialization = 'py_pickle' where workflow_uuid = %s",
            (trap, run.id),
        )
    workers.start()

    async with asyncio.timeout(30):
        while (await service.get(ctx, run.id)).status == "running":
            await asyncio.sleep(0.05)

    assert not mark.exists()
    assert "is not read" in (await service.get(ctx, run.id)).error


async def test_a_run_cut_off_under_a_flyball_that_left_pickles_starts_over_and_ends(ctx, workers):  # noqa: F811
    run = await cut_off(ctx, workers)
    async with ctx.db.owner_connection() as connection:
        for table in TABLES:
            column = "inputs" if table == "workflow_status" else "output"
            await connection.execute(
                sql.SQL("update dbos.{} set {} = %s, serialization = 'py_pickle' where workflow_uuid = %s").format(
                    sql.Identifier(table), sql.Identifier(column)
                ),
                (base64.b64encode(pickle.dumps(None)).decode(), run.id),
            )
    workers.start()

    ended = await service.wait(ctx, run.id, timeout=30)

    assert ended.result == {"total": 30}
    assert workers.steps().count("end a 0") == 2
