"""A call that a framework, the client below it and the gateway each tell as a span is counted on the innermost alone."""

import msgspec

from flyball.llm.usage import Usage
from flyball.traces import service
from flyball.traces.counted_calls import CountedCalls, Heard
from flyball.traces.flusher import Flusher
from flyball.traces.records import Span

TRACE = "0" * 31 + "1"
USED = Usage(input_tokens=19, cache_read_tokens=12, output_tokens=17)


def span(number: int, parent: int = 0, *, used: Usage = Usage(), cost: int | None = None, response: str = "") -> Span:  # noqa: B008
    """The outer ones have the smaller numbers, begin earlier and end later."""
    return Span(
        trace_id=TRACE, span_id=f"{number:016x}", parent_id=f"{parent:016x}" if parent else "", name="call", kind="llm",
        start_ns=number, end_ns=1_000 - number, usage=used, cost_nano_usd=cost, response_id=response,
    )  # fmt: skip


def used(spans: list[Span]) -> list[int]:
    return [each.usage.total_tokens for each in spans]


def once(calls: CountedCalls, *spans: Span, project: str = "default", libraries: str = "aaaaaaaa") -> list[Span]:
    return calls.once([Heard(project, library, each) for library, each in zip(libraries, spans, strict=False)])


def test_of_two_spans_of_one_call_the_inner_one_counts_in_whichever_order_they_come():
    framework, client = span(1, used=USED, cost=5), span(2, 1, used=USED, cost=5)

    assert used(once(CountedCalls(), framework, client)) == [0, 48]
    assert used(once(CountedCalls(), client, framework)) == [48, 0]
    assert once(CountedCalls(), framework, client)[0].cost_nano_usd is None


def test_the_outer_span_is_recognised_when_it_comes_later_and_as_often_as_a_batch_is_repeated():
    calls = CountedCalls()

    assert used(once(calls, span(2, 1, used=USED))) == [48]
    assert used(once(calls, span(1, used=USED))) == [0]
    assert used(once(calls, span(2, 1, used=USED), span(1, used=USED))) == [48, 0]


def test_spans_between_that_are_no_calls_do_not_hide_the_inner_one():
    outer, between, inner = span(1, used=USED), span(2, 1), span(3, 2, used=USED)

    assert used(once(CountedCalls(), outer, between, inner)) == [0, 0, 48]


def test_three_layers_count_once():
    assert used(once(CountedCalls(), span(1, used=USED), span(2, 1, used=USED), span(3, 2, used=USED))) == [0, 0, 48]


def test_a_span_that_adds_up_several_calls_below_it_counts_nothing():
    both = Usage(input_tokens=38, cache_read_tokens=24, output_tokens=34)

    assert used(once(CountedCalls(), span(1, used=both), span(2, 1, used=USED), span(3, 1, used=USED))) == [0, 48, 48]


def test_the_answers_id_decides_where_libraries_count_the_prompt_differently():
    other = msgspec.structs.replace(USED, input_tokens=31)

    assert used(once(CountedCalls(), span(1, used=other, response="a"), span(2, 1, used=USED, response="a"))) == [0, 48]


def test_a_library_that_hides_its_span_from_the_client_below_is_recognised_by_the_time():
    parent, outer, inner = span(1), span(2, 1, used=USED), span(3, 1, used=USED)

    assert used(once(CountedCalls(), parent, outer, inner, libraries="abc")) == [0, 0, 48]
    assert used(once(CountedCalls(), inner, outer, parent, libraries="cba")) == [48, 0, 0]


def test_calls_of_one_library_at_the_same_time_are_counted_each():
    assert used(once(CountedCalls(), span(1), span(2, 1, used=USED), span(3, 1, used=USED))) == [0, 48, 48]


def test_answers_with_ids_that_differ_are_two_calls_however_alike_they_are():
    one, other = span(2, 1, used=USED, response="a"), span(3, 1, used=USED, response="b")

    assert used(once(CountedCalls(), span(1), one, other, libraries="abc")) == [0, 48, 48]


def test_a_moment_that_tells_of_a_call_which_another_library_told_before_it_counts_nothing():
    call, moment = span(2, 1, used=USED), msgspec.structs.replace(span(3, 1, used=USED), start_ns=999, end_ns=999)

    assert used(once(CountedCalls(), span(1), call, moment, libraries="abc")) == [0, 48, 0]
    assert used(once(CountedCalls(), span(1), call, moment, libraries="abb")) == [0, 48, 48]  # a call of its own
    assert used(once(CountedCalls(), span(1), moment, libraries="ab")) == [0, 48]


def test_calls_that_differ_are_both_counted():
    other = Usage(input_tokens=700, output_tokens=3)

    assert used(once(CountedCalls(), span(1, used=other), span(2, 1, used=USED))) == [703, 48]
    assert used(once(CountedCalls(), span(1, used=USED), span(2, used=USED))) == [48, 48]  # side by side


def test_a_cost_that_only_the_outer_span_knows_is_kept():
    kept, inner = once(CountedCalls(), span(1, used=USED, cost=5), span(2, 1, used=USED))

    assert (kept.usage, kept.cost_nano_usd, inner.cost_nano_usd) == (Usage(), 5, None)


def test_ids_that_two_projects_share_do_not_meet():
    calls = CountedCalls()
    once(calls, span(2, 1, used=USED), project="a")

    assert used(once(calls, span(1, used=USED), project="b")) == [48]


def test_what_is_remembered_is_bounded():
    calls = CountedCalls(most=10)
    for number in range(1, 100):
        once(calls, span(2 * number + 1, 2 * number, used=USED))

    assert used(once(calls, span(198, used=USED))) == [0]
    assert used(once(calls, span(2, used=USED))) == [48]


async def test_what_the_gateway_counted_the_application_around_it_does_not_count_again(ctx):
    now = ctx.clock.now_ns()
    outer = Span(trace_id=TRACE, span_id="1" * 16, name="chat", kind="llm", start_ns=now, end_ns=now + 9, usage=USED)
    gateway = Span(
        trace_id=TRACE, span_id="2" * 16, parent_id="1" * 16, remote_parent=True, name="gateway", kind="gateway",
        start_ns=now + 1, end_ns=now + 8,
    )  # fmt: skip
    attempt = Span(
        trace_id=TRACE, span_id="3" * 16, parent_id="2" * 16, name="call", kind="llm", start_ns=now + 2, end_ns=now + 7,
        usage=USED, cost_nano_usd=13_950,
    )  # fmt: skip
    flusher = Flusher(ctx)
    await service.take_spans(ctx, [gateway, attempt])
    await flusher.flush()
    await service.take_spans(ctx, [outer])
    await flusher.flush()

    trace = (await service.get_trace(ctx, TRACE)).trace

    assert (trace.tokens_in, trace.tokens_out, trace.cost_nano_usd) == (31, 17, 13_950)
