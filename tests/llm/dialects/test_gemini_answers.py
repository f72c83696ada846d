"""Whole answers in Gemini's words: what providers say, what callers are told, and how both say that something went wrong."""

import json
from typing import Any

import official
import pytest
from gemini_vocabulary import ANSWERED, bare
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabulary import completions

import golden
from flyball.llm.completions import Choice, Completion, Trouble
from flyball.llm.dialect import Frame
from flyball.llm.dialects.gemini import DIALECT
from flyball.llm.dialects.gemini.answers import stop_word
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Citation,
    Media,
    Native,
    Refusal,
    Signature,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
)
from flyball.llm.usage import Usage

GIVEN = [case for case in golden.cases() if (case.kind, case.source, case.target) == ("answers", "gemini", "gemini")]
GOOGLES = Signature(data="c2lnbmVk", origin="google")


def read(body: dict[str, Any]) -> Completion:
    found = DIALECT.parse_completion(json.dumps(body).encode())
    assert isinstance(found, Completion)
    return found


def told(*parts: Any, reason: StopReason = "stop", losses: Losses | None = None, **more: Any) -> Any:
    choice = Choice(parts=parts, stop=Stop(reason=reason), **more)
    frame = Frame(id="ID", created=0, model="m")
    return json.loads(DIALECT.write_completion(Completion(choices=(choice,)), frame, losses or Losses("it")))


def candidate(*parts: dict[str, Any], finish: str = "STOP", **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": finish, **more}]}


@given(completions(ANSWERED))
@settings(max_examples=80, deadline=None)
def test_an_answer_that_is_written_is_read_back_the_same(completion: Completion) -> None:
    body = DIALECT.write_completion(completion, Frame(id="x1", created=0, model="m"), Losses("it"))

    found = DIALECT.parse_completion(body)

    assert isinstance(found, Completion)
    assert bare(found) == completion


@pytest.mark.parametrize("case", [case for case in GIVEN if "body" in golden.translated(case)], ids=str)
def test_the_official_client_takes_every_answer(case: golden.Case) -> None:
    given_ = read(case.fixture["given"])

    heard = official.judge_answer("gemini", golden.translated(case)["body"])

    assert heard.text == given_.text
    calls = [part for part in given_.choices[0].parts if isinstance(part, ToolCall)]
    assert heard.calls == tuple((call.name, json.loads(call.arguments)) for call in calls)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "max_tokens"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "other"),
        ("UNEXPECTED_TOOL_CALL", "other"),
    ],
)
def test_every_end_has_its_reason_and_goes_back_in_the_same_word(word: str, reason: str) -> None:
    found = read(candidate({"text": "Hi."}, finish=word))

    body = json.loads(DIALECT.write_completion(found, Frame(id="ID", created=0, model="m"), Losses("it")))

    assert found.choices[0].stop == Stop(reason=reason, native=word)  # type: ignore[arg-type]  # one of them
    assert body["candidates"][0]["finishReason"] == word


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "STOP"),
        ("tool_calls", "STOP"),
        ("stop_sequence", "STOP"),
        ("pause", "STOP"),
        ("max_tokens", "MAX_TOKENS"),
        ("context", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("refusal", "PROHIBITED_CONTENT"),
        ("other", "OTHER"),
    ],
)
def test_every_reason_has_a_word_of_googles(reason: StopReason, word: str) -> None:
    body = told(Text(text="Hi."), reason=reason)

    assert body["candidates"][0]["finishReason"] == word


@pytest.mark.parametrize(
    ("word", "reason", "said"), [("BRAND_NEW", "other", "OTHER"), ("JAILBREAK", "content_filter", "SAFETY")]
)
def test_a_word_that_no_client_knows_is_told_in_one_that_it_does(word: str, reason: StopReason, said: str) -> None:
    found = read(candidate({"text": "Hi."}, finish=word)).choices[0].stop

    assert found == Stop(reason=reason, native=word)
    assert stop_word(found) == said


def test_a_stop_is_a_call_where_there_is_one_and_the_limit_stays_the_limit() -> None:
    call = {"functionCall": {"name": "look"}}

    assert read(candidate(call)).choices[0].stop.reason == "tool_calls"
    assert read(candidate(call, finish="MAX_TOKENS")).choices[0].stop.reason == "max_tokens"


