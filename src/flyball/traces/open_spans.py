"""Spans that have begun and not ended: shown as running, and gone from here when the ended span is in the table.

One that never ends is stored a day later, marked, by way of the inbox; sooner where a project has too many of them. Knows the rows of `open_spans`; knows not how they are shown.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .columns import Origin
from .otlp.compression import pack
from .otlp.decoding import told_spans
from .otlp.encoding import spans_request
from .told import Told

UNENDED = "flyball.unended"  # the attribute of a span that was stored although nobody said that it ended
ENDS_WITHIN_NS = 24 * 3600 * 1_000_000_000
MOST_ROWS = 100_000  # open spans of one project; beyond, those are given up that were not told of for longest
MOST_BYTES = 256 * 1024 * 1024  # of them together, likewise

_MOST_AT_ONCE = 1_000
_MOST_BYTES_AT_ONCE = 32 * 1024 * 1024
_MOST_TURNS = 100  # of so many at once, until the flusher goes on with what arrives
_KEEP = """
    insert into open_spans (project, trace_id, span_id, start_ns, received_ns, key_id, body)
    select * from unnest(%b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::text[], %b::bytea[])
    on conflict (project, trace_id, span_id) do update
    set start_ns = excluded.start_ns, received_ns = excluded.received_ns, key_id = excluded.key_id, body = excluded.body
"""
_END = """
    delete from open_spans using unnest(%b::text[], %b::text[], %b::text[]) as ended (project, trace_id, span_id)
    where open_spans.project = ended.project and open_spans.trace_id = ended.trace_id and open_spans.span_id = ended.span_id
"""
_OF_TRACES = "select * from open_spans where project = %s and trace_id = any(%s) order by start_ns"
_NEWEST = """
    select * from open_spans where project = %s and start_ns >= %s and start_ns < %s order by start_ns desc limit %s
"""
_OVERDUE = """
    with oldest as (
        select project, trace_id, span_id, received_ns, octet_length(body) as size from open_spans
        where received_ns < %s order by received_ns limit %s
    ), few as (
        select project, trace_id, span_id, sum(size) over (order by received_ns, project, trace_id, span_id) - size as before
        from oldest
    )
    delete from open_spans using few where open_spans.project = few.project and open_spans.trace_id = few.trace_id
        and open_spans.span_id = few.span_id and before < %s
    returning open_spans.*
"""
_CROWDED = """
    select project from open_spans group by project having count(*) > %s or sum(octet_length(body)) > %s
"""
_BEYOND = """
    with sized as (
        select trace_id, span_id, received_ns, octet_length(body) as size, row_number() over newest as place,
            sum(octet_length(body)) over newest as held
        from open_spans where project = %s window newest as (order by received_ns desc, trace_id, span_id)
    ), beyond as (
        select trace_id, span_id, received_ns, size from sized where place > %s or held > %s order by received_ns limit %s
    ), few as (
        select trace_id, span_id, sum(size) over (order by received_ns, trace_id, span_id) - size as before from beyond
    )
    delete from open_spans using few where open_spans.project = %s and open_spans.trace_id = few.trace_id
        and open_spans.span_id = few.span_id and before < %s
    returning open_spans.*
"""
_STORE = """
    insert into inbox_batches (digest, project, signal, key_id, received_ns, records, size, body)
    values (%b, %b, 'traces', %b, %b, %b, %b, %b)
"""


class OpenSpan(NamedTuple):
    """A row: the span as it was last told, as a request of its own."""

    project: str
    trace_id: str
    span_id: str
    start_ns: int
    received_ns: int
    key_id: str
    body: bytes


def opened(origin: Origin, told: Told) -> OpenSpan:
    """The row of a span that has no end."""
    return OpenSpan(
        origin.project,
        told.trace_id,
        told.span_id,
        min(told.start_ns, 2**62),
        origin.received_ns,
        origin.key_id,
        spans_request([told]).SerializeToString(),
    )


def told_of(row: Row) -> Told:
    """The span of a row."""
    return next(told_spans(bytes(row["body"])))


async def keep(connection: Connection, spans: Iterable[OpenSpan]) -> None:
    """Remember them; what is told later takes the place of what was told before."""
    ordered = sorted(spans)
    if ordered:
        await execute(connection, _KEEP, *map(list, zip(*ordered, strict=True)))


async def end(connection: Connection, keys: Iterable[tuple[str, str, str]]) -> None:
    """These have ended. Costs next to nothing while no span is open."""
    if await fetch_one(connection, "select project from open_spans limit 1") and (ordered := sorted(keys)):
        await execute(connection, _END, *map(list, zip(*ordered, strict=True)))


async def of_traces(connection: Connection, project: str, trace_ids: Sequence[str]) -> list[Row]:
    """What is open in some traces."""
    return await fetch_all(connection, _OF_TRACES, project, list(trace_ids))


async def newest(
    connection: Connection, project: str, *, since_ns: int = 0, until_ns: int = 2**62, most: int
) -> list[Row]:
    """The open spans that began last, in [since, until)."""
    return await fetch_all(connection, _NEWEST, project, since_ns, until_ns, most)


async def give_up(connection: Connection, *, now_ns: int) -> int:
    """Send those that were not told of for a day into the inbox, as spans that end where they began, marked; how many."""
    async with connection.transaction():
        overdue_ns = now_ns - ENDS_WITHIN_NS
        rows = await fetch_all(connection, _OVERDUE, overdue_ns, _MOST_AT_ONCE, _MOST_BYTES_AT_ONCE)
        await _store_unended(connection, rows, now_ns)
    return len(rows)


async def keep_within_bounds(connection: Connection, *, now_ns: int) -> int:
    """Of projects with too many open spans, send those in the same way that were not told of for longest; how many."""
    given_up = 0
    for crowded in await fetch_all(connection, _CROWDED, MOST_ROWS, MOST_BYTES):
        project = crowded["project"]
        bounds = (project, MOST_ROWS, MOST_BYTES, _MOST_AT_ONCE, project, _MOST_BYTES_AT_ONCE)
        for _ in range(_MOST_TURNS):
            async with connection.transaction():
                rows = await fetch_all(connection, _BEYOND, *bounds)
                await _store_unended(connection, rows, now_ns)
            given_up += len(rows)
            if not rows:
                break
    return given_up


async def _store_unended(connection: Connection, rows: Sequence[Row], now_ns: int) -> None:
    by_sender: defaultdict[tuple[str, str], list[Told]] = defaultdict(list)
    for row in rows:
        by_sender[row["project"], row["key_id"]].append(_unended(told_of(row)))
    for (project, key_id), spans in by_sender.items():
        body = spans_request(spans).SerializeToString()
        digest = hashlib.sha256(body).digest()
        await execute(connection, _STORE, digest, project, key_id, now_ns, len(spans), len(body), pack(body))


def _unended(told: Told) -> Told:
    return msgspec.structs.replace(
        told, end_ns=max(told.start_ns, 1), status_code=0, attributes=told.attributes | {UNENDED: True}
    )
