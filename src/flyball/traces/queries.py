"""Lists of traces, newest first, and counts: the waiting inbox and the tables read as one.

A list looks back in time step by step and stops when the page is full, so that its cost follows the page and not the store. The inbox is read before the table: a row that moves between the two reads is seen twice, never missed,
and counted once. Knows questions; knows not who asks (callers give the project of the context, always).
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from flyball.infra.context import Context
from flyball.infra.db.database import Row
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size
from flyball.llm.usage import Usage

from . import inbox, open_spans
from .late_content import Place as SpanPlace
from .late_content import late_content
from .mending import read_span
from .normalising import normalise
from .pruning import of_project
from .records import Activity, Span, TraceCounts, TraceFilter, TraceRow, enters, preview
from .tables import SPANS, store_span

_APART_NS = 600 * 1_000_000_000  # spans of one trace that lie further apart may be listed apart
_HEAD = 2_000  # waiting spans that a list looks at; more wait only while the flusher is behind
_MINUTE_NS = 60 * 1_000_000_000
_STEPS = (_MINUTE_NS, 60 * _MINUTE_NS, 3_600 * _MINUTE_NS, 216_000 * _MINUTE_NS)  # how far back is looked; then all
_TEXT = 18_000  # newest spans whose texts are searched for one page; the next page searches on
_END = 2**62
_ANY = "true"
_COLUMNS = [
    "project",
    "trace_id",
    "span_id",
    "entry",
    "name",
    "start_ns",
    "end_ns",
    "status",
    "session_id",
    "user_id",
    "function",
    "variant",
    "release",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
    "input_preview",
    "output_preview",
    "error",
]
_SEARCHED = ("name", "input_preview", "output_preview", "error")
_PLAIN = [name for name in _COLUMNS if name in Span.__struct_fields__]
_WAITING = pa.schema([SPANS.arrow.field(name) for name in _COLUMNS])


class _Waiting(msgspec.Struct):
    """What a list needs of a span in the inbox."""

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int
    project: str = ""
    parent_id: str = ""
    remote_parent: bool = False
    kind_otel: str = ""
    status: str = "unset"
    session_id: str = ""
    user_id: str = ""
    function: str = ""
    variant: str = ""
    release: str = ""
    usage: Usage = Usage()
    cost_nano_usd: int | None = None
    input: str = ""
    output: str = ""
    error: str = ""


_decoder = msgspec.json.Decoder(_Waiting)

# Both ends as one relation; a span that is in both counts once where it is added up.
_BOTH = f"select {', '.join(_COLUMNS)} from spans where project = $project union all by name from waiting"

# How far back the newest spans reach.
_REACH = f"""
    with everything as not materialized ({_BOTH})
    select min(start_ns) as start_ns, count(*) as spans from (
        select start_ns from everything where start_ns between $since and $until order by start_ns desc limit $window
    )
"""

# What the traces of a page add up to; what they are called is what their first entry span is called.
_SUMS = f"""
    with everything as not materialized ({_BOTH}),
    once as (
        select *, start_ns + case when entry then 0 else {_END} end as rank from everything
        where trace_id in (select unnest($trace_ids)) and start_ns between $since and $until
        qualify row_number() over (partition by trace_id, span_id) = 1
    )
    select
        trace_id,
        arg_min(span_id, rank) as head_id,
        coalesce(arg_min(name, rank), '') as name,
        min(start_ns) as start_ns,
        max(end_ns) as end_ns,
        arg_min(status, rank) as status,
        count(*) as spans,
        count(*) filter (status = 'error') as errors,
        coalesce(arg_min(function, rank) filter (function <> ''), '') as function,
        coalesce(arg_min(variant, rank) filter (variant <> ''), '') as variant,
        coalesce(arg_min(release, rank) filter (release <> ''), '') as release,
        coalesce(arg_min(session_id, rank) filter (session_id <> ''), '') as session_id,
        coalesce(arg_min(user_id, rank) filter (user_id <> ''), '') as user_id,
        sum(input_tokens + cache_read_tokens + cache_write_tokens)::bigint as tokens_in,
        sum(output_tokens + reasoning_tokens)::bigint as tokens_out,
        sum(cost_nano_usd)::bigint as cost_nano_usd,
        coalesce(arg_min(input_preview, rank), '') as input_preview,
        coalesce(arg_min(output_preview, rank), '') as output_preview
    from once group by trace_id
"""

_COUNTS = f"""
    with everything as not materialized ({_BOTH})
    select
        count(*) as spans,
        count(distinct trace_id) as traces,
        count(distinct trace_id) filter (entry and status = 'error') as errors,
        coalesce(min(start_ns), 0)::bigint as first_ns
    from everything where start_ns >= $since
