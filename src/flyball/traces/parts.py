"""Spans that are told in parts: a client says what it knows, then what changed. Later words count, and silence changes nothing.

Knows the rows of `span_parts`; knows not what the words mean, nor when a span is whole.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, execute, fetch_all

KEPT_NS = 7 * 24 * 3600 * 1_000_000_000  # how long the rest is waited for
MOST_ROWS = 100_000  # spans of one project of which parts are kept; beyond, those go that were not told of for longest
MOST_BYTES = 256 * 1024 * 1024  # of them together, likewise
MOST_OF_ONE = 8 * 1024 * 1024  # bytes; what is told of a span beyond them is told on, and not remembered

_OVERDUE = "delete from span_parts where received_ns < %s"
_CROWDED = """
    select project from span_parts group by project having count(*) > %s or sum(octet_length(body)) > %s
"""
_BEYOND = """
    delete from span_parts using (
        select trace_id, span_id, row_number() over newest as place, sum(octet_length(body)) over newest as held
        from span_parts where project = %s window newest as (order by received_ns desc, trace_id, span_id)
    ) as sized
    where span_parts.project = %s and span_parts.trace_id = sized.trace_id and span_parts.span_id = sized.span_id
        and (place > %s or held > %s)
"""


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
        told = {place: msgspec.json.encode(whole[place]).decode() for place in places}
        kept = [place for place in places if len(told[place]) <= MOST_OF_ONE]
        await execute(
            connection,
            """
            update span_parts set body = given.body, received_ns = %s
            from unnest(%s::text[], %s::text[], %s::text[]) as given (trace_id, span_id, body)
            where span_parts.project = %s and span_parts.trace_id = given.trace_id and span_parts.span_id = given.span_id
            """,
            now_ns,
            [place.trace_id for place in kept],
            [place.span_id for place in kept],
            [told[place] for place in kept],
            ctx.project,
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


async def give_up(connection: Connection, *, now_ns: int) -> int:
    """Forget parts whose rest was waited for long enough, in all projects; how many.

    What has a beginning was told as an open span, and is stored as one that did not end.
    """
    return await execute(connection, _OVERDUE, now_ns - KEPT_NS)


async def keep_within_bounds(connection: Connection) -> int:
    """Of projects with too many parts, forget those likewise that were not told of for longest; how many."""
    given_up = 0
    for crowded in await fetch_all(connection, _CROWDED, MOST_ROWS, MOST_BYTES):
        project = crowded["project"]
        given_up += await execute(connection, _BEYOND, project, project, MOST_ROWS, MOST_BYTES)
    return given_up


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
