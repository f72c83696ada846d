"""All SQL of runs. No clock, no ids, no authorisation."""

import msgspec
from psycopg.types.json import Jsonb

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Run

_COLUMNS = ", ".join(Run.__struct_fields__)
_SELECT = f"select {_COLUMNS} from runs "
_BEGIN = f"""
    update runs set status = 'running', attempts = attempts + 1, started_ns = coalesce(started_ns, %s)
    where id = %s and status in ('queued', 'running') returning {_COLUMNS}
"""
_PAGE = """
    where project = %s and (%s::bigint is null or (created_ns, id) < (%s, %s))
      and (%s = '' or kind = %s) and (%s = '' or status = %s)
    order by created_ns desc, id desc limit %s
"""


async def insert(connection: Connection, run: Run) -> None:
    """Write a new run."""
    await execute(
        connection,
        "insert into runs (id, project, kind, arguments, status, created_by, created_ns) values (%s, %s, %s, %s, %s, %s, %s)",
        run.id,
        run.project,
        run.kind,
        Jsonb(run.arguments),
        run.status,
        run.created_by,
        run.created_ns,
    )


async def get(connection: Connection, project: str, run_id: str) -> Run | None:
    """A run of the project."""
    return _run(await fetch_one(connection, _SELECT + "where project = %s and id = %s", project, run_id))


async def newest(
    connection: Connection, project: str, *, before: tuple[int, str] | None, most: int, kind: str, status: str
) -> list[Run]:
    """A project's runs, newest first, behind a (created_ns, id); of one kind or status where asked."""
    created_ns, run_id = before or (None, None)
    rows = await fetch_all(
        connection,
        _SELECT + _PAGE,
        project,
        created_ns,
        created_ns,
        run_id,
        kind,
        kind,
        status,
        status,
        most,
    )
    return [msgspec.convert(row, Run) for row in rows]


async def unfinished(connection: Connection, *, most: int) -> list[tuple[str, str]]:
    """(id, status) of runs that a worker has to start or to continue, oldest first."""
    rows = await fetch_all(
        connection,
        "select id, status from runs where status in ('queued', 'running') order by created_ns limit %s",
        most,
    )
    return [(row["id"], row["status"]) for row in rows]


async def begin(connection: Connection, run_id: str, now_ns: int) -> Run | None:
    """Mark a run that has not ended as running, count the attempt, and return it."""
    return _run(await fetch_one(connection, _BEGIN, now_ns, run_id))


async def progress(connection: Connection, run_id: str, done: int, total: int | None, note: str) -> None:
    """Write how far a running run is."""
    await execute(
        connection,
        "update runs set done = %s, total = %s, note = %s where id = %s and status = 'running'",
        done,
        total,
        note,
        run_id,
    )


async def note(connection: Connection, run_id: str, note: str) -> None:
    """Write what a running run is at, and leave how far it is."""
    await execute(connection, "update runs set note = %s where id = %s and status = 'running'", note, run_id)


async def succeed(connection: Connection, run_id: str, result: Jsonb, now_ns: int) -> int:
    """Write a run's success, once; how many rows changed."""
    return await execute(
        connection,
        "update runs set status = 'succeeded', result = %s, note = '', done = coalesce(total, done), finished_ns = %s "
        "where id = %s and status in ('queued', 'running')",
        result,
        now_ns,
        run_id,
    )


async def fail(connection: Connection, run_id: str, error: str, error_code: str, now_ns: int) -> int:
    """Write a run's failure, once; how many rows changed."""
    return await execute(
        connection,
        "update runs set status = 'failed', error = %s, error_code = %s, finished_ns = %s "
        "where id = %s and status in ('queued', 'running')",
        error,
        error_code,
        now_ns,
        run_id,
    )


def _run(row: Row | None) -> Run | None:
    return None if row is None else msgspec.convert(row, Run)
