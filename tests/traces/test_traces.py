"""Traces as a user meets them: sent, listed, shown, judged; waiting or flushed makes no difference."""

import asyncio

import pytest

from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.llm.usage import Usage
from flyball.traces import service
from flyball.traces.errors import SpanRefusedError, TraceNotFoundError
from flyball.traces.flusher import Flusher
from flyball.traces.records import Span, TraceFilter
from flyball.traces.tree import build

BASE = 1_800_000_000_000_000_000
SECOND = 1_000_000_000


def a_trace(number: int, *, children: int = 2, **fields: object) -> list[Span]:
    """A root with children, one second after the one with the number before."""
    trace_id, root_id, start = f"{number:032x}", new_span_id(), BASE + number * SECOND
    root = {"trace_id": trace_id, "span_id": root_id, "name": "ask", "start_ns": start, "end_ns": start + SECOND}
    spans = [Span(**(root | {"status": "ok"} | fields))]
    spans += [
        Span(
            trace_id=trace_id,
            span_id=new_span_id(),
            parent_id=root_id,
            name=f"step {child}",
            start_ns=start + child + 1,
            end_ns=start + child + 2,
            usage=Usage(input_tokens=10, output_tokens=5),
            cost_nano_usd=7,
        )
        for child in range(children)
    ]
    return spans


async def send(ctx: Context, *traces: list[Span], flush: bool = False) -> None:
    await service.take_spans(ctx, [span for spans in traces for span in spans])
    if flush:
        await Flusher(ctx).flush()


async def numbers(ctx: Context, wanted: TraceFilter | None = None, limit: int = 3) -> list[int]:
    """All traces, page by page, as their numbers."""
    found, cursor, pages = [], "", 0
    while pages < 50:
        page = await service.list_traces(ctx, wanted, cursor=cursor, limit=limit)
        found += [int(row.trace_id, 16) for row in page.items]
        if page.next is None:
            return found
        cursor, pages = page.next, pages + 1
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("flushed", [0, 4, 10])
async def test_traces_are_listed_newest_first_wherever_they_lie(ctx: Context, flushed: int) -> None:
    await send(ctx, *[a_trace(number) for number in range(flushed)], flush=True)
    await send(ctx, *[a_trace(number) for number in range(flushed, 10)])

    assert await numbers(ctx) == list(range(9, -1, -1))


async def test_a_trace_sums_up_its_spans_whether_half_of_them_wait_or_not(ctx: Context) -> None:
    root, *children = a_trace(1, children=4, function="ask", release="rel_1", input="why?", output="because")
    await send(ctx, [root, children[0]], flush=True)
    await send(ctx, children[1:])
    (row,) = (await service.list_traces(ctx)).items

    assert (row.name, row.status, row.function, row.release) == ("ask", "ok", "ask", "rel_1")
    assert (row.spans, row.tokens_in, row.tokens_out, row.cost_nano_usd) == (5, 40, 20, 28)
    assert (row.input_preview, row.output_preview) == ("why?", "because")
    assert (row.start_ns, row.end_ns) == (root.start_ns, root.end_ns)
    assert (await service.get_trace(ctx, root.trace_id)).trace == row


@pytest.mark.parametrize("flush", [True, False])
async def test_a_text_is_looked_for_in_errors_as_well(ctx: Context, *, flush: bool) -> None:
    refused = "insufficient_quota: the budget of the project has $0 left (quo_7a)"
    await send(ctx, a_trace(1, status="error", error=refused), a_trace(2, status="error", error="timeout"), flush=flush)

    assert await numbers(ctx, TraceFilter(text="QUO_7A", status="error")) == [1]


async def test_filters_narrow_the_list(ctx: Context) -> None:
    await send(ctx, a_trace(1, function="ask", release="rel_1"), a_trace(2, function="triage", status="error"))
    await send(ctx, a_trace(3, function="ask", status="error", session_id="s1", input="Über allen"), flush=True)
    await send(ctx, a_trace(4, function="ask", output="the Answer"))

    assert await numbers(ctx, TraceFilter(function="ask")) == [4, 3, 1]
    assert await numbers(ctx, TraceFilter(function="ask", status="error")) == [3]
    assert await numbers(ctx, TraceFilter(release="rel_1")) == [1]
    assert await numbers(ctx, TraceFilter(session_id="s1")) == [3]
    assert await numbers(ctx, TraceFilter(text="answer")) == [4]
    assert await numbers(ctx, TraceFilter(text="ÜBER", function="ask")) == [3]
    assert await numbers(ctx, TraceFilter(text="step 1", status="error")) == [3, 2]
    assert await numbers(ctx, TraceFilter(since_ns=BASE + 3 * SECOND)) == [4, 3]
    assert await numbers(ctx, TraceFilter(function="' or true --")) == []


async def test_pages_are_complete_when_many_traces_begin_in_the_same_nanosecond(ctx: Context) -> None:
    traces = [a_trace(number) for number in range(20)]
    same = [[Span(**{**{f: getattr(s, f) for f in s.__struct_fields__}, "start_ns": BASE}) for s in t] for t in traces]
    await send(ctx, *same[:10], flush=True)
    await send(ctx, *same[10:])

    assert await numbers(ctx, limit=7) == list(range(19, -1, -1))


