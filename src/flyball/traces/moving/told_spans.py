"""Moves spans that OTLP told: decoded, understood, made columns, and stored once, whatever was sent how often.

What has not ended yet is kept apart until it has. Knows the way of a batch; knows neither protobuf nor what attributes mean.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.lake.errors import LakeAwayError
from flyball.infra.lake.questions import Holding
from flyball.infra.lake.schema import TableSchema
from flyball.kit.errors import FlyballError
from flyball.kit.hashing import bytes_hash
from flyball.traces import bodies, open_spans
from flyball.traces.alike import Foreign, Understand
from flyball.traces.batches import Batch
from flyball.traces.columns import Columns, Origin, told_columns
from flyball.traces.content_logs import ContentLogs
from flyball.traces.counted_calls import CountedCalls, Used
from flyball.traces.dialects.judgements import of_project, scores_of
from flyball.traces.lately_stored import MOST, LatelyStored, hashes_of
from flyball.traces.open_spans import OpenSpan
from flyball.traces.otlp.decoding import told_spans
from flyball.traces.own_blobs import own_blobs
from flyball.traces.records import Score
from flyball.traces.tables import SPANS
from flyball.traces.told import Told

from . import requests
from .protocol import Claimable, Rest, Sifted
from .requests import Request
from .sifting import sift

Key: TypeAlias = tuple[str, str, str]  # project, trace id, span id

_PIECE_BYTES = 16 * 1024 * 1024  # of requests, unpacked, that become rows at once
_PROMPT = ("input_tokens", "cache_read_tokens", "cache_write_tokens")
_ANSWER = ("output_tokens", "reasoning_tokens")
_NO_USAGE: dict[str, Any] = dict.fromkeys((*_PROMPT, *_ANSWER), 0) | {"usage_estimated": False}
_NO_COST: dict[str, Any] = {"cost_nano_usd": None, "price_version": ""}
_STORED = "select distinct project, trace_id, span_id from spans where trace_id in (select unnest($trace_ids))"


@dataclass
class _Moved:
    """What a batch held, beside the rows that it became."""

    open: dict[Key, OpenSpan] = field(default_factory=dict)
    ended: set[Key] = field(default_factory=set)
    fresh: list[Key] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)


class ToldSpanMover:
    """Spans of the table `inbox_batches`. `understand` makes columns of what was told."""

    def __init__(self, ctx: Context, understand: Understand, logs: ContentLogs, calls: CountedCalls) -> None:
        self.kind = "traces"
        self.table: TableSchema = SPANS
        self._ctx = ctx
        self._understand = understand
        self._logs = logs
        self._calls = calls
        self._lately = LatelyStored()
        self._number = -1  # of the batch up to which `_lately` knows the table

    async def oldest(self, connection: Connection) -> Claimable:
        """The oldest requests, up to some ten thousand spans."""
        return await requests.oldest(connection, self.kind)

    async def move(self, connection: Connection, batch: Batch) -> None:
        """Write the batch, then delete its requests."""
        if self._number != batch.number - 1:  # begin of the process, or another one flushed meanwhile
            with _asking_the_table():
                self._lately = await asyncio.to_thread(self._remember)
        packed = await requests.read(connection, batch.ids, self._ctx.layout.inbox)
        moved = await asyncio.to_thread(self._write, batch, packed)
        async with connection.transaction():
            await self._keep_beside(connection, moved)
            unneeded = await requests.delete(connection, batch)
        await asyncio.to_thread(bodies.remove, self._ctx.layout.inbox, unneeded)
        self._lately.add(hashes_of(moved.fresh))
        self._number = batch.number

    async def sift(self, connection: Connection, id_: int, *, whole: Exception | None) -> Sifted:
        """The spans of a request that cannot be moved."""
        found = await requests.read(connection, [id_], self._ctx.layout.inbox)
        return await sift(connection, self.kind, found, self._rehearse, whole=whole)

    async def take_out(self, connection: Connection, id_: int, rest: Rest | None) -> None:
        """Leave the rest in the request's place."""
        await requests.take_out(connection, id_, rest)

    async def _rehearse(self, connection: Connection, packed: Sequence[Request]) -> None:
        moved = _Moved()
        pieces = partial(self._pieces, packed, moved, bytes_hash)
        await asyncio.to_thread(self._ctx.lake.rehearse, SPANS, pieces)
        async with connection.transaction(force_rollback=True):
            await self._keep_beside(connection, moved)

    async def _keep_beside(self, connection: Connection, moved: _Moved) -> None:
        await open_spans.end(connection, moved.ended)
        await open_spans.keep(connection, moved.open.values())
        await requests.keep_scores(connection, moved.scores, now_ns=self._ctx.clock.now_ns())

    def _remember(self) -> LatelyStored:
        lately, names = LatelyStored(), ("project", "trace_id", "span_id")
        found = [
            hashes_of(zip(*(part[name].to_pylist() for name in names), strict=True))
            for part in self._ctx.lake.newest(SPANS, names, most=MOST)
        ]
        for hashes in reversed(found):  # the oldest first, as they came
            lately.add(hashes)
        return lately

    def _write(self, batch: Batch, packed: Sequence[Request]) -> _Moved:
        moved = _Moved()

        def pieces() -> Iterator[pa.Table]:
            nonlocal moved
            moved = _Moved()  # an append that fails for a moment begins again
            return self._pieces(packed, moved, own_blobs(self._ctx).put)

        if not self._ctx.lake.append(SPANS, pieces, writer=batch.writer, sequence=batch.number):
            for _ in pieces():  # it was written before, and what it held beside is told again
                pass
        return moved

    def _pieces(self, packed: Sequence[Request], moved: _Moved, keep: Callable[[bytes], str]) -> Iterator[pa.Table]:
        """The rows; beside them, `moved` is filled, and `keep` is given what is too large for a row once its piece is sound."""
        for piece in requests.in_pieces(packed, size=_PIECE_BYTES):
            fresh = self._not_stored(self._ended(piece, moved), moved)
            if fresh:
                large: list[bytes] = []
                rows = self._rows(fresh, partial(_hash_later, large))
                for data in large:
                    keep(data)
                yield rows

    def _rows(self, fresh: Sequence[tuple[Origin, Told]], keep: Callable[[bytes], str]) -> pa.Table:
        order, columns = self._understand([self._foreign(*each) for each in fresh])
        origins, tolds = zip(*(fresh[place] for place in order), strict=True)
        self._count_once(origins, tolds, columns)
        return told_columns(origins, tolds, columns, keep)

    def _foreign(self, origin: Origin, told: Told) -> Foreign:
        return Foreign(origin.project, told, self._logs.of(origin.project, told.trace_id, told.span_id))

    def _count_once(self, origins: Sequence[Origin], tolds: Sequence[Told], columns: Columns) -> None:
        """Take the usage from spans that repeat what others used; and the cost, where one of those has it."""
        prompts = list(map(sum, zip(*(columns[name] for name in _PROMPT), strict=True)))
        totals = map(sum, zip(prompts, *(columns[name] for name in _ANSWER), strict=True))
        projects, scopes = (origin.project for origin in origins), (told.scope.name for told in tolds)
        ids = (columns[name] for name in ("trace_id", "span_id", "parent_id", "start_ns", "end_ns"))
        priced = (cost is not None for cost in columns["cost_nano_usd"])
        heard = map(Used, projects, scopes, *ids, prompts, totals, columns["response_id"], priced)
        for place, is_priced in self._calls.repeated(list(heard)).items():
            for name, nothing in (_NO_USAGE | _NO_COST if is_priced else _NO_USAGE).items():
                columns[name][place] = nothing

    def _ended(self, piece: Sequence[Request], moved: _Moved) -> list[tuple[Origin, Told]]:
        ended = []
        for request in piece:
            for told in told_spans(request.body):
                if told.end_ns:
                    ended.append((request.origin, told))
                    moved.scores += of_project(scores_of(told), request.origin.project)
                else:
                    key = (request.origin.project, told.trace_id, told.span_id)
                    moved.open[key] = open_spans.opened(request.origin, told)
        return ended

    def _not_stored(self, ended: list[tuple[Origin, Told]], moved: _Moved) -> list[tuple[Origin, Told]]:
        """Those that are new, each once; of what is open, what has ended before."""
        keys = [(origin.project, told.trace_id, told.span_id) for origin, told in ended]
        open_keys = list(moved.open)
        maybe = np.flatnonzero(self._lately.maybe(hashes_of([*keys, *open_keys])))
        times = [told.start_ns for _, told in ended] + [each.start_ns for each in moved.open.values()]
        stored = self._stored({(keys + open_keys)[index]: times[index] for index in maybe.tolist()})
        fresh = []
        for key, each in zip(keys, ended, strict=True):
            if key not in moved.ended and key not in stored:
                fresh.append(each)
                moved.fresh.append(key)
            moved.ended.add(key)
        for key in [key for key in moved.open if key in moved.ended or key in stored]:
            del moved.open[key]
        return fresh

    def _stored(self, starts: Mapping[Key, int]) -> set[Key]:
        """Which of the keys the table has. A span that is told again is told with the same start, nearly always."""
        if not starts:
            return set()
        between = f"start_ns >= {min(starts.values())} and start_ns <= {max(starts.values())}"
        found = self._found(starts, between)
        others = [key for key in starts if key not in found]
        return found | self._found(others, None) if others else found

    def _found(self, keys: Iterable[Key], where: str | None) -> set[Key]:
        trace_ids = sorted({trace_id for _, trace_id, _ in keys})
        holding = {"spans": Holding(trace_ids, where)}
        with _asking_the_table():
            found = self._ctx.lake.query(_STORED, {"trace_ids": trace_ids}, tables=(SPANS,), where=holding)
        return {(row["project"], row["trace_id"], row["span_id"]) for row in found}


def _hash_later(large: list[bytes], data: bytes) -> str:
    large.append(data)
    return bytes_hash(data)


@contextmanager
def _asking_the_table() -> Iterator[None]:
    """Whatever goes wrong in the block, the table cannot be read: no span that is on its way is to blame."""
    try:
        yield
    except (FlyballError, OSError, MemoryError):
        raise
    except Exception as error:  # -- whatever a reader raises
        raise LakeAwayError(
            f"the table {SPANS.name} cannot be read: {error}", next_step="run `flyball doctor`"
        ) from error
