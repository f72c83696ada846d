"""Lists of log records, newest first. What was sent before the list is asked for is in it, if it arrives within two seconds.

Where a page begins and ends is found in the narrow columns; the wide ones are read for that stretch of time alone.
Records have no ids: those of one moment stand in the order of arrival and of a hash, and a cursor says how many of them
were seen. Knows columns and questions; knows not who asks.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from flyball.infra.context import Context
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from .catching_up import catch_up
from .pruning import logs_between
from .signal_records import LogFilter, LogRow, least_of, level_of
from .signal_tables import LOGS

LONGEST = 16_384  # characters of a value's JSON that a list shows

_HOUR_NS = 3_600 * 1_000_000_000
_STEPS = (_HOUR_NS, 24 * _HOUR_NS, 720 * _HOUR_NS)  # how far back is looked; then all
_TEXT = 50_000  # newest records in which a text is looked for, for one page; the next page searches on
_END = 2**63 - 1

AT = "case when time_ns > 0 then time_ns when observed_ns > 0 then observed_ns else coalesce(received_ns, 0) end"
_SEVERITY = """
    case when severity > 0 then severity else case lower(severity_text)
        when 'trace' then 1 when 'debug' then 5 when 'info' then 9 when 'information' then 9 when 'notice' then 10
        when 'warn' then 13 when 'warning' then 13 when 'error' then 17 when 'critical' then 18 when 'fatal' then 21
    else 0 end end
"""
FITTING = f"""
    select *, {AT} as at_ns, {_SEVERITY} as felt,
        hash(trace_id, span_id, severity, severity_text, event_name, service, body, attributes, resource) as digest
    from logs where project = $project and ($level = 0 or {_SEVERITY} >= $level)
        and ($service = '' or service = $service) and ($event = '' or event_name = $event)
        and ($trace_id = '' or trace_id = $trace_id) and ($span_id = '' or span_id = $span_id)
        and ($text = '' or contains(lower(body), $text) or contains(lower(attributes), $text)
            or contains(lower(event_name), $text))
"""
_REACH = f"""
    select min(at_ns) as at_ns, count(*) as records from (
        select at_ns from ({FITTING}) where at_ns between $since and $until order by at_ns desc limit $most
    )
"""
_ROWS = f"""
    select * replace (left(body, {LONGEST + 1}) as body, left(attributes, {LONGEST + 1}) as attributes,
        left(resource, {LONGEST + 1}) as resource, left(otel_scope, {LONGEST + 1}) as otel_scope)
    from ({FITTING}) where at_ns between $since and $until
    order by at_ns desc, received_ns, digest limit $most offset $seen
"""


class Place(NamedTuple):
    """Where a page begins: a moment, and how many of its records were seen already."""

    at_ns: int
    seen: int


class _Reach(NamedTuple):
    """How far back a page looks, and whether there is nothing further back."""

    since_ns: int
    complete: bool


async def list_logs(ctx: Context, wanted: LogFilter, *, cursor: str = "", limit: int | None = None) -> Page[LogRow]:
    """The project's log records that fit. A search for a text may answer a page with few of them and a next one."""
    size = page_size(limit)
    place = place_of(cursor) if cursor else Place(wanted.until_ns, 0)
    await catch_up(ctx, signal="logs")
    return await asyncio.to_thread(_page, ctx, wanted, place, size)


def place_of(cursor: str) -> Place:
    """The place in a cursor; raises InvalidInputError for one that is not ours."""
    at_ns, seen = decode_cursor(cursor, int, int)
    return Place(max(-1, min(at_ns, _END)), max(0, min(seen, _END)))


def after(rows: list[dict[str, Any]], place: Place) -> str:
    """The cursor behind the last of these rows, which begin at `place`."""
    last = rows[-1]["at_ns"]
    seen = sum(row["at_ns"] == last for row in rows)
    return encode_cursor(last, seen + (place.seen if last == place.at_ns else 0))


