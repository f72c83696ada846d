"""Lists of single spans, whatever trace they are of, the one that began last first.

Reads the tables alone, after a moment for what is on its way there; spans that still run are in their trace's tree.
"""

import asyncio

import msgspec

from flyball.infra.context import Context

from .catching_up import catch_up
from .late_content import filled
from .pruning import of_project
from .records import SpanFilter, SpanRow
from .tables import SPANS, read_span

_END = (2**62, "g")  # after every time and every id

_LIST = """
    select * exclude (events, links, large, status_message) from spans
    where project = $project and start_ns >= $since_ns and start_ns <= $until_ns
        and (start_ns < $before_ns or (start_ns = $before_ns and span_id < $before_id))
        and ($trace_id = '' or trace_id = $trace_id) and ($span_id = '' or span_id = $span_id)
        and ($parent_id = '' or parent_id = $parent_id) and ($name = '' or name = $name)
        and ($user_id = '' or user_id = $user_id) and ($session_id = '' or session_id = $session_id)
        and (not $experiments or experiment_id <> '')
    qualify row_number() over (partition by trace_id, span_id) = 1
    order by start_ns desc, span_id desc limit $most
"""


async def list_spans(
    ctx: Context, wanted: SpanFilter, *, after: tuple[int, str] | None = None, most: int
) -> tuple[SpanRow, ...]:
    """Spans that fit; those behind `after`, a start and a span's id, where that is given."""
    await catch_up(ctx)
    before_ns, before_id = after or _END
    until_ns = min(wanted.until_ns, before_ns)
    bounds = {"until_ns": until_ns, "before_ns": before_ns, "before_id": before_id, "most": most}
    rows = await asyncio.to_thread(
        ctx.lake.query,
        _LIST,
        msgspec.structs.asdict(wanted) | bounds | {"project": ctx.project},
        tables=(SPANS,),
        where={"spans": f"{of_project(ctx.project)} and start_ns >= {wanted.since_ns} and start_ns <= {until_ns}"},
    )
    return tuple(await asyncio.to_thread(filled, ctx, map(read_span, rows)))
