"""What is answered in OpenAI's Chat Completions, whole: read from providers that depart from it, and said to callers."""

import json
from typing import Any

import pytest

from flyball.llm.completions import Choice, Completion, Trouble
from flyball.llm.dialect import Frame
from flyball.llm.dialects.openai_chat import DIALECT
from flyball.llm.losses import Losses
from flyball.llm.messages import Citation, Native, Signature, Stop, Text, Thinking, ToolCall

NAME = "openai_chat"
CITED = {"url": "https://a.org", "title": "A", "start_index": 4, "end_index": 9}


def read(message: Any, *, choice: Any = None, **fields: Any) -> Completion:
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop", **(choice or {})}], **fields}
    found = DIALECT.parse_completion(json.dumps(whole).encode())
    assert isinstance(found, Completion)
    return found


def said(*parts: Any, stop: Stop | None = None, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A whole answer, and what was lost of it."""
    losses = Losses("the caller")
    completion = Completion(choices=(Choice(parts=parts, stop=stop or Stop(reason="stop")),), **fields)
    body = DIALECT.write_completion(completion, Frame(id="ID", created=0, model="m"), losses)
    return json.loads(body), losses.dropped


# -- read: thoughts


def test_words_of_a_thought_beside_details_that_nobody_can_read_are_read() -> None:
    sealed = {"type": "reasoning.encrypted", "data": "QUJD", "format": "google-gemini-v1"}

    parts = read({"content": "Hi", "reasoning": "It greets.", "reasoning_details": [sealed]}).choices[0].parts

    seal = Thinking(signature=Signature(data="QUJD", origin="google"), redacted=True)
    assert parts == (Thinking(text="It greets."), seal, Text(text="Hi"))


def test_words_of_a_thought_that_stand_in_its_details_too_are_read_once() -> None:
    detail = {"type": "reasoning.text", "text": "It greets.", "signature": "c2ln", "format": "anthropic-claude-v1"}

    parts = read({"content": "Hi", "reasoning": "It greets.", "reasoning_details": [detail]}).choices[0].parts

    signed = Thinking(text="It greets.", signature=Signature(data="c2ln", origin="anthropic"))
    assert parts == (signed, Text(text="Hi"))


def test_thinking_blocks_of_litellm_are_thoughts_with_their_signatures() -> None:
    blocks = [
        {"type": "thinking", "thinking": "It ", "signature": "b25l"},
        {"type": "thinking", "thinking": "greets.", "signature": "dHdv"},
        {"type": "redacted_thinking", "data": "cmVk"},
    ]

    parts = read({"content": "Hi", "reasoning_content": "It greets.", "thinking_blocks": blocks}).choices[0].parts

    assert parts == (
        Thinking(text="It ", signature=Signature(data="b25l", origin="anthropic")),
        Thinking(text="greets.", signature=Signature(data="dHdv", origin="anthropic")),
        Thinking(signature=Signature(data="cmVk", origin="anthropic"), redacted=True),
        Text(text="Hi"),
    )


@pytest.mark.parametrize("name", ["reasoning_details", "thinking_blocks"])
def test_details_that_make_no_sense_are_named_and_cost_nothing_else(name: str) -> None:
    found = read({"content": "Hi", "reasoning": "It greets.", name: [{"type": 5}]})

    assert found.choices[0].parts == (Thinking(text="It greets."), Text(text="Hi"))
    assert found.leftovers == (name,)


# -- read: what nobody reads


@pytest.mark.parametrize(
    ("message", "fields", "names"),
    [
        ({}, {"citations": ["https://a.org"], "search_results": [{"url": "x"}]}, ("citations", "search_results")),
        ({"provider_specific_fields": {"a": 1}}, {}, ("choices[0].message.provider_specific_fields",)),
        ({"weird": 0, "odd": False}, {}, ("choices[0].message.weird", "choices[0].message.odd")),
        ({"audio": {"id": "audio_1", "data": "QUJD", "transcript": "Hi"}}, {}, ("audio",)),
        ({"annotations": [{"type": "file_citation", "file_citation": {}}]}, {}, ("annotations",)),
        ({"weird": None, "odd": [], "strange": {}, "funny": ""}, {"novel": None}, ()),
        ({}, {"object": "chat.completion", "created": 1, "system_fingerprint": "fp", "service_tier": "default"}, ()),
        ({}, {"provider": "Acme", "timings": {"x": 1}, "x_groq": {"id": "1"}, "obfuscation": "xx"}, ()),
    ],
)
def test_what_nobody_reads_is_named_unless_it_is_nothing_to_anybody(
    message: dict[str, Any], fields: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert read({"content": "Hi", **message}, **fields).leftovers == names


def test_what_nobody_reads_of_a_call_and_of_a_choice_is_named() -> None:
    call = {"id": "a", "function": {"name": "look", "arguments": "{}", "extra": 1}, "extra_content": {"google": {}}}

    found = read({"tool_calls": [call]}, choice={"content_filter_results": {"hate": {"filtered": False}}})

    assert found.leftovers == (
        "choices[0].message.tool_calls[0].function.extra",
        "choices[0].message.tool_calls[0].extra_content",
        "choices[0].content_filter_results",
    )
    assert found.choices[0].parts == (ToolCall(id="a", name="look", arguments="{}"),)


def test_a_recording_is_kept_and_named() -> None:
    found = read({"content": None, "audio": {"id": "audio_1"}})

    assert found.choices[0].parts == (Native(dialect=NAME, kind="audio", raw={"id": "audio_1"}),)
    assert found.leftovers == ("audio",)


# -- read: odd, and harmless


@pytest.mark.parametrize("none", [False, None, "", {}, [], 0])
def test_an_error_that_is_none_is_none(none: Any) -> None:
    assert read({"content": "Hi"}, choice={"error": none}, error=none).text == "Hi"


@pytest.mark.parametrize("error", [True, "boom", {"message": "boom"}, {"code": 500}])
def test_an_error_that_is_one_is_told(error: Any) -> None:
    whole = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "error": error}

    assert isinstance(DIALECT.parse_completion(json.dumps(whole).encode()), Trouble)


@pytest.mark.parametrize(
    ("message", "choice", "fields"),
    [
        ({}, {"index": None}, {}),
        ({}, {"index": 0.0}, {}),
        ({}, {"finish_reason": 5}, {}),
        ({}, {}, {"id": 5, "model": None, "service_tier": {"a": 1}, "usage": []}),
        ({"annotations": {}, "audio": {}, "images": {}}, {}, {}),
        ({"reasoning_details": [{"type": None, "index": "0"}]}, {}, {}),
        ({"tool_calls": []}, {}, {}),
    ],
)
def test_odd_shapes_that_do_no_harm_cost_nothing(message: Any, choice: Any, fields: Any) -> None:
    assert read({"content": "Hi", **message}, choice=choice, **fields).text == "Hi"


def test_ids_and_indexes_of_calls_may_be_of_any_kind() -> None:
    calls = [
        {"id": 5, "index": "0", "function": {"name": "look", "arguments": "{}"}},
        {"id": 6, "index": "1", "function": {"name": "look", "arguments": '{"z":1}'}},
    ]

    parts = read({"tool_calls": calls}).choices[0].parts

    assert [(part.id, part.arguments) for part in parts if isinstance(part, ToolCall)] == [
        ("5", "{}"),
        ("6", '{"z":1}'),
    ]


def test_half_a_character_is_a_replacement_and_no_failure() -> None:
    body = (
        rb'{"choices":[{"message":{"content":"a\ud83d b \ud83d\ude00 \ude00","\ud83d":null},"finish_reason":"stop"}]}'
    )

    found = DIALECT.parse_completion(body)

    assert isinstance(found, Completion)
    assert found.text == "a\ufffd b \U0001f600 \ufffd"


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"", b"{}", b'{"choices":null}', b'{"choices":{}}', b'{"choices":[1]}', b"\xff"]
)
def test_what_is_no_answer_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- msgspec's, json's and our own
        DIALECT.parse_completion(body)


def test_sglang_says_which_sequence_was_met_too() -> None:
    stop = read({"content": "Hi"}, choice={"matched_stop": "END"}).choices[0].stop

    assert stop == Stop(reason="stop_sequence", sequence="END", native="stop")


# -- citations, both ways


def test_offsets_of_citations_are_those_of_their_text_and_come_back_as_those_of_the_content() -> None:
    annotation = {"type": "url_citation", "url_citation": {**CITED, "start_index": 10, "end_index": 15}}
    content = [
        {"type": "text", "text": "Wait. "},
        {"type": "thinking", "thinking": "Hm."},
        {"type": "text", "text": "See a.org."},
    ]

    completion = read({"content": content, "annotations": [annotation]})
    body, lost = said(*completion.choices[0].parts)

    cited = Citation(url="https://a.org", title="A", start=4, end=9)
    assert completion.choices[0].parts[-1] == Text(text="See a.org.", citations=(cited,))
    assert body["choices"][0]["message"]["annotations"] == [annotation]
    assert lost == ()


def test_a_citation_of_an_earlier_text_is_kept_and_its_offsets_are_named() -> None:
    content = [
        {"type": "text", "text": "See a.org."},
        {"type": "thinking", "thinking": "Hm."},
        {"type": "text", "text": "Done."},
    ]

    found = read({"content": content, "annotations": [{"type": "url_citation", "url_citation": CITED}]})

    assert found.choices[0].parts[-1] == Text(text="Done.", citations=(Citation(url="https://a.org", title="A"),))
    assert found.leftovers == ("annotations.start_index",)


def test_a_text_that_is_cited_as_a_whole_is_cited_to_its_end() -> None:
    cited = Citation(url="https://a.org", title="A")

    body, _ = said(Text(text="Wait. "), Text(text="See a.org.", citations=(cited,)))

    (annotation,) = body["choices"][0]["message"]["annotations"]
    assert annotation["url_citation"] == {**CITED, "start_index": 6, "end_index": 16}


# -- said


@pytest.mark.parametrize(
    ("stop", "reason", "lost"),
    [
        (Stop(reason="stop_sequence", sequence="END", native="stop_sequence"), "stop", ("stop_sequence",)),
        (Stop(reason="pause", native="pause_turn"), "stop", ("stop_reason",)),
        (Stop(reason="other", native="brand_new"), "stop", ("stop_reason",)),
        (Stop(reason="other"), "stop", ()),
        (Stop(reason="context", native="model_context_window_exceeded"), "length", ("stop_reason",)),
        (Stop(reason="max_tokens", native="max_tokens"), "length", ()),
        (Stop(reason="refusal", native="refusal"), "content_filter", ()),
    ],
)
def test_why_an_answer_ended_is_said_or_named(stop: Stop, reason: str, lost: tuple[str, ...]) -> None:
    body, dropped = said(Text(text="Hi"), stop=stop)

    assert body["choices"][0]["finish_reason"] == reason
    assert dropped == lost


@pytest.mark.parametrize(("tier", "word", "lost"), [("standard", "default", ()), ("batch", None, ("service_tier",))])
def test_which_service_answered_is_said_or_named(tier: str, word: str | None, lost: tuple[str, ...]) -> None:
    body, dropped = said(Text(text="Hi"), service_tier=tier)

    assert body.get("service_tier") == word
    assert dropped == lost
