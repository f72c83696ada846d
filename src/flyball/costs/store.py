"""All SQL of costs: the ledger's sums of a window, grouped; and what keys, members and projects are called. Changes nothing.

Whole days are read from the sums by the day, the narrowest that say what is asked; what is left at both ends from those by the
hour, or as its day without the other hours where these are fewer. No clock, no authorisation.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple, TypeAlias, get_args

import msgspec

from flyball.infra.db.database import Connection, Database, Row, fetch_all, fetch_one

from .records import Step, Window
from .windows import DAY_NS, HOUR_NS

_SUMS = ("nano_usd", "requests", "tokens", "entries", "unpriced", "estimated")
Column: TypeAlias = Literal["function", "variant", "release", "model", "provider"]
_KNOWN: dict[Column, str] = {
    name: f"select distinct {name} as name from {'ledger_day_keys' if name == 'release' else 'ledger_day_models'} "
    f"where project = any(%s) and {name} <> '' limit 1000"
    for name in get_args(Column)
}
_CACHE = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
_EVERYWHERE = {"project", "at_ns", *_SUMS}
_NARROW = {  # what days say beside what all of them say; the fewest rows first
    "ledger_day_models": {"function", "variant", "model", "provider", "price_version", "state", *_CACHE},
    "ledger_day_keys": {"key_id", "member", "function", "release", "model"},
}
_NARROW_TAGS = {"ledger_day_tags": {"function", "model", "tags"}}
_LONG: dict[Step, int] = {"hour": HOUR_NS, "day": DAY_NS}


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Which sums: of these projects, in a window, with these values of columns; `tag`: of entries that carry it."""

    projects: tuple[str, ...]
    window: Window
    columns: tuple[tuple[str, str], ...] = ()
    tag: str = ""


class _Query(NamedTuple):
    text: str
    parameters: list[object]


class _Piece(NamedTuple):
    """A part of a window, and the sums that it is read from: always, or `only` if some `hours` of a table have anything or not."""

    table: str
    window: Window
    taken_away: bool = False
    only: Literal["", "exists", "not exists"] = ""
    of: str = ""  # the hours' table
    hours: Window = Window(0, 0)

    @property
    def period(self) -> str:
        return "hour_ns" if self.table.endswith("_hours") else "day_ns"


@asynccontextmanager
async def at_one_moment(database: Database) -> AsyncIterator[Connection]:
    """A connection that sees everything as it was when it began, so that sums of two questions go together."""
    async with database.transaction() as connection:
        await connection.execute("set transaction isolation level repeatable read, read only")
        yield connection


async def grouped(
    connection: Connection,
    where: Where,
    *sets: Sequence[str],
    sums: Sequence[str] = _SUMS,
    step: Step = "day",
    by_tags: bool = False,
) -> list[list[Row]]:
    """For each set of columns what their values add up to; `at_ns` is when the hour or day began. One look at the sums.

    `tag` is one of an entry's tags, so that an entry counts once for each; `tags` all of them. With either, and with
    `by_tags`, only entries that carry tags are in.
    """
    columns = list(dict.fromkeys(name for each in sets for name in each))
    tagged = by_tags or bool(where.tag) or "tag" in columns or "tags" in columns
    source = _source(where, columns, sums, step, tagged=tagged)
    asked = ", ".join([*columns, *(f"sum({name})::bigint as {name}" for name in sums)])
    groups = ", ".join(f"({', '.join(each)})" for each in sets)
    marks = f", grouping({', '.join(columns)}) as mark" if columns else ", 0 as mark"
    query = f"select {asked}{marks} from ({source.text}) as sums group by grouping sets ({groups})"  # names of columns alone
    rows = await fetch_all(connection, query, *source.parameters)
    marked = [sum(1 << (len(columns) - 1 - at) for at, name in enumerate(columns) if name not in each) for each in sets]
    return [[row for row in rows if row["mark"] == mark and row["entries"]] for mark in marked]