def test_a_blocked_question_is_an_empty_answer_that_was_filtered() -> None:
    found = read({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}})

    assert found.choices == (Choice(stop=Stop(reason="content_filter", native="SAFETY")),)
    assert found.usage == Usage(input_tokens=5)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"candidates":[]}', b'{"usageMetadata":{"promptTokenCount":1}}', b"[]", b"x"]
)
def test_no_answer_without_a_reason_is_no_answer(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        DIALECT.parse_completion(body)


def test_calls_without_ids_get_ids_that_no_other_answer_has() -> None:
    call = {"functionCall": {"name": "look"}}

    first = read({**candidate(call, call), "responseId": "a-1"}).choices[0].parts
    second = read({**candidate(call), "responseId": "b-2"}).choices[0].parts

    ids = [part.id for part in (*first, *second) if isinstance(part, ToolCall)]
    assert len(set(ids)) == 3
    assert read({**candidate(call, call), "responseId": "a-1"}).choices[0].parts == first


# -- what an answer rests on


WIDE = st.text(st.sampled_from("aö€🌧 "), min_size=1, max_size=20)


@given(WIDE, st.data())
def test_offsets_are_bytes_to_google_and_characters_to_everybody_else(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    citation = Citation(
        url="https://example.org", title="T", quote=text[start:end], start=start, end=end, dialect="gemini"
    )

    body = told(Text(text=text, citations=(citation,)))

    segment = body["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"]
    assert text.encode()[segment["startIndex"] : segment["endIndex"]].decode() == text[start:end] == segment["text"]
    assert read(body).choices[0].parts == (Text(text=text, citations=(citation,)),)


@pytest.mark.parametrize(
    "segment",
    [{"startIndex": 999, "endIndex": 1005}, {"startIndex": -5, "endIndex": 3}, {"startIndex": 2, "endIndex": 1}, {}],
)
def test_offsets_that_make_no_sense_break_nothing(segment: dict[str, int]) -> None:
    support = {"segment": segment, "groundingChunkIndices": [0, 7, -1]}
    chunks = [{"web": {"uri": "https://example.org"}}]
    grounding = {"groundingChunks": chunks, "groundingSupports": [support, {}]}

    (part,) = read(candidate({"text": "Öl."}, groundingMetadata=grounding)).choices[0].parts

    assert isinstance(part, Text)
    assert [one.url for one in part.citations] == ["https://example.org"]


def test_sources_that_support_nothing_in_particular_are_told_too() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a"}}, {"retrievedContext": {"title": "notes", "text": "w"}}]
    }

    (part,) = read(candidate({"text": "Hi."}, groundingMetadata=grounding)).choices[0].parts

    assert isinstance(part, Text)
    assert part.citations == (
        Citation(url="https://a", dialect="gemini"),
        Citation(kind="document", title="notes", quote="w", dialect="gemini"),
    )


def test_what_was_searched_for_is_named_as_lost() -> None:
    found = read(
        candidate({"text": "Hi."}, groundingMetadata={"webSearchQueries": ["x"], "searchEntryPoint": {"a": 1}})
    )

    assert found.leftovers == ("groundingMetadata.searchEntryPoint", "groundingMetadata.webSearchQueries")


# -- what others answer, in Google's words


def test_another_vendors_thought_is_shown_and_its_signature_comes_back_as_it_was() -> None:
    theirs = Thinking(text="Hm.", signature=Signature(data="EqQB/+==", origin="anthropic"))
    redacted = Thinking(signature=Signature(data="opaque", origin="anthropic"), redacted=True)

    body = told(theirs, redacted, Text(text="Hi."))

    assert read(body).choices[0].parts == (theirs, redacted, Text(text="Hi."))
    assert official.judge_answer("gemini", body).text == "Hi."


def test_a_signature_that_stood_before_a_call_stands_on_it() -> None:
    body = told(
        Thinking(signature=GOOGLES, belongs_to_next=True), ToolCall(id="a", name="f", arguments='{"z":1.0,"a":2}')
    )

    assert body["candidates"][0]["content"]["parts"] == [
        {"functionCall": {"id": "a", "name": "f", "args": {"z": 1.0, "a": 2}}, "thoughtSignature": "c2lnbmVk"}
    ]


def test_broken_arguments_are_told_as_the_text_that_they_are() -> None:
    body = told(ToolCall(id="a", name="f", arguments='{"z":'), ToolCall(id="b", name="g", arguments="x", custom=True))

    calls = [part["functionCall"]["args"] for part in body["candidates"][0]["content"]["parts"]]
    assert calls == [{"unparsed_arguments": '{"z":'}, {"input": "x"}]


def test_a_refusal_is_said_in_words_and_as_the_reason_for_the_end() -> None:
    body = told(Refusal(text="I will not."))

    assert body["candidates"][0]["content"]["parts"] == [{"text": "I will not."}]
    assert body["candidates"][0]["finishReason"] == "PROHIBITED_CONTENT"


def test_images_are_told_and_what_only_others_can_say_is_not() -> None:
    losses = Losses("it")

    body = told(
        Media(kind="image", media_type="image/png", data="AAAA"),
        Media(kind="image", media_type="image/png", url="https://example.org/a.png"),
        Media(kind="image", file_id="file-1"),
        Native(dialect="other", kind="x", raw={}),
        losses=losses,
    )

    parts = body["candidates"][0]["content"]["parts"]
    assert [next(iter(part)) for part in parts] == ["inlineData", "fileData"]
    assert losses.dropped == ("content.media",)


@pytest.mark.parametrize("odd", [None, {}, {"content": None}, {"content": []}, []])
def test_log_probabilities_that_are_none_are_not_told(odd: Any) -> None:
    assert "logprobsResult" not in told(Text(text="Hi."), logprobs=odd)["candidates"][0]


def test_what_the_gateway_adds_stands_at_the_top() -> None:
    frame = Frame(id="ID", created=0, model="ours", extra={"flyball": {"trace_id": "t"}})
    whole = Completion(choices=(Choice(parts=(Text(text="Hi."),), stop=Stop(reason="stop")),))

    body = json.loads(DIALECT.write_completion(whole, frame, Losses("it")))

    assert (body["modelVersion"], body["responseId"], body["flyball"]) == ("ours", "ID", {"trace_id": "t"})


# -- errors and counts


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (
            {"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "x"}]}},
            Trouble(message="Quota.", code="RESOURCE_EXHAUSTED", status=429),
        ),
        ([{"error": {"code": 400, "message": "No."}}], Trouble(message="No.", status=400)),
        ({"error": {"status": "UNAVAILABLE"}}, Trouble(message="no message", code="UNAVAILABLE", status=503)),
        ({"error": {"code": "x", "message": "No."}}, Trouble(message="No.")),
        ({"error": {"code": 10**9, "message": "No."}}, Trouble(message="No.")),
        ({"error": "No."}, None),
        ([], None),
        ([1], None),
    ],
)
def test_errors_are_read_from_an_object_and_from_an_array(body: Any, trouble: Trouble | None) -> None:
    assert DIALECT.parse_error(json.dumps(body).encode()) == trouble