"""

_ACTIVITY = f"""
    with everything as not materialized ({_BOTH})
    select
        ((start_ns - $since) // $stretch)::bigint as number,
        count(distinct trace_id) as traces,
        count(distinct trace_id) filter (status = 'error') as errors
    from everything where entry and start_ns >= $since and start_ns < $until group by number
"""


class _Place(NamedTuple):
    """A trace's place in the list."""

    position_ns: int
    trace_id: str


class _Search(NamedTuple):
    """What a page is made of: the filter, the place that it follows, how many places are needed, and what waits."""

    wanted: TraceFilter
    after: _Place
    most: int
    waiting: pa.Table


class _Found(NamedTuple):
    """Places in order; how far back was looked; whether there is nothing further back."""

    places: list[_Place]
    reach: int
    complete: bool


async def list_traces(
    ctx: Context, wanted: TraceFilter | None = None, *, cursor: str = "", limit: int | None = None
) -> Page[TraceRow]:
    """The project's traces, newest first.

    A page may hold fewer than asked for and still have a next one: a search for a text goes on there.
    """
    wanted = wanted or TraceFilter()
    after = _Place(*decode_cursor(cursor, int, str)) if cursor else _Place(_END, "")
    size = page_size(limit)
    async with ctx.db.connection() as connection:
        newest = await inbox.newest(
            connection, ctx.project, "span", since_ns=wanted.since_ns, until_ns=after.position_ns + 1, most=_HEAD
        )
        running = await open_spans.newest(
            connection, ctx.project, since_ns=wanted.since_ns, until_ns=after.position_ns + 1, most=_HEAD
        )
    found = await asyncio.to_thread(_find, ctx, _Search(wanted, after, size + 1, _relation(newest, running)))
    shown = found.places[:size]
    async with ctx.db.connection() as connection:
        theirs = await inbox.of_traces(connection, ctx.project, [place.trace_id for place in shown])
        running = await open_spans.of_traces(connection, ctx.project, [place.trace_id for place in shown])
    items = await asyncio.to_thread(_sum_up, ctx, shown, _relation(theirs, running))
    if len(found.places) > size:
        return Page(items=items, next=encode_cursor(*shown[-1]))
    return Page(items=items, next=None if found.complete else encode_cursor(found.reach, ""))


async def count(ctx: Context, *, since_ns: int = 0) -> TraceCounts:
    """How much there is in the project, and how far the tables lag behind what was acknowledged."""
    async with ctx.db.connection() as connection:
        waiting = await inbox.waiting(connection, ctx.project)
        rows = await inbox.newest(connection, ctx.project, "span", since_ns=since_ns, most=_HEAD)
    (found,) = await asyncio.to_thread(
        _ask, ctx, _COUNTS, {"project": ctx.project, "since": since_ns}, _relation(rows), since_ns
    )
    lag_ns = max(0, ctx.clock.now_ns() - waiting.oldest_ns) if waiting.rows else 0
    return TraceCounts(**found, waiting=waiting.rows, lag_ns=lag_ns)


async def activity(ctx: Context, *, begin_ns: int, stretch_ns: int, stretches: int) -> Activity:
    """Traces by the time at which they entered; one that enters twice counts where it does."""
    bounds = {"project": ctx.project, "since": begin_ns, "stretch": stretch_ns}
    async with ctx.db.connection() as connection:
        rows = await inbox.newest(connection, ctx.project, "span", since_ns=begin_ns, most=_HEAD)
    until_ns = begin_ns + stretch_ns * stretches
    found = await asyncio.to_thread(_ask, ctx, _ACTIVITY, bounds | {"until": until_ns}, _relation(rows), begin_ns)
    by_number = {row["number"]: row for row in found}
    numbers = [by_number.get(number, {"traces": 0, "errors": 0}) for number in range(stretches)]
    return Activity(
        begin_ns=begin_ns,
        stretch_ns=stretch_ns,
        traces=tuple(row["traces"] for row in numbers),
        errors=tuple(row["errors"] for row in numbers),
    )


def _find(ctx: Context, search: _Search) -> _Found:
    """The next traces that match, looking back step by step until there are enough; files further back stay closed."""
    since_ns = search.wanted.since_ns
    newest = min(search.after.position_ns, ctx.clock.now_ns())
    conditions, _ = _conditions(search.wanted)
    # A minute holds a page of everything, seldom one of something; texts are looked for in one look further back.
    steps = _STEPS[:1] if search.wanted.text else _STEPS if conditions == _ANY else _STEPS[1:]
    for step in steps:
        reach = newest - step
        if reach <= since_ns or (step > 60 * _MINUTE_NS and not _older_files(ctx, reach)):
            break
        found = _Found(_places(ctx, search, reach), reach, complete=False)
        if len(found.places) >= search.most:
            return found
    if search.wanted.text:
        reach, complete = _reach(ctx, search, _TEXT)
        return _Found(_places(ctx, search, reach), reach, complete)
    return _Found(_places(ctx, search, since_ns), since_ns, complete=True)


def _older_files(ctx: Context, reach: int) -> bool:
    """Whether the table has files that a look back to `reach` leaves closed."""
    mine = of_project(ctx.project)
    near = ctx.lake.files(SPANS, where=f"{mine} and start_ns >= {reach}")
    return len(near) < len(ctx.lake.files(SPANS, where=mine))


def _reach(ctx: Context, search: _Search, window: int) -> tuple[int, bool]:
    """When the oldest of so many spans began, and whether there are no more."""
    bounds = {"project": ctx.project, "since": search.wanted.since_ns, "until": search.after.position_ns}
    (found,) = _ask(ctx, _REACH, bounds | {"window": window}, search.waiting, search.wanted.since_ns)
    return found["start_ns"] or 0, found["spans"] < window


def _places(ctx: Context, search: _Search, reach: int) -> list[_Place]:
    """Traces by the start of their first span that matches, where that is not before `reach`."""
    conditions, parameters = _conditions(search.wanted)
    sql = f"""
        with everything as not materialized ({_BOTH}),
        near as not materialized (select * from everything where start_ns between $since and $until)
        select trace_id, min(start_ns) as position_ns from near where {conditions} group by trace_id
        having position_ns >= $reach and (position_ns < $until or (position_ns = $until and trace_id < $trace_id))
        order by position_ns desc, trace_id desc limit $most
    """
    since = max(search.wanted.since_ns, reach - _APART_NS)
    parameters |= {"project": ctx.project, "reach": reach, "since": since, "most": search.most}
    parameters |= {"until": search.after.position_ns, "trace_id": search.after.trace_id}
    rows = _ask(ctx, sql, parameters, search.waiting, since)
    return [_Place(row["position_ns"], row["trace_id"]) for row in rows]


def _conditions(wanted: TraceFilter) -> tuple[str, dict[str, Any]]:
    exact = {name: getattr(wanted, name) for name in ("function", "release", "status", "session_id")}
    parameters: dict[str, Any] = {name: value for name, value in exact.items() if value}
    conditions = [f"{name} = ${name}" for name in parameters]
    if conditions:
        conditions.append("entry")
    if wanted.text:
        parameters["text"] = wanted.text.lower()
        found = " or ".join(f"contains(lower({name}), $text)" for name in _SEARCHED)
        conditions.append(f"trace_id in (select trace_id from near where {found})" if conditions else f"({found})")
    return " and ".join(conditions) or _ANY, parameters


def _sum_up(ctx: Context, places: list[_Place], waiting: pa.Table) -> tuple[TraceRow, ...]:
    if not places:
        return ()
    since_ns = min(place.position_ns for place in places) - _APART_NS
    parameters = {
        "project": ctx.project,
        "trace_ids": [place.trace_id for place in places],
        "since": since_ns,
        "until": max(place.position_ns for place in places) + _APART_NS,
    }
    found = {row["trace_id"]: row for row in _with_late_content(ctx, _ask(ctx, _SUMS, parameters, waiting, since_ns))}
    return tuple(
        TraceRow(**_settled(found[place.trace_id]), position_ns=place.position_ns)
        for place in places
        if place.trace_id in found
    )


def _with_late_content(ctx: Context, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without their first entry span's id, by which its previews were looked for where there were none."""
    heads = {row["trace_id"]: SpanPlace(row["trace_id"], row.pop("head_id"), row["start_ns"]) for row in rows}
    lacking = [row for row in rows if not (row["input_preview"] and row["output_preview"])]
    late = late_content(ctx, [heads[row["trace_id"]] for row in lacking])
    for row in lacking:
        if texts := late.get(heads[row["trace_id"]][:2]):
            row["input_preview"] = row["input_preview"] or preview(texts.input)
            row["output_preview"] = row["output_preview"] or preview(texts.output)
    return rows


def _settled(row: Mapping[str, Any]) -> dict[str, Any]:
    """A trace whose first span says nothing of its outcome failed if anything in it failed."""
    status = row["status"] or "unset"
    return {**row, "status": "error" if status == "unset" and row["errors"] else status}


def _ask(ctx: Context, sql: str, parameters: dict[str, Any], waiting: pa.Table, since_ns: int) -> list[dict[str, Any]]:
    return ctx.lake.query(
        sql,
        parameters,
        tables=(SPANS,),
        where={"spans": f"{of_project(ctx.project)} and start_ns >= {since_ns}"},
        relations={"waiting": waiting},
    )


def _relation(rows: Iterable[Row], running: Iterable[Row] = ()) -> pa.Table:
    """What waits in the inbox, and what has begun and not ended, with the columns of the table."""
    waiting = [_columns_of(row) for row in rows if row["kind"] == "span"]
    return pa.Table.from_pylist([*waiting, *map(_columns_of_running, running)], schema=_WAITING)


def _columns_of_running(row: Row) -> dict[str, Any]:
    span = msgspec.structs.replace(normalise(open_spans.told_of(row)), project=row["project"])
    stored = store_span(span).row
    return {name: stored[name] for name in _COLUMNS}


def _columns_of(row: Row) -> dict[str, Any]:
    """What a list needs of a waiting span; most of its record is skipped unread."""
    try:
        span = _decoder.decode(row["body"])
    except msgspec.MsgspecError:
        return {name: store_span(read_span(row)).row[name] for name in _COLUMNS}
    usage = span.usage
    return {
        **{name: getattr(span, name) for name in _PLAIN},
        "entry": enters(span.parent_id, span.kind_otel, remote_parent=span.remote_parent),
        **usage.columns,
        "input_preview": preview(span.input),
        "output_preview": preview(span.output),
    }
