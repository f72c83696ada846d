"""Requests of OTLP as they wait in `inbox_batches`: which make one batch, and what stands in them.

Knows rows, and bodies in them and in files; knows not what becomes of the records.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, execute, fetch_all
from flyball.traces import batches, bodies, inbox
from flyball.traces.batches import Batch
from flyball.traces.bodies import Place
from flyball.traces.columns import Origin
from flyball.traces.errors import BodyGoneError
from flyball.traces.otlp.compression import pack, unpack
from flyball.traces.records import Score

from .protocol import Claimable, Rest

_MOST_REQUESTS = 2_000
_MOST_RECORDS = 40_000
_MOST_BYTES = 128 * 1024 * 1024  # unpacked
_SUSPECTED_NS = 60 * 1_000_000_000
_BODIES = """
    select project, key_id, received_ns, records, size, body, body_file, body_at from inbox_batches where id = any(%s) order by id
"""
# The rows of a file are committed together: whoever sees one of them sees all that are left, those that go now among them.
_DELETE = """
    with gone as (delete from inbox_batches where id = any(%s) returning body_file)
    select body_file from gone where body_file is not null group by body_file
    having count(*) = (select count(*) from inbox_batches sharing where sharing.body_file = gone.body_file)
"""
_CLAIMED = "select distinct body_file from inbox_batches where body_file = any(%s)"


class Request(NamedTuple):
    """One request: whose it is, and its body still packed; or `apart`, in a folder's file."""

    origin: Origin
    size: int
    packed: bytes
    records: int
    apart: tuple[Path, Place] | None = None

    @property
    def body(self) -> bytes:
        """The request as protobuf. Raises BodyGoneError, OSError where it lies apart."""
        return unpack(self.packed, self.size) if self.apart is None else bodies.read(*self.apart, self.size)

    @property
    def as_packed(self) -> bytes:
        """The body as a row keeps it; nothing where it is gone."""
        if self.apart is None:
            return self.packed
        try:
            return pack(self.body)
        except BodyGoneError:
            return b""


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


async def read(connection: Connection, ids: Sequence[int], folder: Path) -> list[Request]:
    """These requests, in the order in which they arrived; `folder` is where bodies lie that are not in their rows."""
    cursor = await connection.execute(_BODIES, (list(ids),), binary=True)
    return [_request(row, folder) for row in await cursor.fetchall()]


async def keep_scores(connection: Connection, scores: Sequence[Score], *, now_ns: int) -> None:
    """What records said of a span's worth goes the way of all scores; under the id that it has, once. Call it in a transaction."""
    if scores:
        await inbox.append(connection, map(inbox.score_item, scores), now_ns=now_ns)


async def delete(connection: Connection, batch: Batch) -> list[str]:
    """The batch is in its tables: forget it and its requests. Call it in a transaction; the files that nobody needs after it."""
    rows = await fetch_all(connection, _DELETE, batch.ids)
    await batches.forget(connection, batch)
    return [row["body_file"] for row in rows]


async def tidy(connection: Connection, ctx: Context, suspected: Mapping[str, int]) -> dict[str, int]:
    """Delete files that somebody wrote who was killed before their rows were, or after.

    `suspected` is what the last call returned: old files that no row named, and since when. They are deleted when they are still
    not named a minute later, by the clock that nobody sets and that stands while the machine sleeps: after its sleep, or when the
    time was set, a file that is about to be named looks old. What another database names is none of this one's.
    """
    if (folder := bodies.folder_of(ctx)) is None:
        return {}
    if not (old := await asyncio.to_thread(bodies.old, folder, now_ns=ctx.clock.now_ns())):
        return {}
    claimed = {row["body_file"] for row in await fetch_all(connection, _CLAIMED, old)}
    now_ns = ctx.clock.monotonic_ns()
    since = {file: suspected.get(file, now_ns) for file in old if file not in claimed}
    left = [file for file in since if now_ns - since[file] >= _SUSPECTED_NS]
    await asyncio.to_thread(bodies.remove, folder, left)
    return since


async def take_out(connection: Connection, id_: int, rest: Rest | None) -> None:
    """Leave what is left of a request in its place. Call it in a transaction."""
    if rest is None:
        await execute(connection, "delete from inbox_batches where id = %s", id_)
    else:
        await execute(
            connection,
            "update inbox_batches set body = %s, body_file = null, body_at = null, size = %s, records = %s where id = %s",
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


def _request(row: dict[str, Any], folder: Path) -> Request:
    origin = Origin(row["project"], row["key_id"], row["received_ns"])
    apart = None if row["body_file"] is None else (folder, Place(row["body_file"], row["body_at"]))
    return Request(origin, row["size"], row["body"] or b"", row["records"], apart)
