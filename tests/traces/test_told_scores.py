"""Scores that come inside of spans and log records reach the project's scores, once."""

import os

import pytest

from flyball.traces import service
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import logs_request, spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.told import Told, ToldEvent, ToldLog

NOW = 1_763_750_000_000_000_000
RESULT = {"gen_ai.evaluation.name": "relevance", "gen_ai.evaluation.score.value": 0.5}
TRACE, SPAN = "a" * 32, "b" * 16


def judged(**fields):
    annotation = {"annotations.0.annotation.name": "quality", "annotations.0.annotation.label": "good"}
    return Told(
        TRACE,
        SPAN,
        "answer",
        NOW,
        NOW + 5,
        attributes=annotation | fields,
        events=[ToldEvent(NOW + 1, "gen_ai.evaluation.result", RESULT)],
    )


async def test_the_scores_that_a_span_brings_are_the_project_s_scores(ctx):
    await take_request(ctx, "traces", spans_request([judged()]).SerializeToString())
    flusher = Flusher(ctx)
    while await flusher.flush():
        pass

    found = (await service.list_scores(ctx, trace_id=TRACE)).items

    assert {(one.name, one.value, one.label, one.target_kind, one.target_id) for one in found} == {
        ("quality", None, "good", "span", SPAN),
        ("relevance", 0.5, "", "span", SPAN),
    }
    assert {one.name for one in (await service.get_trace(ctx, TRACE)).scores} == {"quality", "relevance"}


async def test_a_span_that_is_sent_again_judges_nothing_again(ctx):
    flusher = Flusher(ctx)
    for number in range(3):  # other requests, the same span
        await take_request(ctx, "traces", spans_request([judged(try_=number)]).SerializeToString())
        while await flusher.flush():
            pass

    assert len((await service.list_scores(ctx, trace_id=TRACE)).items) == 2


async def test_a_log_record_judges_the_span_that_it_names(ctx):
    record = ToldLog(NOW, event_name="gen_ai.evaluation.result", attributes=RESULT, trace_id=TRACE, span_id=SPAN)
    nobody = ToldLog(NOW, event_name="gen_ai.evaluation.result", attributes=RESULT)
    await take_request(ctx, "logs", logs_request([record, nobody]).SerializeToString())
    flusher = Flusher(ctx)
    while await flusher.flush():
        pass

    assert [(one.name, one.target_id) for one in (await service.list_scores(ctx)).items] == [("relevance", SPAN)]


async def test_a_batch_that_is_written_again_after_a_crash_keeps_its_scores(ctx, monkeypatch):
    await take_request(ctx, "traces", spans_request([judged(run=os.urandom(4).hex())]).SerializeToString())

    async def crash(*_, **__):
        raise OSError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr("flyball.traces.moving.requests.delete", crash)
        with pytest.raises(OSError, match="away"):
            await Flusher(ctx).flush()
    flusher = Flusher(ctx)
    while await flusher.flush():
        pass

    assert {one.name for one in (await service.list_scores(ctx, trace_id=TRACE)).items} == {"quality", "relevance"}


@pytest.mark.parametrize("time_ns", [2**63, 2**64 - 1])
async def test_a_judgement_of_a_time_that_no_column_holds_does_not_stop_the_flusher(ctx, time_ns):
    late = Told(TRACE, SPAN, "answer", NOW, NOW + 5, events=[ToldEvent(time_ns, "gen_ai.evaluation.result", RESULT)])
    await take_request(ctx, "traces", spans_request([late]).SerializeToString())
    flusher = Flusher(ctx)
    while await flusher.flush():
        pass

    (found,) = (await service.list_scores(ctx, trace_id=TRACE)).items
    assert (found.name, found.value) == ("relevance", 0.5)
