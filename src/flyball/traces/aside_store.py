"""All SQL of what was set aside: records that are acknowledged and cannot be moved into their tables. Connection in, rows out.

Knows the rows of `inbox_aside` and how they go back into their inboxes; knows not why records cannot be moved.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flyball.infra.db.database import Connection, Row, execute, fetch_all

_KEEP = """
    insert into inbox_aside (
        project, kind, key_id, key, trace_id, start_ns, received_ns, records, size, body, error, message, aside_ns, stored
    ) values (%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)
"""
_SHOWN = "id, kind, key_id, trace_id, received_ns, aside_ns, records, size, stored, error, message"
_LIST = f"select {_SHOWN} from inbox_aside where project = %s and id > %s order by id limit %s"
_OF_PROJECT = "select * from inbox_aside where project = %s and id > %s order by id limit 1"
_GET = "select * from inbox_aside where project = %s and id = %s"
_REPLACE = "update inbox_aside set body = %s, size = %s, records = %s where project = %s and id = %s"
_DELETE = "delete from inbox_aside where project = %s and id = any(%s)"
_EXPIRE = "delete from inbox_aside where project = %s and received_ns < %s"
# Log records and points that are in their table would be there twice; spans and scores are known when they come again.
_TAKE = """
    delete from inbox_aside where project = %s and (%s::bigint is null or id = %s)
        and not (stored and kind in ('logs', 'metrics')) returning *
"""
_ONE_BY_ONE = """
    insert into inbox (kind, project, key, trace_id, start_ns, received_ns, body) values (%b, %b, %b, %b, %b, %b, %b)
"""
_BY_OTLP = """
    insert into inbox_batches (digest, project, signal, key_id, received_ns, records, size, body)
    values (%b, %b, %b, %b, %b, %b, %b, %b)
"""


class Unmovable(NamedTuple):
    """What cannot be moved, as it stands in its inbox, and the error that says so."""

    project: str
    kind: str
    key_id: str
    key: str
    trace_id: str
    start_ns: int
    received_ns: int
    records: int
    size: int
    body: bytes
    error: str
    message: str


async def keep(connection: Connection, given: Iterable[Unmovable], *, now_ns: int, stored: bool) -> None:
    """Set aside. Call it in the transaction that takes these out of their inbox."""
    for one in given:
        await execute(connection, _KEEP, *one, now_ns, stored)


async def shown(connection: Connection, project: str, *, after: int, most: int) -> list[Row]:
    """What is known of each, without what it holds; in the order in which they were set aside."""
    return await fetch_all(connection, _LIST, project, after, most)


async def get(connection: Connection, project: str, id_: int) -> Row | None:
    """One of them, whole."""
    found = await fetch_all(connection, _GET, project, id_)
    return found[0] if found else None


async def next_after(connection: Connection, project: str, id_: int) -> Row | None:
    """The one behind another, whole: one at a time, because any may be large."""
    found = await fetch_all(connection, _OF_PROJECT, project, id_)
    return found[0] if found else None


async def replace(connection: Connection, row: Row, *, body: bytes, size: int, records: int) -> None:
    """Less is left of it."""
    await execute(connection, _REPLACE, body, size, records, row["project"], row["id"])


async def delete(connection: Connection, project: str, ids: Sequence[int]) -> int:
    """Forget these; how many there were."""
    return await execute(connection, _DELETE, project, list(ids))


async def expire(connection: Connection, project: str, before_ns: int) -> int:
    """Forget what arrived before; how many."""
    return await execute(connection, _EXPIRE, project, before_ns)


async def put_back(connection: Connection, project: str, id_: int | None) -> int:
    """Move one, or all, back into the inboxes; how many records. What must not be stored twice stays. Call it in a transaction."""
    records = 0
    for row in await fetch_all(connection, _TAKE, project, id_, id_):
        body, received_ns = bytes(row["body"]), row["received_ns"]
        if row["kind"] in ("span", "score"):
            told = (row["kind"], project, row["key"], row["trace_id"], row["start_ns"], received_ns, body)
            await execute(connection, _ONE_BY_ONE, *told)
        else:
            digest = hashlib.sha256(body).digest()[:16]
            told_by = (project, row["kind"], row["key_id"], received_ns, row["records"], row["size"], body)
            await execute(connection, _BY_OTLP, digest, *told_by)
        records += row["records"]
    return records
