"""What is answered in OpenAI's Responses: whole answers, errors, counts; read from a provider and said to a caller."""

import json
from pathlib import Path
from typing import Any

import official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_responses import HOLDS, NAME, USAGE, answer, frame, message, named
from openai.types.responses import Response
from openai.types.responses.input_token_count_response import InputTokenCountResponse
from vocabulary import PNG, completions

import golden
from flyball.llm.completions import Choice, Completion, Trouble
from flyball.llm.dialects.openai_responses import DIALECT
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

ANSWERS = sorted((golden.ROOT / "answers" / NAME).glob("*.json"))


def written(completion: Completion, losses: Losses | None = None, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        DIALECT.write_completion(completion, frame(**fields), losses or Losses("the caller"))
    )
    return found


def parsed(**fields: Any) -> Completion:
    whole = {"id": "resp_1", "model": "gpt-5", "status": "completed", "output": [], **fields}
    found = DIALECT.parse_completion(json.dumps(whole).encode())
    assert isinstance(found, Completion)
    return found


@given(completions(HOLDS))
@settings(max_examples=150, deadline=None)
def test_what_is_answered_is_read_back_the_same(completion: Completion) -> None:
    found = DIALECT.parse_completion(DIALECT.write_completion(completion, frame(), Losses(NAME)))

    assert isinstance(found, Completion)
    (choice,), (meant,) = found.choices, completion.choices
    assert named(choice.parts) == named(meant.parts)
    refused = any(isinstance(part, Refusal) for part in meant.parts) and meant.stop.reason == "stop"
    assert choice.stop.reason == ("refusal" if refused else meant.stop.reason)
    assert found.usage == completion.usage


@given(completions(HOLDS))
@settings(max_examples=60, deadline=None)
def test_the_official_client_takes_every_answer(completion: Completion) -> None:
    heard = official.judge_answer(NAME, written(completion))

    assert heard.text == completion.text


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(
        ["message", "reasoning", "function_call", "output_text", "refusal", "completed", "failed", "incomplete"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["type", "output", "content", "summary", "call_id", "name", "arguments", "text", "annotations", "id", "status",
             "usage", "error", "incomplete_details", "logprobs", "encrypted_content", "result", "tool_usage", "reason"]
        ), inner, max_size=6,
    ),
    max_leaves=14,
))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_nonsense_is_a_value_error(value: Any) -> None:
    for body in (value, {"output": value}, {"output": [value], "status": "completed"}, {"output": [], "usage": value}):
        try:
            found = DIALECT.parse_completion(json.dumps(body).encode())
        except ValueError:
            continue
        if isinstance(found, Completion):
            DIALECT.write_completion(found, frame(), Losses(NAME))


@pytest.mark.parametrize(
    "path",
    [path for path in ANSWERS if "fail" not in path.stem and "no-output" not in path.stem],
    ids=lambda path: path.stem,
)
def test_every_fixture_is_an_answer_that_the_official_client_takes(path: Path) -> None:
    body = json.loads(path.read_text())["given"]
    if "nulls" in path.stem or "error" in path.stem:
        return  # servers that are like OpenAI's say less than its types ask for

    Response.model_validate_json(json.dumps(body), strict=True)


# -- read


def test_a_messages_parts_are_texts_of_their_own() -> None:
    found = parsed(output=[message({"type": "output_text", "text": "One."}, {"type": "output_text", "text": "Two."})])

    assert found.choices[0].parts == (Text(text="One."), Text(text="Two."))


def test_a_call_makes_the_stop_one_of_calls_though_the_status_says_completed() -> None:
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": '{"z": 1.0}'}

    found = parsed(output=[call]).choices[0]

    assert found.parts == (ToolCall(id="call_1", name="look", arguments='{"z": 1.0}'),)
    assert found.stop == Stop(reason="tool_calls", native="completed")


@pytest.mark.parametrize(
    ("reason", "meant"),
    [
        ("max_output_tokens", "max_tokens"),
        ("content_filter", "content_filter"),
        ("brand_new", "other"),
        (None, "max_tokens"),  # cut all the same: never told as an answer that is whole
    ],
)
def test_an_incomplete_answer_says_why(reason: str | None, meant: str) -> None:
    found = parsed(status="incomplete", incomplete_details={"reason": reason}).choices[0].stop

    assert (found.reason, found.native) == (meant, reason or "incomplete")


