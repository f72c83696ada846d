"""Requests of OTLP as they wait in `inbox_batches`: which make one batch, and what stands in them.

Knows rows and packed bodies; knows not what becomes of the records.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from flyball.infra.db.database import Connection, execute, fetch_all
from flyball.traces import batches, inbox
from flyball.traces.batches import Batch
from flyball.traces.columns import Origin
from flyball.traces.otlp.compression import unpack
from flyball.traces.records import Score

from .protocol import Claimable, Rest

_MOST_REQUESTS = 2_000
_MOST_RECORDS = 40_000
_MOST_BYTES = 128 * 1024 * 1024  # unpacked
_BODIES = "select project, key_id, received_ns, records, size, body from inbox_batches where id = any(%s) order by id"


class Request(NamedTuple):
    """One request: whose it is, and its body still packed."""

    origin: Origin
    size: int
    packed: bytes
    records: int

    @property
    def body(self) -> bytes:
        """The request as protobuf."""
        return unpack(self.packed, self.size)


async def oldest(connection: Connection, signal: str) -> Claimable:
    """The oldest requests of a signal, up to so many records and bytes; always one, however large."""
    rows = await fetch_all(
        connection,
        "select id, records, size from inbox_batches where signal = %s order by id limit %s",
        signal,
        _MOST_REQUESTS,
    )
    records = size = count = 0
    for row in rows:
        records, size = records + row["records"], size + row["size"]
        if count and (records > _MOST_RECORDS or size > _MOST_BYTES):
            break
        count += 1
    return Claimable(rows[:count], full=count < len(rows) or count == _MOST_REQUESTS)


async def read(connection: Connection, batch: Batch) -> list[Request]:
    """The requests of a batch, in the order in which they arrived."""
    return await _read(connection, batch.ids)


async def read_one(connection: Connection, id_: int) -> Request | None:
    """One request, if it is there."""
    found = await _read(connection, [id_])
    return found[0] if found else None


async def _read(connection: Connection, ids: list[int]) -> list[Request]:
    cursor = await connection.execute(_BODIES, (ids,), binary=True)
    return [_request(row) for row in await cursor.fetchall()]


async def keep_scores(connection: Connection, scores: Sequence[Score], *, now_ns: int) -> None:
    """What records said of a span's worth goes the way of all scores; under the id that it has, once. Call it in a transaction."""
    if scores:
        await inbox.append(connection, map(inbox.score_item, scores), now_ns=now_ns)


async def delete(connection: Connection, batch: Batch) -> None:
    """The batch is in its tables: forget it and its requests. Call it in a transaction."""
    await execute(connection, "delete from inbox_batches where id = any(%s)", batch.ids)
    await batches.forget(connection, batch)


async def take_out(connection: Connection, id_: int, rest: Rest | None) -> None:
    """Leave what is left of a request in its place. Call it in a transaction."""
    if rest is None:
        await execute(connection, "delete from inbox_batches where id = %s", id_)
    else:
        await execute(
            connection,
            "update inbox_batches set body = %s, size = %s, records = %s where id = %s",
            rest.body,
            rest.size,
            rest.records,
            id_,
        )


def in_pieces(requests: Sequence[Request], *, size: int) -> list[list[Request]]:
    """The requests in groups that are small enough to be unpacked and decoded at once, and alike: each becomes a file."""
    whole = sum(request.size for request in requests)
    share = whole / max(1, -(-whole // size))
    pieces: list[list[Request]] = [[]]
    held = before = 0
    for request in requests:
        if pieces[-1] and (held + request.size > size or before + request.size / 2 > share * len(pieces)):
            pieces.append([])
            held = 0
        pieces[-1].append(request)
        held, before = held + request.size, before + request.size
    return [piece for piece in pieces if piece]


def _request(row: dict[str, Any]) -> Request:
    return Request(Origin(row["project"], row["key_id"], row["received_ns"]), row["size"], row["body"], row["records"])
