"""All SQL of the sinks: how far each has come with a project's chain, and what went wrong. No clock, no sending."""

from typing import NamedTuple

from flyball.infra.db.database import Connection, execute, fetch_all, fetch_one


class Cursor(NamedTuple):
    """How far a sink has come: the last event and the last checkpoint that it took."""

    seq: int = 0
    checkpoint: int = 0
    sent_ns: int | None = None
    failed_ns: int | None = None
    failure: str = ""


_COLUMNS = "seq, checkpoint, sent_ns, failed_ns, failure"
_ONE = f"select {_COLUMNS} from audit_sinks where project = %s and sink = %s"
_ALL = f"select sink, {_COLUMNS} from audit_sinks where project = %s"
_WRITE = f"""
    insert into audit_sinks (project, sink, {_COLUMNS}) values (%s, %s, %s, %s, %s, %s, %s)
    on conflict (project, sink) do update set seq = excluded.seq, checkpoint = excluded.checkpoint,
        sent_ns = excluded.sent_ns, failed_ns = excluded.failed_ns, failure = excluded.failure
"""


async def take(connection: Connection, sink: str) -> bool:
    """Be the only one who sends to this sink, until `give_back` or the connection's end; False where another one does."""
    row = await fetch_one(
        connection, "select pg_try_advisory_lock(hashtextextended('flyball.audit.sink ' || %s, 0)) as mine", sink
    )
    return bool(row and row["mine"])


async def give_back(connection: Connection, sink: str) -> None:
    """Let others send."""
    if not connection.broken:
        await execute(connection, "select pg_advisory_unlock(hashtextextended('flyball.audit.sink ' || %s, 0))", sink)


async def cursor(connection: Connection, project: str, sink: str) -> Cursor:
    """Where a sink is; at the beginning where it took nothing yet."""
    row = await fetch_one(connection, _ONE, project, sink)
    return Cursor(**row) if row else Cursor()


async def cursors(connection: Connection, project: str) -> dict[str, Cursor]:
    """Every sink's place in a project's chain."""
    rows = await fetch_all(connection, _ALL, project)
    return {row.pop("sink"): Cursor(**row) for row in rows}


async def advance(connection: Connection, project: str, sink: str, *, to: Cursor) -> None:
    """Say that a sink has taken everything up to there."""
    await _write(connection, project, sink, to)


async def fail(connection: Connection, project: str, sink: str, *, at_ns: int, why: str) -> None:
    """Say that a sink did not take what was sent."""
    stood = await cursor(connection, project, sink)
    await _write(connection, project, sink, stood._replace(failed_ns=at_ns, failure=why[:500]))


async def _write(connection: Connection, project: str, sink: str, to: Cursor) -> None:
    await execute(connection, _WRITE, project, sink, *to)