def test_the_paragraphs_of_a_thought_and_its_seal_are_one_part() -> None:
    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]

    found = parsed(output=[{"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAA"}])

    signature = Signature(data="gAAA", origin="openai", id="rs_1")
    assert found.choices[0].parts == (Thinking(text="One.\n\nTwo.", signature=signature),)


def test_what_a_thought_says_besides_its_summary_is_told_too() -> None:
    pieces = {
        "summary": [{"type": "summary_text", "text": "One."}],
        "content": [{"type": "reasoning_text", "text": "Raw."}],
    }

    (thought,) = parsed(output=[{"type": "reasoning", "id": "rs_1", **pieces}]).choices[0].parts

    assert thought == Thinking(text="One.\n\nRaw.")


def test_what_only_this_dialect_says_of_an_item_is_named_but_for_the_usual() -> None:
    caller = {"type": "program", "caller_id": "prog_1"}
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}", "caller": caller}
    usual = {**call, "call_id": "call_2", "caller": {"type": "direct"}}
    output = [{**message(), "phase": "commentary"}, {**message(), "phase": "final_answer"}, call, usual]

    assert parsed(output=output).leftovers == ("output[0].phase", "output[2].caller")


def test_results_among_the_items_and_meaning_at_the_top_are_named() -> None:
    result = {"type": "function_call_output", "call_id": "call_1", "output": "x"}

    found = parsed(output=[result], moderation={"input": {"flagged": True}}, input_transformations=[{"type": "cut"}])

    assert found.leftovers == ("output[0]", "moderation", "input_transformations")


@pytest.mark.parametrize(
    "odd",
    [
        {"usage": []},
        {"service_tier": {"name": "flex"}},
        {"incomplete_details": "none"},
        {"error": {}},
        {"error": False},
        {"error": ""},
        {"status": None},
    ],
)
def test_an_odd_field_beside_the_words_costs_no_answer(odd: dict[str, Any]) -> None:
    found = parsed(output=[message({"type": "output_text", "text": "A door."})], **odd)

    assert (found.text, found.choices[0].stop.reason, found.service_tier) == ("A door.", "stop", "")


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
def test_an_answer_that_is_not_finished_is_none(status: str) -> None:
    with pytest.raises(ValueError, match=status):
        parsed(status=status)


def test_what_the_provider_did_itself_is_named_and_its_searches_are_counted() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    usage = {"input_tokens": 3, "output_tokens": 4}

    found = parsed(output=[search], usage=usage, tool_usage={"web_search": {"num_requests": 2}})

    assert found.choices[0].parts == (Native(dialect=NAME, kind="web_search_call", raw=search),)
    assert found.leftovers == ("output[0]",)
    assert found.usage == Usage(input_tokens=3, output_tokens=4, web_searches=2)


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        ({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "Slow."}}, ("Slow.", "rate_limit_exceeded", 429)),
        ({"status": "failed", "error": {"code": "invalid_image", "message": "No."}}, ("No.", "invalid_image", 400)),
        ({"status": "failed"}, ("no message", "", 0)),
        ({"error": "it broke"}, ("it broke", "", 0)),
        ({"error": {"message": "Bad.", "type": "server_error", "code": 502}}, ("Bad.", "502", 502)),
    ],
)  # fmt: skip
def test_a_failure_in_a_200_is_one(body: dict[str, Any], trouble: tuple[str, str, int]) -> None:
    found = DIALECT.parse_completion(json.dumps(body).encode())

    assert isinstance(found, Trouble)
    assert (found.message, found.code, found.status) == trouble


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"", b"<html>", b'{"output": 7}', b'{"output": [{"type": "function_call"}]}']
)
def test_what_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        DIALECT.parse_completion(body)


# -- said