def parameters_of(ctx: Context, wanted: LogFilter) -> dict[str, Any]:
    """What FITTING asks for. A text is looked for as JSON writes it."""
    return {
        "project": ctx.project,
        "level": least_of(wanted.level),
        "service": wanted.service,
        "event": wanted.event,
        "trace_id": wanted.trace_id,
        "span_id": wanted.span_id,
        "text": msgspec.json.encode(wanted.text.lower()).decode()[1:-1],
    }


def _page(ctx: Context, wanted: LogFilter, place: Place, size: int) -> Page[LogRow]:
    until_ns = min(wanted.until_ns, place.at_ns)
    place = place if until_ns == place.at_ns else Place(until_ns, 0)
    if until_ns < wanted.since_ns:
        return Page(items=())
    reach = _reach(ctx, wanted, place, size + 1)
    rows = _ask(ctx, _ROWS, wanted, {"since": reach.since_ns, "until": until_ns, "most": size + 1, "seen": place.seen})
    items = tuple(map(_read, rows[:size]))
    if len(rows) > size:
        return Page(items=items, next=after(rows[:size], place))
    return Page(items=items, next=None if reach.complete else encode_cursor(reach.since_ns - 1, 0))


def _reach(ctx: Context, wanted: LogFilter, place: Place, most: int) -> _Reach:
    """From when on there are as many records as a page needs; all of them, where there are fewer."""
    until_ns = min(wanted.until_ns, place.at_ns)
    if wanted.text:
        bare = msgspec.structs.replace(wanted, text="")
        found = _newest(ctx, bare, wanted.since_ns, until_ns, _TEXT)
        whole = found["records"] < _TEXT
        return _Reach(wanted.since_ns if whole else found["at_ns"], whole)
    most += place.seen
    for step in () if wanted.trace_id else _STEPS:
        since_ns = min(until_ns, ctx.clock.now_ns()) - step
        if since_ns <= wanted.since_ns:
            break
        found = _newest(ctx, wanted, since_ns, until_ns, most)
        if found["records"] >= most:
            return _Reach(found["at_ns"], complete=False)
    found = _newest(ctx, wanted, wanted.since_ns, until_ns, most)
    return _Reach(found["at_ns"] if found["records"] else wanted.since_ns, complete=True)


def _newest(ctx: Context, wanted: LogFilter, since_ns: int, until_ns: int, most: int) -> dict[str, Any]:
    (found,) = _ask(ctx, _REACH, wanted, {"since": since_ns, "until": until_ns, "most": most})
    return found


def _ask(ctx: Context, sql: str, wanted: LogFilter, bounds: dict[str, Any]) -> list[dict[str, Any]]:
    where = logs_between(ctx.project, bounds["since"], bounds["until"])
    return ctx.lake.query(sql, parameters_of(ctx, wanted) | bounds, tables=(LOGS,), where={"logs": where})


def _read(row: Mapping[str, Any]) -> LogRow:
    body = row["body"]
    numbers: dict[str, Any] = {name: row[name] or 0 for name in _NUMBERS}
    words: dict[str, Any] = {name: row[name] or "" for name in _WORDS}
    return LogRow(
        **numbers,
        **words,
        level=level_of(row["felt"]),
        body=body[:LONGEST] if len(body) > LONGEST else msgspec.json.decode(body) if body else None,
        attributes=_object(row["attributes"]),
        resource=_object(row["resource"]),
        scope=_object(row["otel_scope"]),
        cut=any(len(row[name]) > LONGEST for name in ("body", "attributes", "resource", "otel_scope")),
    )


def _object(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text) if text and len(text) <= LONGEST else {}


_NUMBERS = ("at_ns", "time_ns", "observed_ns", "received_ns", "severity", "flags", "dropped")
_WORDS = ("trace_id", "span_id", "severity_text", "event_name", "service")
