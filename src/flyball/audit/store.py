"""All SQL of the audit record: the chain's head, events, salts. No clock, no hashing, no authorisation."""

from typing import Any

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Event, Head

_COLUMNS = (
    "seq, project, at_ns, mono_ns, boot_id, actor_id, actor_kind, actor_name, action, object_kind, object_id, "
    "before, after, request_id, hash"
)

_APPEND = f"insert into audit_events ({_COLUMNS}) values ({', '.join(['%s'] * len(_COLUMNS.split()))})"
_NEWEST = f"""
    select {_COLUMNS} from audit_events
    where project = %s and (%s::bigint is null or seq < %s)
      and (%s = '' or object_kind = %s) and (%s = '' or object_id = %s)
    order by seq desc limit %s
"""
_FOLLOWING = f"select {_COLUMNS} from audit_events where seq > %s order by seq limit %s"


async def lock_head(connection: Connection) -> tuple[int, bytes]:
    """The end of the chain, locked until the transaction ends: appends happen one after the other."""
    row = await fetch_one(connection, "select seq, hash from audit_head for update")
    return _sequence_and_hash(row)


async def head(connection: Connection) -> Head:
    """The end of the chain as it is."""
    seq, hash_ = _sequence_and_hash(await fetch_one(connection, "select seq, hash from audit_head"))
    return Head(seq=seq, hash=hash_.hex())


async def append(connection: Connection, event: Event, hash_: bytes, salt: bytes) -> None:
    """Write an event and its salt, and move the head onto it."""
    values = [getattr(event, name) for name in _COLUMNS.split(", ")[:-1]]
    await execute(connection, _APPEND, *values, hash_)
    await execute(connection, "insert into audit_salts (seq, salt) values (%s, %s)", event.seq, salt)
    await execute(connection, "update audit_head set seq = %s, hash = %s", event.seq, hash_)


async def newest(
    connection: Connection,
    project: str,
    *,
    before_seq: int | None,
    most: int,
    object_kind: str = "",
    object_id: str = "",
) -> list[Event]:
    """A project's events, newest first, of one kind or object where asked."""
    rows = await fetch_all(
        connection, _NEWEST, project, before_seq, before_seq, object_kind, object_kind, object_id, object_id, most
    )
    return [_event(row) for row in rows]


async def following(connection: Connection, after_seq: int, most: int) -> list[tuple[Event, bytes]]:
    """Events of all projects in the order of the chain, with the hashes that they carry."""
    rows = await fetch_all(connection, _FOLLOWING, after_seq, most)
    return [(_event(row), bytes(row["hash"])) for row in rows]


async def salt(connection: Connection, seq: int) -> bytes | None:
    """The salt of an event's commitments; None once it was destroyed."""
    row = await fetch_one(connection, "select salt from audit_salts where seq = %s", seq)
    return bytes(row["salt"]) if row else None


def _event(row: Row) -> Event:
    values: dict[str, Any] = dict(row)
    return Event(**values | {"hash": bytes(row["hash"]).hex()})


def _sequence_and_hash(row: Row | None) -> tuple[int, bytes]:
    if row is None:
        raise RuntimeError("the table audit_head lost its only row")
    return row["seq"], bytes(row["hash"])
