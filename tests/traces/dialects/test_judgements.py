"""Scores that come inside of spans: what OpenInference writes as attributes, and OpenTelemetry as events and log records."""

import math

from hypothesis import given
from hypothesis import strategies as st

from flyball.traces.dialects.judgements import scores_of, scores_of_log
from flyball.traces.told import Told, ToldEvent, ToldLog

TRACE, SPAN = "a" * 32, "b" * 16


def told(attributes, **fields):
    return Told(TRACE, SPAN, "answer", 1_000, 2_000, attributes=attributes, **fields)


def test_an_annotation_is_a_score_of_its_span():
    start = "annotations.0.annotation."
    (score,) = scores_of(
        told(
            {
                start + "name": "hallucination",
                start + "score": 1,
                start + "label": "hallucinated",
                start + "explanation": "Nothing supports it.",
                start + "annotator_kind": "LLM",
                start + "identifier": "judge-v2",
                start + "metadata": '{"rubric_version": "2"}',
            }
        )
    )

    assert (score.target_kind, score.target_id, score.trace_id) == ("span", SPAN, TRACE)
    assert (score.name, score.value, score.label) == ("hallucination", 1.0, "hallucinated")
    assert (score.annotator_kind, score.identifier, score.rubric_version) == ("LLM", "judge-v2", "2")
    assert (score.explanation, score.created_ns) == ("Nothing supports it.", 2_000)


def test_evaluations_may_be_about_the_trace_and_the_session():
    scores = scores_of(
        told(
            {
                "evaluations.0.evaluation.name": "correctness",
                "evaluations.0.evaluation.label": "right",
                "evaluations.0.evaluation.annotator_kind": "HUMAN",
                "trace.annotations.0.annotation.name": "quality",
                "trace.annotations.0.annotation.score": 0.92,
                "session.annotations.0.annotation.name": "coherence",
                "session.annotations.0.annotation.score": True,
                "session.id": "s-1",
            }
        )
    )

    assert [(s.target_kind, s.target_id, s.name, s.value, s.label) for s in scores] == [
        ("span", SPAN, "correctness", None, "right"),
        ("trace", TRACE, "quality", 0.92, ""),
        ("session", "s-1", "coherence", 1.0, ""),
    ]


def test_what_says_nothing_or_of_nothing_is_no_score():
    attributes = {
        "annotations.0.annotation.name": "empty",
        "annotations.1.annotation.score": 1,
        "annotations.2.annotation.name": "odd",
        "annotations.2.annotation.score": math.nan,
        "session.annotations.0.annotation.name": "of no session",
        "session.annotations.0.annotation.score": 1,
    }

    assert scores_of(told(attributes)) == []


RESULT = {
    "gen_ai.evaluation.name": "relevance",
    "gen_ai.evaluation.score.value": 0.5,
    "gen_ai.evaluation.score.label": "partly",
    "gen_ai.evaluation.explanation": "Half of it.",
}


def test_the_event_of_a_span_and_a_log_record_say_the_same():
    event = scores_of(told({}, events=[ToldEvent(1_500, "gen_ai.evaluation.result", RESULT)]))
    record = ToldLog(1_500, event_name="gen_ai.evaluation.result", attributes=RESULT, trace_id=TRACE, span_id=SPAN)

    assert event == scores_of(told({}), [record]) == scores_of_log(record)
    assert [(s.name, s.value, s.label, s.explanation) for s in event] == [("relevance", 0.5, "partly", "Half of it.")]


def test_a_score_that_is_sent_again_has_the_same_id():
    event = ToldEvent(1_500, "gen_ai.evaluation.result", RESULT)
    other = ToldEvent(1_500, "gen_ai.evaluation.result", RESULT | {"gen_ai.evaluation.score.value": 0.6})
    first, again, third = (scores_of(told({}, events=[one]))[0].score_id for one in (event, event, other))

    assert first == again != third


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.binary()
_names = st.sampled_from(
    [
        f"{scope}annotations.{number}.annotation{rest}"
        for scope in ("", "trace.")
        for number in ("0", "x", "")
        for rest in ("", ".name", ".score", ".label", ".metadata")
    ]
)


@given(st.dictionaries(_names, _values))
def test_nothing_odd_raises(attributes):
    scores_of(told(attributes, events=[ToldEvent(1, "gen_ai.evaluation.result", attributes)]))
