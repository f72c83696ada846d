"""Questions in SQL over `spans`, `scores`, `logs`, `metrics`, `audit` and what else is offered: one SELECT, this project's rows alone, nothing else within reach.

The lake runs it in a DuckDB of its own that may open this project's files and nothing else, with a deadline and a row limit.
Knows which tables are offered; knows not how the lock-down works.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from flyball.audit import store as audit_store
from flyball.audit.records import Event
from flyball.infra.context import Context, permits

from .catching_up import catch_up
from .pruning import of_project
from .signal_tables import LOGS, METRICS
from .tables import SCORES, SPANS

LARGEST_ANSWER = 10_000
_TABLES = (SPANS, SCORES, LOGS, METRICS)
_DEADLINE_SECONDS = 20.0
_AUDIT_EVENTS = 100_000

_AUDIT = pa.schema(
    [(name, pa.int64() if name in {"seq", "at_ns", "mono_ns"} else pa.string()) for name in Event.__struct_fields__]
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as objects. `truncated` says that there were more than the limit."""

    rows: list[dict[str, Any]]
    truncated: bool = False


class Offered(NamedTuple):
    """A table of another room: its name, who may read it, and how its rows are had when a question names it."""

    name: str
    permission: str
    rows: Callable[[Context], Awaitable[pa.Table]]


async def ask(ctx: Context, sql: str, *, limit: int = 1_000, offered: Sequence[Offered] = ()) -> Answer:
    """Answer one SELECT over the project's tables.

    `audit` is there for actors with the permission audit.read; it holds the newest 100,000 events. Tables of rooms beside this
    one are `offered` by whoever knows both.

    Raises:
        QuestionError: the SQL is not understood, or is not one SELECT over these tables.
        QuestionTookTooLongError: it was stopped after 20 seconds.
    """
    most = max(1, min(limit, LARGEST_ANSWER))
    await catch_up(ctx)
    relations = {"audit": await _audit(ctx)} if permits(ctx.actor.permissions, "audit.read") else {}
    for table in offered:
        if table.name in sql.lower() and permits(ctx.actor.permissions, table.permission):
            relations[table.name] = await table.rows(ctx)
    mine = of_project(ctx.project)
    rows = await asyncio.to_thread(
        ctx.lake.ask,
        sql,
        tables=_TABLES,
        where={table.name: mine for table in _TABLES},
        relations=relations,
        deadline_seconds=_DEADLINE_SECONDS,
        most_rows=most + 1,
    )
    return Answer(rows=rows[:most], truncated=len(rows) > most)


async def _audit(ctx: Context) -> pa.Table:
    async with ctx.db.connection() as connection:
        events = await audit_store.newest(connection, ctx.project, before_seq=None, most=_AUDIT_EVENTS)
    return pa.Table.from_pylist([msgspec.structs.asdict(event) for event in events], schema=_AUDIT)
