"""All SQL of the audit record's chains: heads, events, salts, checkpoints. No clock, no hashing, no authorisation."""

from typing import NamedTuple

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .chain import FIRST, Kept, Marked, canonical, read
from .records import Event, Head, Kind, Wanted

_APPEND = """
    with event as (insert into audit_events (project, seq, canonical, hash) values (%s, %s, %s, %s)),
        salted as (insert into audit_salts (project, seq, salt) values (%s, %s, %s))
    update audit_heads set seq = %s, hash = %s where project = %s
"""
_BLOCK = """
    select count(*) as events, min(seq) as first, max(seq) as last,
        string_agg(hash, '' order by seq) as hashes, convert_to(string_agg(canonical, E'\\n' order by seq), 'UTF8') as texts
    from (
        select seq, hash, canonical from audit_events where project = %s and seq > %s and seq <= %s order by seq
    ) as block
"""


class Block(NamedTuple):
    """Some events of a chain. `first` and `last` are the numbers under which they are kept."""

    events: Kept
    first: int
    last: int


async def lock_head(connection: Connection, project: str) -> tuple[int, bytes]:
    """The end of the project's chain, locked until the transaction ends: appends happen one after the other."""
    query = "select seq, hash from audit_heads where project = %s for update"
    row = await fetch_one(connection, query, project)
    if row is None:  # the first append; of two at once the second waits for the first
        await execute(
            connection,
            "insert into audit_heads (project, seq, hash) values (%s, 0, %s) on conflict do nothing",
            project,
            FIRST,
        )
        row = await fetch_one(connection, query, project)
    if row is None:
        raise LookupError(f"the chain of the project {project!r} has no head that this connection may see")
    return row["seq"], bytes(row["hash"])


async def head(connection: Connection, project: str) -> Head:
    """The end of the project's chain as it is."""
    row = await fetch_one(connection, "select seq, hash from audit_heads where project = %s", project)
    return Head(seq=row["seq"], hash=bytes(row["hash"]).hex()) if row else Head(seq=0, hash=FIRST.hex())


async def heads(connection: Connection) -> dict[str, int]:
    """The number of the last event of every project that the connection sees."""
    rows = await fetch_all(connection, "select project, seq from audit_heads where seq > 0")
    return {row["project"]: row["seq"] for row in rows}


async def append(connection: Connection, event: Event, hash_: bytes, salt: bytes) -> None:
    """Write an event and its salt, and move the head onto it."""
    project, seq = event.project, event.seq
    values = (project, seq, canonical(event).decode(), hash_, project, seq, salt, seq, hash_, project)
    await execute(connection, _APPEND, *values)


async def newest(
    connection: Connection, project: str, *, before_seq: int | None, most: int, wanted: Wanted | None = None
) -> list[Event]:
    """A project's events, newest first, narrowed where asked."""
    wanted = wanted or Wanted()
    conditions = [
        ("seq < %s", before_seq),
        ("(actor_name = %s or actor_id = %s)", wanted.actor or None),
        ("action = %s", wanted.action or None),
        ("object_kind = %s", wanted.object_kind or None),
        ("(object_id = %s or object_name = %s)", wanted.object_id or None),
        ("at_ns >= %s", wanted.from_ns or None),
        ("at_ns < %s", wanted.until_ns or None),
    ]
    asked = [(condition, value) for condition, value in conditions if value is not None]
    where = " and ".join(["project = %s", *(condition for condition, _ in asked)])
    values = [value for condition, value in asked for _ in range(condition.count("%s"))]
    query = f"select canonical, hash from audit_events where {where} order by seq desc limit %s"
    return [_event(row) for row in await fetch_all(connection, query, project, *values, most)]


async def find(connection: Connection, project: str, seq: int) -> Event | None:
    """One event."""
    row = await fetch_one(
        connection, "select canonical, hash from audit_events where project = %s and seq = %s", project, seq
    )
    return _event(row) if row else None


async def done_since(connection: Connection, event: tuple[str, str, str, str], *, project: str, since_ns: int) -> bool:
    """Whether an event of this actor's id, action, object's kind and id was recorded from then on."""
    row = await fetch_one(
        connection,
        "select 1 from audit_events where project = %s and actor_id = %s and action = %s and object_kind = %s "
        "and object_id = %s and at_ns > %s limit 1",
        project,
        *event,
        since_ns,
    )
    return row is not None


async def block(connection: Connection, project: str, after_seq: int, up_to: int) -> Block | None:
    """The events of a stretch of numbers, in their order; None where there is none. The database joins them."""
    cursor = await connection.execute(_BLOCK, (project, after_seq, up_to), binary=True)  # a megabyte, as it is
    row = await cursor.fetchone()
    if row is None or not row["events"]:
        return None
    return Block(Kept(row["texts"].split(b"\n"), row["hashes"]), row["first"], row["last"])