def test_an_answer_has_all_that_the_official_type_asks_for() -> None:
    found = Response.model_validate_json(json.dumps(written(answer(Text(text="A door."), usage=USAGE))), strict=True)

    assert (found.id, found.model, found.status, found.output_text) == ("resp_ID", "fast", "completed", "A door.")
    assert found.usage is not None
    assert (found.usage.input_tokens, found.usage.input_tokens_details.cached_tokens) == (100, 80)
    assert (found.usage.output_tokens, found.usage.output_tokens_details.reasoning_tokens) == (9, 4)


def test_what_was_asked_is_echoed_in_the_callers_own_bytes_and_nothing_is_said_to_be_kept() -> None:
    tool = {"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}
    fields = {
        "instructions": "Be brief.", "tools": [tool], "tool_choice": "required", "temperature": 0.5, "top_p": None,
        "parallel_tool_calls": False, "metadata": {"a": "b"}, "max_output_tokens": 50, "reasoning": {"effort": "low"},
        "store": True,
    }  # fmt: skip
    asked = DIALECT.ask(json.dumps({"model": "fast", "input": "x", **fields}).encode())

    body = written(answer(Text(text="A door.")), asked=asked)

    assert {name: body[name] for name in fields} == {**fields, "store": False}
    Response.model_validate_json(json.dumps(body), strict=True)


def test_a_question_in_another_dialect_is_not_echoed() -> None:
    asked = golden.dialect("openai_chat").ask(b'{"model": "fast", "messages": [], "tools": "odd", "temperature": 9}')

    body = written(answer(Text(text="A door.")), asked=asked)

    assert (body["tools"], body["temperature"]) == ([], None)


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("stop_sequence", "completed", None),
        ("pause", "completed", None),
        ("other", "completed", None),
        ("max_tokens", "incomplete", "max_output_tokens"),
        ("context", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("refusal", "incomplete", "content_filter"),
    ],
)
def test_every_reason_has_its_status(reason: StopReason, status: str, why: str | None) -> None:
    body = written(answer(Text(text="A"), reason=reason))

    assert (body["status"], (body["incomplete_details"] or {}).get("reason")) == (status, why)


def test_a_refusal_in_words_is_complete() -> None:
    body = written(answer(Refusal(text="No."), reason="refusal"))

    assert body["status"] == "completed"
    assert body["output"][0]["content"] == [{"type": "refusal", "refusal": "No."}]


def test_texts_that_follow_each_other_are_one_message_and_items_have_names_of_their_kinds() -> None:
    parts = (Text(text="One."), Text(text="Two."), ToolCall(id="call_1", name="look"), Text(text="Three."))

    output = written(answer(*parts, reason="tool_calls"))["output"]

    assert [(item["id"], item["type"]) for item in output] == [
        ("msg_ID_0", "message"),
        ("fc_ID_1", "function_call"),
        ("msg_ID_2", "message"),
    ]
    assert [part["text"] for part in output[0]["content"]] == ["One.", "Two."]
    assert output[1]["arguments"] == "{}"


def test_openais_thought_keeps_its_name_and_anybody_elses_travels_in_an_envelope() -> None:
    own = Thinking(text="Hm.", signature=Signature(data="gAAA", origin="openai", id="rs_9"))
    other = Thinking(text="Hm?", signature=Signature(data="EqQB", origin="anthropic"))

    first, second = written(answer(own, other))["output"]

    assert (first["id"], first["encrypted_content"]) == ("rs_9", "gAAA")
    assert (second["id"], second["encrypted_content"]) == ("rs_ID_1", "flyball:anthropic:::EqQB")


def test_an_image_is_an_item_of_its_own() -> None:
    (item,) = written(answer(Media(kind="image", media_type="image/webp", data=PNG)))["output"]

    assert item == {
        "id": "ig_ID_0",
        "type": "image_generation_call",
        "status": "completed",
        "result": PNG,
        "output_format": "webp",
    }


def test_sources_are_places_in_the_text() -> None:
    cited = Text(text="A door.", citations=(Citation(url="https://example.org", title="Doors", quote="a door"),))

    (part,) = written(answer(cited))["output"][0]["content"]

    place = {"start_index": 0, "end_index": 7, "title": "Doors", "url": "https://example.org", "content": "a door"}
    assert part["annotations"] == [{"type": "url_citation", **place}]


