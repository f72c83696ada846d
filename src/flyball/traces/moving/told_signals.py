"""Moves log records and metric points that OTLP told into their tables. A request that is repeated was recognised on arrival.

Knows the way of a batch; knows neither protobuf nor columns.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.lake.schema import TableSchema
from flyball.traces import bodies
from flyball.traces.batches import Batch
from flyball.traces.columns import Origin
from flyball.traces.content_logs import ContentLogs
from flyball.traces.dialects.judgements import of_project, scores_of_log
from flyball.traces.otlp.decoding import told_logs, told_points
from flyball.traces.records import Score
from flyball.traces.signal_tables import LOGS, METRICS, log_columns, point_columns

from . import requests
from .protocol import Claimable, Rest, Sifted
from .requests import Request
from .sifting import sift

_PIECE_BYTES = 16 * 1024 * 1024  # of requests, unpacked, that become rows at once


class _Signal(NamedTuple):
    table: TableSchema
    decode: Callable[[bytes], Iterable[Any]]
    columns: Callable[[Sequence[tuple[Origin, Any]]], pa.Table]


_SIGNALS = {
    "logs": _Signal(LOGS, told_logs, log_columns),
    "metrics": _Signal(METRICS, told_points, point_columns),
}


class ToldSignalMover:
    """Log records, or points, of the table `inbox_batches`. `content` hears of log records that belong to a span."""

    def __init__(self, ctx: Context, kind: Literal["logs", "metrics"], content: ContentLogs) -> None:
        self.kind: str = kind
        self.table = _SIGNALS[kind].table
        self._signal = _SIGNALS[kind]
        self._ctx = ctx
        self._content = content

    async def oldest(self, connection: Connection) -> Claimable:
        """The oldest requests of the signal."""
        return await requests.oldest(connection, self.kind)

    async def move(self, connection: Connection, batch: Batch) -> None:
        """Write the batch, then delete its requests."""
        packed = await requests.read(connection, batch.ids, self._ctx.layout.inbox)
        scores = await asyncio.to_thread(self._write, batch, packed)
        async with connection.transaction():
            await requests.keep_scores(connection, scores, now_ns=self._ctx.clock.now_ns())
            unneeded = await requests.delete(connection, batch)
        await asyncio.to_thread(bodies.remove, self._ctx.layout.inbox, unneeded)

    async def sift(self, connection: Connection, id_: int, *, whole: Exception | None) -> Sifted:
        """The records of a request that cannot be moved."""
        found = await requests.read(connection, [id_], self._ctx.layout.inbox)
        return await sift(connection, self.kind, found, self._rehearse, whole=whole)

    async def take_out(self, connection: Connection, id_: int, rest: Rest | None) -> None:
        """Leave the rest in the request's place."""
        await requests.take_out(connection, id_, rest)

    async def _rehearse(self, connection: Connection, packed: Sequence[Request]) -> None:
        scores: list[Score] = []
        await asyncio.to_thread(self._ctx.lake.rehearse, self.table, self._pieces(packed, scores))
        async with connection.transaction(force_rollback=True):
            await requests.keep_scores(connection, scores, now_ns=self._ctx.clock.now_ns())

    def _write(self, batch: Batch, packed: Sequence[Request]) -> list[Score]:
        """Write the records; the scores among them."""
        scores: list[Score] = []
        pieces = self._pieces(packed, scores)
        if not self._ctx.lake.append(self.table, pieces, writer=batch.writer, sequence=batch.number):
            for _ in pieces():  # it was written before, and its scores are told again
                pass
        return scores

    def _pieces(self, packed: Sequence[Request], scores: list[Score]) -> Callable[[], Iterator[pa.Table]]:
        """What makes the rows, and puts the scores among them into the list."""

        def pieces() -> Iterator[pa.Table]:
            scores.clear()  # an append that fails for a moment begins again
            for piece in requests.in_pieces(packed, size=_PIECE_BYTES):
                arrived = [
                    (request.origin, record) for request in piece for record in self._signal.decode(request.body)
                ]
                if self.kind == "logs":
                    self._content.add((origin.project, log) for origin, log in arrived)
                    for origin, log in arrived:
                        scores.extend(of_project(scores_of_log(log), origin.project))
                if arrived:
                    yield self._signal.columns(arrived)

        return pieces
