"""Previews of spans whose messages came as log records after the span itself: found when the spans are read, never written.

A log record that arrives before its span, or with it, is part of the row (`content_logs.py`). For the others, lists ask the
table `logs` once for all of their spans that show nothing, and understand again those of which it has content. A search
for a text does not find what stands only there. Knows raw rows; knows not who asks.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec

from flyball.infra.blobs.errors import BlobDamagedError, BlobMissingError
from flyball.infra.context import Context
from flyball.infra.lake.questions import Holding

from .columns import TOLD
from .normalising import normalise
from .own_blobs import read_blob
from .pruning import logs_near, of_project
from .records import PREVIEW, SpanRow, preview
from .signal_tables import LOGS
from .tables import SPANS
from .told import ToldLog
from .told_rows import RAW, told_of_log, told_of_row

_DAY_NS = 24 * 3_600 * 1_000_000_000
_MOST_SPANS = 500  # that are looked up at once, the first
_MOST_LOGS = 2_000

Key: TypeAlias = tuple[str, str]  # trace id, span id

_LOGS = f"""
    select * from logs where project = $project
        and trace_id in (select unnest($trace_ids)) and span_id in (select unnest($span_ids))
        and (starts_with(event_name, 'gen_ai.') or (event_name = '' and contains(attributes, '"event.name":"gen_ai.')))
    order by time_ns, observed_ns limit {_MOST_LOGS}
"""
_SPANS = f"""
    select {", ".join(RAW)} from spans where project = $project
        and trace_id in (select unnest($trace_ids)) and span_id in (select unnest($span_ids)) and resource is not null
    qualify row_number() over (partition by trace_id, span_id) = 1
"""


class Place(NamedTuple):
    """Which span, and when it began, or a little before."""

    trace_id: str
    span_id: str
    start_ns: int


class Late(NamedTuple):
    """What went in and came out, whole."""

    input: str
    output: str


def late_content(ctx: Context, places: Sequence[Place]) -> dict[Key, Late]:
    """The texts of those spans of which log records hold some."""
    places = places[:_MOST_SPANS]
    if not places:
        return {}
    begin_ns, end_ns = min(place.start_ns for place in places), max(place.start_ns for place in places)
    beside: defaultdict[Key, list[ToldLog]] = defaultdict(list)
    wanted = {(place.trace_id, place.span_id) for place in places}
    where = logs_near(ctx.project, begin_ns, end_ns)
    for row in ctx.lake.query(_LOGS, _named(ctx, wanted), tables=(LOGS,), where={"logs": _holding(wanted, where)}):
        log = told_of_log(row)
        beside[log.trace_id, log.span_id].append(log)
    found: dict[Key, Late] = {}
    if not (keys := wanted & beside.keys()):
        return found
    where = f"{of_project(ctx.project)} and start_ns >= {begin_ns} and start_ns <= {end_ns + _DAY_NS}"
    for row in ctx.lake.query(_SPANS, _named(ctx, keys), tables=(SPANS,), where={"spans": _holding(keys, where)}):
        key = (row["trace_id"], row["span_id"])
        with suppress(BlobMissingError, BlobDamagedError):
            span = normalise(told_of_row(row, partial(read_blob, ctx)), beside[key])
            found[key] = Late(span.input, span.output)
    return found


def _holding(keys: Iterable[Key], where: str) -> Holding:
    return Holding(sorted({trace_id for trace_id, _ in keys}), where)


def filled(ctx: Context, rows: Iterable[SpanRow]) -> list[SpanRow]:
    """The same rows, with previews where they had none and log records that came later tell the text."""
    rows = list(rows)
    lacking = [row for row in rows if row.dialect and not (row.input_preview and row.output_preview)]
    late = late_content(ctx, [Place(row.trace_id, row.span_id, row.start_ns) for row in lacking])
    return [_filled(row, late[key]) if (key := (row.trace_id, row.span_id)) in late else row for row in rows]


def _filled(row: SpanRow, late: Late) -> SpanRow:
    told = {side: text for side, text in late._asdict().items() if text and not getattr(row, f"{side}_preview")}
    previews = {f"{side}_preview": preview(text) for side, text in told.items()}
    references = {f"{side}_ref": TOLD if len(text) > PREVIEW else "" for side, text in told.items()}
    return msgspec.structs.replace(row, **previews, **references)


def _named(ctx: Context, keys: Iterable[Key]) -> dict[str, object]:
    keys = sorted(keys)
    return {
        "project": ctx.project,
        "trace_ids": sorted({trace_id for trace_id, _ in keys}),
        "span_ids": sorted({span_id for _, span_id in keys}),
    }
