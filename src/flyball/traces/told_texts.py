"""The texts and the words of one span that OTLP told: read from its raw columns, and understood again.

What went in and came out of it is stored once, where it was told: in an attribute, an event, or a log record of its own.
Knows raw rows; knows not who asks.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from flyball.infra.context import Context
from flyball.infra.lake.questions import Holding

from .normalising import normalise
from .own_blobs import read_blob
from .pruning import logs_near, of_project, of_trace
from .records import Span
from .signal_tables import LOGS
from .tables import SPANS
from .told import Told, ToldLog
from .told_rows import RAW, told_of_log, told_of_row

_ROW = f"""
    select {", ".join(RAW)} from spans
    where project = $project and trace_id = $trace_id and span_id = $span_id and start_ns = $start_ns and resource is not null
    limit 1
"""
_ROWS = f"""
    select {", ".join(RAW)} from spans where project = $project and trace_id = $trace_id and resource is not null
    qualify row_number() over (partition by span_id) = 1 order by start_ns, span_id
"""
_LOGS = """
    select * from logs where project = $project and trace_id = $trace_id and ($span_id = '' or span_id = $span_id)
    order by time_ns, observed_ns
"""


def read_told(ctx: Context, place: dict[str, Any]) -> Told | None:
    """The span at `trace_id`, `span_id`, `start_ns` as it was told; None where it is not one that OTLP told."""
    where = f"{of_project(ctx.project)} and start_ns = {place['start_ns']}"
    rows = ctx.lake.query(_ROW, place | {"project": ctx.project}, tables=(SPANS,), where={"spans": where})
    return told_of_row(rows[0], partial(read_blob, ctx)) if rows else None


def read_all_told(ctx: Context, trace_id: str) -> list[Told]:
    """The spans of a trace that OTLP told, in order of start."""
    place = {"project": ctx.project, "trace_id": trace_id}
    rows = ctx.lake.query(_ROWS, place, tables=(SPANS,), where={"spans": of_trace(ctx.project, trace_id)})
    return [told_of_row(row, partial(read_blob, ctx)) for row in rows]


def read_logs(ctx: Context, trace_id: str, span_id: str = "", *, near_ns: int = 0) -> list[ToldLog]:
    """The log records of a trace, or of one of its spans; `near_ns` is when it began, where that is known."""
    where = logs_near(ctx.project, near_ns, near_ns) if near_ns else of_project(ctx.project)
    place = {"project": ctx.project, "trace_id": trace_id, "span_id": span_id}
    holding = Holding((trace_id,), where)
    return [told_of_log(row) for row in ctx.lake.query(_LOGS, place, tables=(LOGS,), where={"logs": holding})]


def understood(told: Told, logs: Sequence[ToldLog]) -> Span:
    """The span as ours, with its texts whole."""
    return normalise(told, logs)


def read_understood(ctx: Context, trace_id: str, span_id: str, start_ns: int) -> Span | None:
    """A stored span as ours, with its texts whole; None where it is not one that OTLP told."""
    told = read_told(ctx, {"trace_id": trace_id, "span_id": span_id, "start_ns": start_ns})
    if told is None:
        return None
    return understood(told, read_logs(ctx, trace_id, span_id, near_ns=start_ns))
