"""Spans that are told in parts: a client says what it knows, then what changed. Later words count, and silence changes nothing.

Knows the rows of `span_parts`; knows not what the words mean, nor when a span is whole.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, execute, fetch_all

KEPT_NS = 7 * 24 * 3600 * 1_000_000_000  # how long the rest is waited for


class Place(NamedTuple):
    """Which span."""

    trace_id: str
    span_id: str


async def add_parts(ctx: Context, parts: Mapping[Place, Mapping[str, Any]]) -> dict[Place, dict[str, Any]]:
    """Put these words over what is known of each span; all that is known of them then."""
    now_ns = ctx.clock.now_ns()
    if not parts:
        return {}
    places = sorted(parts)  # one order for everybody, so that nobody blocks each other
    async with ctx.db.transaction() as connection:
        await _open(connection, ctx.project, places, now_ns)
        known = await _known(connection, ctx.project, places)
        whole = {place: {**known.get(place, {}), **parts[place]} for place in places}
        await execute(
            connection,
            """
            update span_parts set body = given.body, received_ns = %s
            from unnest(%s::text[], %s::text[], %s::text[]) as given (trace_id, span_id, body)
            where span_parts.project = %s and span_parts.trace_id = given.trace_id and span_parts.span_id = given.span_id
            """,
            now_ns,
            [place.trace_id for place in places],
            [place.span_id for place in places],
            [msgspec.json.encode(whole[place]).decode() for place in places],
            ctx.project,
        )
        await execute(
            connection,
            "delete from span_parts where project = %s and received_ns < %s",
            ctx.project,
            now_ns - KEPT_NS,
        )
    return whole


async def forget_parts(ctx: Context, places: list[Place]) -> None:
    """These are whole, and kept as spans."""
    if not places:
        return
    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            """
            delete from span_parts using unnest(%s::text[], %s::text[]) as given (trace_id, span_id)
            where span_parts.project = %s and span_parts.trace_id = given.trace_id and span_parts.span_id = given.span_id
            """,
            [place.trace_id for place in places],
            [place.span_id for place in places],
            ctx.project,
        )


async def _open(connection: Connection, project: str, places: list[Place], now_ns: int) -> None:
    await execute(
        connection,
        """
        insert into span_parts (project, trace_id, span_id, received_ns, body)
        select %s, trace_id, span_id, %s, '{}' from unnest(%s::text[], %s::text[]) as given (trace_id, span_id)
        on conflict do nothing
        """,
        project,
        now_ns,
        [place.trace_id for place in places],
        [place.span_id for place in places],
    )


async def _known(connection: Connection, project: str, places: list[Place]) -> dict[Place, dict[str, Any]]:
    rows = await fetch_all(
        connection,
        """
        select trace_id, span_id, body from span_parts
        join unnest(%s::text[], %s::text[]) as given (trace_id, span_id) using (trace_id, span_id)
        where project = %s order by trace_id, span_id for update of span_parts
        """,
        [place.trace_id for place in places],
        [place.span_id for place in places],
        project,
    )
    return {Place(row["trace_id"], row["span_id"]): msgspec.json.decode(row["body"]) for row in rows}
