"""Moves spans and scores that arrived one by one, as JSON: from the gateway's spool, the API and people.

Knows the rows of `inbox`; knows not who produced them.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Row, execute, fetch_all
from flyball.infra.lake.schema import TableSchema
from flyball.traces import batches
from flyball.traces.batches import Batch
from flyball.traces.counted_calls import CountedCalls, Heard
from flyball.traces.inbox import Kind
from flyball.traces.mending import read_score, read_span
from flyball.traces.own_blobs import own_blobs
from flyball.traces.tables import PAYLOADS, SCORES, SPANS, store_score, store_span

from .protocol import Claimable, Rest, Sifted
from .sifting import unmovable_row
from .troubles import is_outside

_ROWS = "select id, project, key, trace_id, start_ns, received_ns, body from inbox where id = any(%s) order by id"
_MOST_ROWS = 5_000
_MOST_BYTES = 64 * 1024 * 1024


class NativeMover:
    """Spans, or scores, of the table `inbox`. Calls that an application tells and the gateway too are counted by the gateway."""

    def __init__(self, ctx: Context, kind: Kind, calls: CountedCalls) -> None:
        self.kind: str = kind
        self.table: TableSchema = SPANS if kind == "span" else SCORES
        self._ctx = ctx
        self._calls = calls
        self._write: Callable[[Batch, Sequence[Row]], None] = (
            self._write_spans if kind == "span" else self._write_scores
        )

    async def oldest(self, connection: Connection) -> Claimable:
        """The oldest rows of the kind, up to some thousand or some megabytes."""
        rows = await fetch_all(
            connection,
            """
            select id from (
                select id, sum(octet_length(body)) over (order by id) - octet_length(body) as before
                from (select id, body from inbox where kind = %s order by id limit %s) as oldest
            ) as sized where before < %s
            """,
            self.kind,
            _MOST_ROWS,
            _MOST_BYTES,
        )
        return Claimable(rows, full=len(rows) >= _MOST_ROWS)

    async def move(self, connection: Connection, batch: Batch) -> None:
        """Write the batch, then delete its rows."""
        rows = await fetch_all(connection, _ROWS, batch.ids)
        await asyncio.to_thread(self._write, batch, rows)
        async with connection.transaction():
            await execute(connection, "delete from inbox where id = any(%s)", batch.ids)
            await batches.forget(connection, batch)

    async def sift(self, connection: Connection, id_: int, *, whole: Exception | None) -> Sifted:
        """A row is one record: it can be moved or not."""
        rows = await fetch_all(connection, _ROWS, [id_])
        if not rows:
            return Sifted(None, [])
        try:
            await asyncio.to_thread(self._rehearse, rows)
        except Exception as error:  # -- nobody foresaw it: a record may be to blame
            if is_outside(error, connection):
                raise
            whole = error
        return Sifted(None, [unmovable_row(self.kind, rows[0], whole)] if whole else [])

    async def take_out(self, connection: Connection, id_: int, rest: Rest | None) -> None:
        """Take the row out; nothing is left of it."""
        del rest
        await execute(connection, "delete from inbox where id = %s", id_)

    def _rehearse(self, rows: Sequence[Row]) -> None:
        if self.kind == "score":
            self._ctx.lake.rehearse(SCORES, lambda: [[store_score(read_score(row)) for row in rows]])
            return
        stored = [store_span(read_span(row)) for row in rows]
        self._ctx.lake.rehearse(PAYLOADS, lambda: [each.payloads for each in stored])
        self._ctx.lake.rehearse(SPANS, lambda: [[each.row for each in stored]])

    def _write_spans(self, batch: Batch, rows: Sequence[Row]) -> None:
        spans = [read_span(row) for row in rows]
        stored = [
            store_span(span) for span in self._calls.once([Heard(span.project, span.scope, span) for span in spans])
        ]
        for data in {data for each in stored for data in each.blobs}:
            own_blobs(self._ctx).put(data)
        self._append(PAYLOADS, batch, [payload for each in stored for payload in each.payloads])
        self._append(SPANS, batch, [each.row for each in stored])

    def _write_scores(self, batch: Batch, rows: Sequence[Row]) -> None:
        self._append(SCORES, batch, [store_score(read_score(row)) for row in rows])

    def _append(self, table: TableSchema, batch: Batch, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._ctx.lake.append(table, rows, writer=batch.writer, sequence=batch.number)
