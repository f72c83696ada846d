"""All SQL of costs: the ledger's sums of a window, grouped; and what keys, members and projects are called. Changes nothing.

Whole days are read from the sums by the day, what is left at both ends from those by the hour. No clock, no authorisation.
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
    name: f"select distinct {name} as name from {'ledger_days' if name == 'release' else 'ledger_day_models'} "
    f"where project = any(%s) and {name} <> '' limit 1000"
    for name in get_args(Column)
}
_WHO = {"key_id", "member", "release"}
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
    return [[row for row in rows if row["mark"] == mark and row["entries"] is not None] for mark in marked]


def _source(where: Where, columns: Sequence[str], sums: Sequence[str], step: Step, *, tagged: bool) -> _Query:
    """The rows that are grouped. One tag of several is told apart when sets of tags are added up already: those are few."""
    kept = ["tags" if name == "tag" else name for name in columns]
    parts, parameters = [], list[object]()
    for table, period, window in _pieces(where, columns, step, tagged=tagged):
        start = f"{period} - {period} %% {_LONG[step]} as at_ns"
        named = ", ".join([*(start if name == "at_ns" else name for name in kept), *sums])
        more = "".join(f" and {name} = %s" for name, _ in where.columns) + (" and %s = any(tags)" if where.tag else "")
        parts.append(f"select {named} from {table} where project = any(%s) and {period} >= %s and {period} < %s{more}")
        parameters += [list(where.projects), *window, *(value for _, value in where.columns)]
        parameters += [where.tag] if where.tag else []
    text = " union all ".join(parts)
    if "tag" in columns:
        added = ", ".join(f"sum({name})::bigint as {name}" for name in sums)
        each = ", ".join(["unnest(tags) as tag" if name == "tag" else name for name in columns] + list(sums))
        text = f"select {each} from (select {', '.join(kept)}, {added} from ({text}) as pieces group by {', '.join(kept)}) as sets"
    return _Query(text, parameters)


def _pieces(where: Where, columns: Sequence[str], step: Step, *, tagged: bool) -> list[tuple[str, str, Window]]:
    """From which tables a window is read: where nobody asks who called, days are a fraction of the rows."""
    window = where.window
    hours, days = ("ledger_tag_hours", "ledger_tag_days") if tagged else ("ledger_hours", "ledger_days")
    days = days if tagged else _days(where, columns)
    first, last = window.since_ns + -window.since_ns % DAY_NS, window.until_ns - window.until_ns % DAY_NS
    if step == "hour" or first >= last:
        return [(hours, "hour_ns", window)]
    ends = [Window(window.since_ns, first), Window(last, window.until_ns)]
    return [
        (days, "day_ns", Window(first, last)),
        *((hours, "hour_ns", end) for end in ends if end.since_ns < end.until_ns),
    ]


def _days(where: Where, columns: Sequence[str]) -> str:
    return "ledger_days" if _WHO & {*columns, *(name for name, _ in where.columns)} else "ledger_day_models"


async def is_older(connection: Connection, where: Where, at_ns: int) -> bool:
    """Whether anything that is meant is in the ledger from before a day, whatever the window."""
    more = "".join(f" and {name} = %s" for name, _ in where.columns)
    table, tagged = ("ledger_tag_days", " and %s = any(tags)") if where.tag else (_days(where, ()), "")
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