def _source(where: Where, columns: Sequence[str], sums: Sequence[str], step: Step, *, tagged: bool) -> _Query:
    """The rows that are grouped. One tag of several is told apart when sets of tags are added up already: those are few."""
    kept = ["tags" if name == "tag" else name for name in columns]
    parts, parameters = [], list[object]()
    for piece in _pieces(where, [*kept, *sums], step, tagged=tagged):
        start = f"{piece.period} - {piece.period} %% {_LONG[step]} as at_ns"
        amounts = [f"-{name} as {name}" for name in sums] if piece.taken_away else sums
        named = ", ".join([*(start if name == "at_ns" else name for name in kept), *amounts])
        more = "".join(f" and {name} = %s" for name, _ in where.columns) + (" and %s = any(tags)" if where.tag else "")
        if piece.only:
            more += (
                f" and {piece.only} (select from {piece.of} where project = any(%s) and hour_ns >= %s and hour_ns < %s)"
            )
        parts.append(
            f"select {named} from {piece.table} where project = any(%s) and {piece.period} >= %s and {piece.period} < %s{more}"
        )
        parameters += [list(where.projects), *piece.window, *(value for _, value in where.columns)]
        parameters += [where.tag] if where.tag else []
        parameters += [list(where.projects), *piece.hours] if piece.only else []
    text = " union all ".join(parts)
    if "tag" in columns:
        added = ", ".join(f"sum({name})::bigint as {name}" for name in sums)
        each = ", ".join(["unnest(tags) as tag" if name == "tag" else name for name in columns] + list(sums))
        text = f"select {each} from (select {', '.join(kept)}, {added} from ({text}) as pieces group by {', '.join(kept)}) as sets"
    return _Query(text, parameters)


def _pieces(where: Where, names: Sequence[str], step: Step, *, tagged: bool) -> list[_Piece]:
    """From which tables a window is read."""
    window, hours = where.window, "ledger_tag_hours" if tagged else "ledger_hours"
    first, last = window.since_ns + -window.since_ns % DAY_NS, window.until_ns - window.until_ns % DAY_NS
    if step == "hour" or first >= last:
        return [_Piece(hours, window)]
    days = _days(where, names, tagged=tagged)
    ends = [
        (window.since_ns, first, first - DAY_NS, window.since_ns),
        (last, window.until_ns, window.until_ns, last + DAY_NS),
    ]
    pieces = [_Piece(days, Window(first, last))]
    for since_ns, until_ns, rest_ns, end_ns in ends:
        if since_ns < until_ns:
            pieces += _end(days, hours, Window(since_ns, until_ns), Window(rest_ns, end_ns))
    return pieces


def _end(days: str, hours: str, part: Window, rest: Window) -> list[_Piece]:
    """A part of a day: its hours, or the whole day without the rest of it, which is nothing where the day is not over."""
    day_ns = min(part.since_ns, rest.since_ns)
    day = Window(day_ns, day_ns + DAY_NS)
    if rest.until_ns - rest.since_ns <= part.until_ns - part.since_ns:
        return [_Piece(days, day), _Piece(hours, rest, taken_away=True)]
    return [
        _Piece(days, day, only="not exists", of=hours, hours=rest),
        _Piece(hours, part, only="exists", of=hours, hours=rest),
    ]


def _days(where: Where, names: Sequence[str], *, tagged: bool) -> str:
    """The days with the fewest rows that say all of this."""
    asked = {*names, *(name for name, _ in where.columns)} - _EVERYWHERE
    fitting = [table for table, said in (_NARROW_TAGS if tagged else _NARROW).items() if asked <= said]
    return fitting[0] if fitting else "ledger_tag_days" if tagged else "ledger_days"


async def is_older(connection: Connection, where: Where, at_ns: int) -> bool:
    """Whether anything that is meant is in the ledger from before a day, whatever the window."""
    more = "".join(f" and {name} = %s" for name, _ in where.columns)
    table, tagged = _days(where, (), tagged=bool(where.tag)), " and %s = any(tags)" if where.tag else ""
    query = f"select 1 as one from {table} where project = any(%s) and day_ns < %s{more}{tagged} limit 1"
    values = [value for _, value in where.columns]
    tags = [where.tag] if where.tag else []
    return await fetch_one(connection, query, list(where.projects), at_ns, *values, *tags) is not None


async def key_names(connection: Connection, projects: Sequence[str], lines: Sequence[str]) -> dict[str, str]:
    """What keys are called, by their line."""
    rows = await fetch_all(
        connection,
        "select distinct on (line) line, name from keys where project = any(%s) and line = any(%s) order by line, created_ns desc",
        list(projects),
        list(lines),
    )
    return {row["line"]: row["name"] for row in rows}


async def member_names(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """What members are called, by their id; those that the connection sees."""
    rows = await fetch_all(connection, "select id, name from members where id = any(%s)", list(ids))
    return {row["id"]: row["name"] for row in rows}


async def known(connection: Connection, projects: Sequence[str], column: Column) -> list[str]:
    """The names that entries have in a column, a thousand at most."""
    rows = await fetch_all(connection, _KNOWN[column], list(projects))
    return [row["name"] for row in rows]


async def function_calls(connection: Connection, project: str, window: Window, trace_ids: Sequence[str]) -> list[Row]:
    """The calls of functions in some traces that were let in within a window."""
    return await fetch_all(
        connection,
        """
        select id, trace_id, function, coalesce(variant, '') as variant from ledger
        where project = %s and trace_id = any(%s) and at_ns >= %s and at_ns < %s and function is not null and requests > 0
        """,
        project,
        list(trace_ids),
        *window,
    )