async def test_other_projects_see_nothing_of_it(ctx: Context) -> None:
    from dataclasses import replace

    from flyball.infra.db.database import execute

    async with ctx.db.transaction() as connection:
        await execute(
            connection,
            "insert into projects (id, organisation, name, name_key, created_ns) values ('o''ther', 'default', 'other', 'other', 0)",
        )
    other = replace(ctx, project="o'ther")
    await send(ctx, a_trace(1), flush=True)
    await send(ctx, a_trace(2))
    await send(other, a_trace(3), flush=True)
    span = a_trace(4)[0]
    await service.take_spans(
        other, [Span(**{**{f: getattr(span, f) for f in span.__struct_fields__}, "project": "default"})]
    )

    assert await numbers(other) == [4, 3]
    assert await numbers(ctx) == [2, 1]
    with pytest.raises(TraceNotFoundError):
        await service.get_trace(other, f"{1:032x}")
    assert (await service.count_traces(other)).traces == 2


async def test_a_trace_is_shown_before_its_root_has_ended(ctx: Context) -> None:
    root, child, *_ = a_trace(1)
    await send(ctx, [child])

    assert await numbers(ctx) == [1]
    tree = await service.get_trace(ctx, root.trace_id)
    assert [(node.span.name, node.depth, node.orphan) for node in tree.nodes] == [("step 0", 0, True)]

    await send(ctx, [root])

    tree = await service.get_trace(ctx, root.trace_id)
    assert [(node.span.name, node.depth, node.orphan) for node in tree.nodes] == [
        ("ask", 0, False),
        ("step 0", 1, False),
    ]


async def test_spans_that_are_each_others_parents_are_shown_once(ctx: Context) -> None:
    one, two = a_trace(1, children=1)
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    await send(ctx, [Span(**(fields | {"parent_id": two.span_id})), two])

    assert len((await service.get_trace(ctx, one.trace_id)).nodes) == 2


def test_a_trace_of_ten_thousand_spans_is_put_in_order_at_once() -> None:
    from flyball.traces.records import SpanRow

    spans = [
        SpanRow(trace_id="t", span_id=str(n), parent_id=str(n - 1) if n % 3 else "", name="s", start_ns=n, end_ns=n)
        for n in range(10_000)
    ]
    tree = build("t", spans, ())

    assert tree.trace.spans == 10_000
    assert len(tree.nodes) == 5_000


async def test_counts_say_how_much_waits_and_for_how_long(ctx: Context) -> None:
    await send(ctx, a_trace(1), flush=True)
    await send(ctx, a_trace(2, status="error"))
    counts = await service.count_traces(ctx)

    assert (counts.traces, counts.spans, counts.errors, counts.waiting) == (2, 6, 1, 3)
    assert 0 < counts.lag_ns < 60 * SECOND


async def test_a_span_that_ends_before_it_starts_is_refused_and_nothing_of_its_batch_is_kept(ctx: Context) -> None:
    good = a_trace(1)
    bad = Span(trace_id=new_trace_id(), span_id=new_span_id(), name="x", start_ns=2, end_ns=1)

    with pytest.raises(SpanRefusedError, match="before it starts"):
        await service.take_spans(ctx, [*good, bad])
    assert await numbers(ctx) == []


async def test_a_cursor_that_is_not_ours_is_refused(ctx: Context) -> None:
    with pytest.raises(InvalidInputError, match="not one of ours"):
        await service.list_traces(ctx, cursor="nonsense")


async def test_saying_the_same_again_adds_nothing_and_changing_ones_mind_does(ctx: Context) -> None:
    await send(ctx, a_trace(1), flush=True)
    first, again, *_ = [await service.record_feedback(ctx, f"{1:032x}", value) for value in (1, 1, -1, 1)]
    scores = (await service.list_scores(ctx)).items

    assert again == first
    assert [score.label for score in scores] == ["up", "down", "up"]
    assert [score.label for score in (await service.get_trace(ctx, f"{1:032x}")).scores] == ["up"]


async def test_scores_are_paged_newest_first_wherever_they_lie(ctx: Context) -> None:
    await send(ctx, a_trace(1))
    for number in range(7):
        await service.record_feedback(ctx, f"{1:032x}", 1, str(number), identifier=str(number))
        if number == 3:
            await Flusher(ctx).flush()
    found, cursor = [], ""
    while cursor is not None:
        page = await service.list_scores(ctx, name="feedback", cursor=cursor, limit=2)
        found += [score.explanation for score in page.items]
        cursor = page.next

    assert found == [str(number) for number in range(6, -1, -1)]


async def test_feedback_waits_a_moment_for_a_trace_that_is_on_its_way(ctx: Context) -> None:
    waiting = asyncio.create_task(service.record_feedback(ctx, f"{1:032x}", -1, correction="42"))
    await asyncio.sleep(0.2)
    await send(ctx, a_trace(1))

    assert (await waiting).correction == "42"


@pytest.mark.parametrize("trace_id", ["nonsense", "", "0" * 31, "G" * 32])
async def test_feedback_on_what_is_no_trace_is_refused_at_once(ctx: Context, trace_id: str) -> None:
    with pytest.raises(TraceNotFoundError, match="x-flyball-trace-id"):
        await service.record_feedback(ctx, trace_id, 1)


async def test_feedback_out_of_range_is_refused(ctx: Context) -> None:
    with pytest.raises(SpanRefusedError, match="from -1 to 1"):
        await service.record_feedback(ctx, f"{1:032x}", 5)