def test_an_error_has_googles_word_and_ours_in_its_details() -> None:
    body = json.loads(DIALECT.error(400, "no such field", code="invalid_body", param="contents[0].role"))

    assert body["error"]["code"] == 400
    assert body["error"]["status"] == "INVALID_ARGUMENT"
    assert [one.get("reason") for one in body["error"]["details"]] == ["invalid_body", None]
    assert body["error"]["details"][1]["fieldViolations"][0]["field"] == "contents[0].role"


@pytest.mark.parametrize(("status", "word"), [(413, "INVALID_ARGUMENT"), (502, "INTERNAL"), (529, "INTERNAL"), (404, "NOT_FOUND")])  # fmt: skip
def test_every_status_has_a_word(status: int, word: str) -> None:
    assert json.loads(DIALECT.error(status, "x", code=None))["error"]["status"] == word


def test_googles_own_word_for_an_error_stays() -> None:
    body = json.loads(DIALECT.error(400, "x", code="FAILED_PRECONDITION"))

    assert body["error"] == {"code": 400, "message": "x", "status": "FAILED_PRECONDITION"}


def test_an_error_in_a_200_is_trouble() -> None:
    found = DIALECT.parse_completion(b'{"error":{"code":503,"message":"Overloaded.","status":"UNAVAILABLE"}}')

    assert found == Trouble(message="Overloaded.", code="UNAVAILABLE", status=503)


def test_counts_go_both_ways() -> None:
    assert DIALECT.write_count(42) == b'{"totalTokens":42}'
    assert DIALECT.parse_count(b'{"totalTokens":42,"promptTokensDetails":[]}') == 42
    with pytest.raises(ValueError, match="totalTokens"):
        DIALECT.parse_count(b"{}")
