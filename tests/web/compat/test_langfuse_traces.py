"""Traces through the Langfuse SDK, over OTLP and in the older batches of events: what flyball makes of them."""

import itertools
import os

import pytest
from recorded import spans_of

_numbers = itertools.count(1)


@pytest.fixture
def session(sdk):
    return f"session {sdk.major}.{next(_numbers)} {os.urandom(4).hex()}"


def test_nested_observations_become_spans_with_what_they_say(sdk, session):
    seen = sdk.play("traces", session=session)

    tree, spans = spans_of(sdk.server, seen["trace"], until=lambda spans: len(spans) == 4)
    assert set(spans) == {"request", "retrieve", "answer", "search"}
    assert {spans[name]["parent_id"] for name in ("retrieve", "answer", "search")} == {seen["root"]}
    assert (spans["answer"]["kind"], spans["search"]["kind"]) == ("llm", "tool")
    assert (spans["answer"]["input_tokens"], spans["answer"]["output_tokens"]) == (10, 5)
    assert spans["answer"]["cost_nano_usd"] == 3_000_000
    assert "gpt-5-mini" in {spans["answer"]["model_requested"], spans["answer"]["model_response"]}
    assert "Because." in spans["request"]["output_preview"]
    assert (spans["search"]["status"], spans["search"]["error"]) == ("error", "no such index")
    assert tree["trace"]["session_id"] == session
    assert tree["trace"]["user_id"] == "ann"
    assert [(score["name"], score["value"]) for score in tree["scores"]] == [("quality", 1.0)]


def test_events_of_older_clients_become_spans_once_they_have_ended(newest):
    answers = newest.play("older_events", trace="run 7/a", session="older")

    assert [answer[:2] for answer in answers] == [[207, 4], [207, 4], [207, 3], [207, 3]]
    assert "no event 'no-such-thing'" in answers[0][2][0]
    assert "'yesterday' is no time" in answers[0][2][1]
    [row] = newest.server.run("sql", "select distinct trace_id from spans where name = 'call'")
    _, spans = spans_of(
        newest.server, row["trace_id"], until=lambda spans: spans.get("outer", {}).get("status") == "error"
    )
    assert set(spans) == {"chat", "outer", "call", "seen"}
    assert spans["call"]["parent_id"] == spans["seen"]["parent_id"] == spans["outer"]["span_id"]
    assert (spans["call"]["kind"], spans["call"]["input_tokens"], spans["call"]["output_tokens"]) == ("llm", 10, 5)
    assert (spans["outer"]["status"], spans["outer"]["error"]) == ("error", "late")
    assert spans["outer"]["end_ns"] - spans["outer"]["start_ns"] == 3_000_000_000
    assert spans["chat"]["session_id"] == "older"


def test_what_was_sent_is_fetched_back(sdk, session):
    seen = sdk.play("read_back", session=session)

    question = [{"role": "user", "content": "Why?"}]
    assert seen["newer"] == ["answer", "request", "retrieve", "search"]
    assert seen["ended"]
    assert seen["newer_call"] == ["GENERATION", question, "Because.", 10, 0.003]
    if sdk.major < 5:
        assert seen["trace"] == ["request", session, "ann", ["t1"], {"q": "Why?"}, "Because.", 0.003]
        assert seen["inside"] == [
            ["answer", "GENERATION", "DEFAULT"],
            ["request", "SPAN", "DEFAULT"],
            ["retrieve", "SPAN", "DEFAULT"],
            ["search", "TOOL", "ERROR"],
        ]
        assert seen["scores"] == [["quality", 1.0]]
        assert seen["listed"] == [True, 4]
        assert seen["session"] == [True]
        assert seen["call"] == ["gpt-5-mini", 10, 5, question, "Because.", {"temperature": 0}, True]
        assert seen["older"] == ["answer", "request", "retrieve", "search"]
        assert seen["generations"] == ["answer"]


def test_long_texts_come_back_whole(sdk):
    assert sdk.play("long_text", length=200_000) == [200_000, 200_000]
