"""All SQL of this room: it counts in other rooms' tables, asks PostgreSQL about itself, and keeps a row a minute. No clock."""

import msgspec

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Jobs, Minute

_COLUMNS = Minute.__struct_fields__
_NUMBERS = frozenset(
    {"samples", "failed", "acknowledged", "refused", "stored", "flushes", "flush_ns", "flush_failures"}
)
_HOW = {"disk_free": "least", **dict.fromkeys(("worst_lag_ns", "waiting", "waiting_bytes", "memory"), "greatest")}
# What was measured since the last time joins what the minute has: sums are added, of levels the worst stays.
_ADD = (
    f"insert into health_minutes ({', '.join(_COLUMNS)}) values ({', '.join(['%s'] * len(_COLUMNS))}) "
    "on conflict (minute_ns) do update set "
    + ", ".join(
        f"{name} = health_minutes.{name} + excluded.{name}"
        if name in _NUMBERS
        else f"{name} = {_HOW[name]}(health_minutes.{name}, excluded.{name})"
        for name in _COLUMNS
        if name != "minute_ns"
    )
)
_SINCE = f"select {', '.join(_COLUMNS)} from health_minutes where minute_ns >= %s order by minute_ns"
# The oldest row of each kind, by the index in which the flusher claims them.
_OLDEST = """
    select kind, (select received_ns from inbox where inbox.kind = kinds.kind order by id limit 1) as oldest_ns
    from (values ('span'), ('score')) as kinds (kind)
    union all
    select signal, (select received_ns from inbox_batches where inbox_batches.signal = signals.signal order by id limit 1)
    from (values ('traces'), ('logs'), ('metrics')) as signals (signal)
"""
_WAITING = """
    select kind, count(*)::bigint as records, sum(octet_length(body))::bigint as bytes, min(received_ns) as oldest_ns
    from inbox group by kind
    union all
    select signal, sum(records)::bigint, sum(coalesce(octet_length(body), size))::bigint, min(received_ns) from inbox_batches group by signal
"""
_ASIDE = "select coalesce(sum(records), 0)::bigint as records from inbox_aside"
_JOBS = """
    select
        count(*) filter (where status = 'queued')::int as queued,
        count(*) filter (where status = 'running')::int as running,
        count(*) filter (where status = 'failed' and finished_ns >= %s)::int as failed_lately,
        min(created_ns) filter (where status = 'queued') as oldest_queued_ns
    from runs where status in ('queued', 'running') or (status = 'failed' and finished_ns >= %s)
"""
_SERVER = """
    select
        (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as connections,
        current_setting('max_connections')::int as most_connections,
        pg_database_size(current_database())::bigint as bytes
"""
_SLOW = """
    select count(*)::int as slow, extract(epoch from max(clock_timestamp() - query_start))::float8 as slowest_seconds
    from pg_stat_activity
    where datname = current_database() and state = 'active' and backend_type = 'client backend'
        and pid <> pg_backend_pid() and clock_timestamp() - query_start > make_interval(secs => %s)
        and query not like '%%pg_advisory_lock%%'
"""


async def add(connection: Connection, minute: Minute) -> None:
    """Add what was measured of a minute."""
    await execute(connection, _ADD, *(getattr(minute, name) for name in _COLUMNS))


async def minutes_since(connection: Connection, since_ns: int) -> list[Minute]:
    """The minutes from a time on, oldest first."""
    return [msgspec.convert(row, Minute) for row in await fetch_all(connection, _SINCE, since_ns)]


async def forget(connection: Connection, before_ns: int) -> int:
    """Forget minutes that began before; how many."""
    return await execute(connection, "delete from health_minutes where minute_ns < %s", before_ns)


async def oldest(connection: Connection) -> dict[str, int | None]:
    """Of each kind, when the record arrived that waits longest; None where nothing waits. Cheap however much waits."""
    return {row["kind"]: row["oldest_ns"] for row in await fetch_all(connection, _OLDEST)}


async def waiting(connection: Connection) -> dict[str, Row]:
    """Of each kind of which something waits: how many records, how many bytes, since when."""
    return {row["kind"]: row for row in await fetch_all(connection, _WAITING)}


async def aside(connection: Connection) -> int:
    """How many records were set aside, because they cannot be moved into their tables."""
    row = await fetch_one(connection, _ASIDE)
    return int(row["records"]) if row else 0


async def jobs(connection: Connection, since_ns: int) -> Jobs:
    """Runs of all projects; failed ones since a time."""
    return msgspec.convert(await fetch_one(connection, _JOBS, since_ns, since_ns), Jobs)


async def batch_numbers(connection: Connection) -> dict[str, int]:
    """Of each kind, the number of the last batch that was claimed."""
    return {row["kind"]: row["number"] for row in await fetch_all(connection, "select kind, number from flush_heads")}


async def server(connection: Connection) -> Row:
    """PostgreSQL about itself. Only the server's own user sees who else is connected."""
    return await fetch_one(connection, _SERVER) or {}


async def slow(connection: Connection, seconds: float) -> Row:
    """Statements of others that have run for longer; likewise."""
    return await fetch_one(connection, _SLOW, seconds) or {}
