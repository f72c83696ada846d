"""Scores through the Langfuse SDK: of traces, observations and sessions, in every type, listed and looked up."""

import itertools

import pytest

_numbers = itertools.count(1)


@pytest.fixture
def trace(sdk):
    """The id of a trace of this test alone."""
    return f"{sdk.major}{next(_numbers):031x}"


def test_scores_of_every_type_are_kept_and_the_newest_of_an_id_counts(sdk, trace):
    seen = sdk.play("scores", trace=trace, session=f"session {trace}")

    truth = True if sdk.major == 5 else "True"
    assert seen["found"] == [
        ["quality", "NUMERIC", 0.1],
        ["safe", "BOOLEAN", truth],
        ["tone", "CATEGORICAL", "warm"],
    ]
    assert seen["one"] == ["quality", 0.1, "worse"]
    assert seen["session"] == [["calm", 0.5]]
    assert seen["bounded"] == ["safe"]


def test_flyball_has_them_as_scores_of_its_own(sdk, trace):
    sdk.play("scores", trace=trace, session=f"session {trace}")

    rows = sdk.server.run(
        "sql",
        f"select name, target_kind, target_id, value, label from scores where trace_id = '{trace}' order by created_ns",
    )
    assert {row["name"] for row in rows} == {"quality", "safe", "tone"}
    [tone] = [row for row in rows if row["name"] == "tone"]
    assert (tone["target_kind"], tone["target_id"], tone["label"]) == ("span", "b" * 16, "warm")


def test_a_score_that_its_config_does_not_allow_is_refused_and_the_others_are_kept(sdk, trace):
    seen = sdk.play("score_configs", trace=trace)

    assert seen == {"config": ["grade", "CATEGORICAL"], "same": True, "listed": True}
    assert ("'superb' is none of the categories good, bad" if sdk.major == 5 else "Bad request") in sdk.said()
    rows = sdk.server.run("sql", f"select label, value from scores where trace_id = '{trace}'")
    assert rows == [{"label": "good", "value": 1.0}]