async def first_after(connection: Connection, project: str, seq: int) -> int | None:
    """The next number under which an event is kept."""
    row = await fetch_one(
        connection, "select min(seq) as seq from audit_events where project = %s and seq > %s", project, seq
    )
    return row["seq"] if row else None


async def newest_number(connection: Connection, project: str) -> int:
    """The highest number under which an event is kept, 0 where there is none."""
    row = await fetch_one(connection, "select max(seq) as seq from audit_events where project = %s", project)
    return (row and row["seq"]) or 0


async def first_missing(connection: Connection, project: str, after_seq: int, up_to: int) -> int:
    """The first number of a stretch under which no event is kept."""
    row = await fetch_one(
        connection,
        "select min(n) as seq from generate_series(%s::bigint, %s::bigint) n "
        "where not exists (select from audit_events where project = %s and seq = n)",
        after_seq + 1,
        up_to,
        project,
    )
    return (row and row["seq"]) or up_to


async def first_younger(connection: Connection, project: str, than_ns: int) -> int | None:
    """The first event that did not happen before then."""
    row = await fetch_one(
        connection, "select min(seq) as seq from audit_events where project = %s and at_ns >= %s", project, than_ns
    )
    return row["seq"] if row else None


async def salt(connection: Connection, project: str, seq: int) -> bytes | None:
    """The salt of an event's commitments; None once it was destroyed."""
    row = await fetch_one(connection, "select salt from audit_salts where project = %s and seq = %s", project, seq)
    return bytes(row["salt"]) if row else None


async def checkpoints(connection: Connection, project: str, *, after: int = 0, most: int | None = None) -> list[Marked]:
    """The project's checkpoints in their order."""
    rows = await fetch_all(
        connection,
        "select number, body, signature from audit_checkpoints where project = %s and number > %s order by number limit %s",
        project,
        after,
        most,
    )
    return [_marked(row) for row in rows]


async def lock_checkpoints(connection: Connection, project: str) -> None:
    """Let nobody else make a checkpoint of the project until the transaction ends."""
    await execute(
        connection, "select pg_advisory_xact_lock(hashtextextended('flyball.audit.checkpoint ' || %s, 0))", project
    )


async def last_checkpoint(connection: Connection, project: str, kind: Kind | None = None) -> Marked | None:
    """The newest checkpoint, or the newest of a kind."""
    row = await fetch_one(
        connection,
        "select number, body, signature from audit_checkpoints where project = %s and (%s::text is null or kind = %s) "
        "order by number desc limit 1",
        project,
        kind,
        kind,
    )
    return _marked(row) if row else None


async def pruned_up_to(connection: Connection, project: str) -> int:
    """The last event that was given up; 0 where the chain begins at its beginning."""
    row = await fetch_one(
        connection,
        "select max(seq) as seq from audit_checkpoints where project = %s and kind = 'pruned'",
        project,
    )
    return (row and row["seq"]) or 0


async def checkpoint_before(connection: Connection, project: str, *, above: int, up_to: int) -> int | None:
    """The highest event above one and up to another at which a checkpoint stands."""
    row = await fetch_one(
        connection,
        "select max(seq) as seq from audit_checkpoints where project = %s and kind = 'checkpoint' "
        "and seq > %s and seq <= %s",
        project,
        above,
        up_to,
    )
    return row["seq"] if row else None


async def add_checkpoint(connection: Connection, project: str, number: int, body: bytes, signature: bytes) -> None:
    """Keep a checkpoint."""
    await execute(
        connection,
        "insert into audit_checkpoints (project, number, body, signature) values (%s, %s, %s, %s)",
        project,
        number,
        body.decode(),
        signature,
    )


async def drop_events(connection: Connection, project: str, up_to: int) -> int:
    """Give up the beginning of a chain, for which a checkpoint of kind pruned stands already; how many events."""
    await execute(connection, "select set_config('flyball.pruning', %s, true)", project)
    await execute(connection, "delete from audit_salts where project = %s and seq <= %s", project, up_to)
    dropped = await execute(connection, "delete from audit_events where project = %s and seq <= %s", project, up_to)
    await execute(connection, "select set_config('flyball.pruning', '', true)")
    return dropped


def _event(row: Row) -> Event:
    return read(row["canonical"], bytes(row["hash"]))


def _marked(row: Row) -> Marked:
    return Marked(row["number"], row["body"], bytes(row["signature"]).hex())
