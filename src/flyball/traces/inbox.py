"""The one PostgreSQL table that every producer appends to before it is answered, and what waits in it.

Knows rows and keys; knows neither the tables that the flusher writes nor who calls. Light: the gateway imports it.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from flyball.infra.db.database import Connection, Row, execute, fetch_all, fetch_one

from .records import Score, Span

Kind = Literal["span", "score"]

KEYS_KEPT_NS = 6 * 3600 * 1_000_000_000  # how long a producer may repeat itself without a second row


class Item(msgspec.Struct, frozen=True, array_like=True):
    """A record on its way: what the inbox needs to know of it, and its JSON."""

    kind: Kind
    project: str
    key: str
    trace_id: str
    start_ns: int
    body: bytes


class Waiting(NamedTuple):
    """What is acknowledged and not yet in a table: how many records, and when the oldest arrived (0: none waits)."""

    rows: int
    oldest_ns: int


def span_item(span: Span) -> Item:
    """A span as the inbox takes it."""
    return Item("span", span.project, span.key, span.trace_id, span.start_ns, _encode(span))


def score_item(score: Score) -> Item:
    """A score as the inbox takes it."""
    return Item("score", score.project, score.score_id, score.trace_id, score.created_ns, _encode(score))


async def append(connection: Connection, items: Iterable[Item], *, now_ns: int) -> int:
    """Append what was not appended within the last hours; how many were new. For producers that may repeat themselves."""
    by_digest = {_digest(item): item for item in items}
    # One order for everybody, so that two producers with the same keys wait for each other instead of blocking.
    ordered = sorted(by_digest.items())
    return await execute(
        connection,
        """
        with given as (
            select * from unnest(%b::bytea[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bytea[])
                as given (digest, kind, project, key, trace_id, start_ns, body)
        ), fresh as (
            insert into inbox_keys (digest, received_ns) select digest, %b::bigint from given
            on conflict do nothing returning digest
        )
        insert into inbox (kind, project, key, trace_id, start_ns, received_ns, body)
        select kind, project, key, trace_id, start_ns, %b::bigint, body from given join fresh using (digest)
        """,
        [digest for digest, _ in ordered],
        *_columns([item for _, item in ordered]),
        now_ns,
        now_ns,
    )


async def append_once(connection: Connection, items: Sequence[Item], *, now_ns: int) -> None:
    """Append all of them. For producers that themselves know what they have appended, as the spool does."""
    await execute(
        connection,
        """
        insert into inbox (kind, project, key, trace_id, start_ns, received_ns, body)
        select kind, project, key, trace_id, start_ns, %b::bigint, body
        from unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bytea[])
            as given (kind, project, key, trace_id, start_ns, body)
        """,
        now_ns,
        *_columns(items),
    )


async def forget_keys(connection: Connection, *, now_ns: int) -> int:
    """Forget digests that are older than anybody repeats; how many."""
    return await execute(connection, "delete from inbox_keys where received_ns < %s", now_ns - KEYS_KEPT_NS)


async def newest(
    connection: Connection, project: str, kind: Kind, *, since_ns: int = 0, until_ns: int = 2**62, most: int
) -> list[Row]:
    """The newest waiting records of a kind that began in [since, until)."""
    return await fetch_all(
        connection,
        """
        select kind, project, key, trace_id, start_ns, body from inbox where project = %s and kind = %s and start_ns >= %s and start_ns < %s
        order by start_ns desc limit %s
        """,
        project,
        kind,
        since_ns,
        until_ns,
        most,
    )


async def of_traces(connection: Connection, project: str, trace_ids: Sequence[str]) -> list[Row]:
    """What waits of some traces, in the order of arrival."""
    return await fetch_all(
        connection,
        """
        select kind, project, key, trace_id, start_ns, body from inbox
        where project = %s and trace_id = any(%s) order by id
        """,
        project,
        list(trace_ids),
    )


async def waiting(connection: Connection, project: str | None = None) -> Waiting:
    """How much waits, in one project or in all."""
    row = await fetch_one(
        connection,
        """
        select sum(rows)::bigint as rows, min(oldest) as oldest from (
            select count(*) as rows, min(received_ns) as oldest from inbox where %s::text is null or project = %s
            union all
            select sum(records), min(received_ns) from inbox_batches where %s::text is null or project = %s
        ) as both_inboxes
        """,
        project,
        project,
        project,
        project,
    )
    return Waiting(row["rows"], row["oldest"] or 0) if row else Waiting(0, 0)


async def count_all(connection: Connection) -> int:
    """How many rows wait, requests of OTLP included, in all projects."""
    row = await fetch_one(
        connection, "select (select count(*) from inbox) + (select count(*) from inbox_batches) as rows"
    )
    return int(row["rows"]) if row else 0


def _columns(items: Sequence[Item]) -> tuple[Sequence[str | int | bytes], ...]:
    return (
        [item.kind for item in items],
        [item.project for item in items],
        [item.key for item in items],
        [item.trace_id for item in items],
        [item.start_ns for item in items],
        [item.body for item in items],
    )


def _digest(item: Item) -> bytes:
    return hashlib.sha256(f"{item.kind}\0{item.project}\0{item.key}".encode()).digest()[:16]


def _encode(record: Span | Score) -> bytes:
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:  # half a surrogate pair, which only code can make: kept as "?", the record is not lost
        text = json.dumps(msgspec.to_builtins(record), ensure_ascii=False)
        return text.encode("utf-8", "replace")