def test_what_cannot_be_said_is_named() -> None:
    losses = Losses("the caller")
    document = Citation(kind="document", title="A paper", dialect="anthropic_messages")
    completion = answer(
        Text(text="A", citations=(document,)),
        Media(kind="audio", data="AAAA"),
        leftovers=("container",),
        service_tier="standard_only",
    )
    completion.choices += (Choice(parts=(Text(text="B"),), stop=Stop(reason="stop"), index=1),)

    written(completion, losses)

    assert set(losses.dropped) == {"citations", "audio", "container", "service_tier", "choices[1]"}


def test_log_probabilities_have_the_bytes_of_their_tokens() -> None:
    completion = answer(Text(text="é"))
    completion.choices[0].logprobs = {"content": [{"token": "é", "logprob": -0.5, "bytes": None, "top_logprobs": []}]}

    body = written(completion)

    (logprob,) = Response.model_validate_json(json.dumps(body), strict=True).output[0].content[0].logprobs  # type: ignore[union-attr] # a message's text
    assert logprob.bytes == [0xC3, 0xA9]


@pytest.mark.parametrize("others", [None, 7, [7], "x"])
def test_log_probabilities_of_nobodys_shape_break_nothing(others: Any) -> None:
    choice = Choice(
        parts=(Text(text="Hi"),),
        stop=Stop(reason="stop"),
        logprobs={"content": [{"token": "Hi", "logprob": -1.0, "top_logprobs": others}, 7]},
    )

    content = written(Completion(choices=(choice,)))["output"][0]["content"]

    assert content[0]["logprobs"] == [{"token": "Hi", "logprob": -1.0, "top_logprobs": [], "bytes": [72, 105]}]


@pytest.mark.parametrize("others", [None, 7, [7], "x"])
def test_log_probabilities_of_nobodys_shape_are_not_told(others: Any) -> None:
    sound = {"token": "Hi", "logprob": -1.0, "bytes": [72, 105], "top_logprobs": others}
    part = {"type": "output_text", "text": "Hi", "logprobs": [sound, 7, {"token": 7}]}

    found = parsed(output=[message(part)]).choices[0].logprobs

    assert found["content"] == [{**sound, "top_logprobs": []}]


def test_no_two_items_have_the_same_name() -> None:
    thought = Thinking(text="Hm.", signature=Signature(data="gAAA", origin="openai", id="rs_1"))

    first, second = written(answer(thought, thought))["output"]

    assert (first["id"], first["encrypted_content"]) == ("rs_1", "gAAA")
    assert (second["id"], second["encrypted_content"]) == ("rs_ID_1", "flyball:openai::rs_1:gAAA")


def test_what_the_gateway_adds_stands_at_the_top() -> None:
    assert written(answer(Text(text="A")), extra={"flyball": {"function": "triage"}})["flyball"] == {
        "function": "triage"
    }


# -- errors and counts


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"message": "No key.", "type": "invalid_request_error", "code": "invalid_api_key"}}', ("No key.", "invalid_api_key", 401)),
        (b'{"error": {"message": "Full.", "type": "insufficient_quota", "code": "insufficient_quota"}}', ("Full.", "insufficient_quota", 429)),
        (b'{"error": {"message": "Odd.", "type": null, "code": null}}', ("Odd.", "", 0)),
        (b'{"error": {"message": "Busy.", "code": 503}}', ("Busy.", "503", 503)),
    ],
)  # fmt: skip
def test_an_error_is_read(body: bytes, expected: tuple[str, str, int]) -> None:
    trouble = DIALECT.parse_error(body)

    assert trouble is not None
    assert (trouble.message, trouble.code, trouble.status) == expected


def test_an_error_names_its_field() -> None:
    body = json.loads(DIALECT.error(400, "no such tool", code="invalid_body", param="tool_choice"))

    assert body == {
        "error": {
            "message": "no such tool",
            "type": "invalid_request_error",
            "param": "tool_choice",
            "code": "invalid_body",
        }
    }


def test_a_count_is_what_the_official_client_takes() -> None:
    body = DIALECT.write_count(42)

    assert InputTokenCountResponse.model_validate_json(body, strict=True).input_tokens == 42
    assert DIALECT.parse_count(body) == 42
