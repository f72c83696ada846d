"""What Bedrock is asked: every body is judged by Amazon's own service model."""

from typing import Any

import msgspec
import pytest
from bedrock_oracle import judge, judge_request
from hypothesis import given, settings
from hypothesis import strategies as st
from vocabulary import PDF, PNG, Holds, requests

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialects.bedrock_converse import DIALECT
from flyball.llm.errors import CannotCarryError, InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Cache,
    Citation,
    Media,
    Message,
    Native,
    NativeTool,
    Part,
    Reasoning,
    Request,
    ResponseFormat,
    Signature,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

HELLO = Message(role="user", parts=(Text(text="Hello"),))
WEATHER = Tool(name="weather", description="The weather", parameters=msgspec.Raw(b'{"type":"object","b":1,"a":2}'))
CALLED = (
    HELLO,
    Message(role="assistant", parts=(ToolCall(id="call_1", name="weather", arguments='{"city": "Paris"}'),)),
    Message(role="tool", parts=(ToolResult(call_id="call_1", parts=(Text(text="sunny"),)),)),
)
ADAPTIVE = Quirks(thinking="adaptive")
NOVA = Quirks(thinking="none")
SIGNED = Thinking(text="Hm.", signature=Signature(data="sig==", origin="anthropic"))


def written(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body of a request, judged, and what was dropped."""
    losses = Losses("bedrock")
    request = Request(dialect="openai_chat", model="m", messages=messages or (HELLO,), **fields)
    raw = DIALECT.write_request(request, model="m", quirks=quirks or Quirks(), losses=losses)
    body = msgspec.json.decode(raw)
    judge_request(body)
    return body, losses.dropped


def refused(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> str:
    """The field for which a request is refused."""
    request = Request(dialect="openai_chat", model="m", messages=messages or (HELLO,), **fields)
    with pytest.raises(CannotCarryError) as caught:
        DIALECT.write_request(request, model="m", quirks=quirks or Quirks(), losses=Losses("bedrock"))
    return caught.value.param


def user(*parts: Part) -> Message:
    return Message(role="user", parts=parts)


def test_instructions_are_hoisted_in_order_wherever_they_stood() -> None:
    body, dropped = written(
        Message(role="system", parts=(Text(text="one", cache=Cache(ttl="1h")),)),
        HELLO,
        Message(role="developer", parts=(Text(text="two"),)),
    )

    assert body["system"] == [{"text": "one"}, {"cachePoint": {"type": "default", "ttl": "1h"}}, {"text": "two"}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "Hello"}]}]
    assert dropped == ()


def test_turns_of_one_role_are_merged_and_empty_texts_left_out() -> None:
    body, _ = written(
        HELLO, Message(role="assistant", parts=(Text(text=" \n"),)), user(Text(text=""), Text(text="you"))
    )

    assert body["messages"] == [{"role": "user", "content": [{"text": "Hello"}, {"text": "you"}]}]


def test_results_of_parallel_calls_make_one_turn_before_what_the_user_says() -> None:
    body, _ = written(
        HELLO,
        Message(role="assistant", parts=(ToolCall(id="a", name="f"), ToolCall(id="b", name="g", arguments='{"x":1}'))),
        Message(role="tool", parts=(ToolResult(call_id="a", parts=(Text(text="1"),), is_error=True),)),
        user(Text(text="and?")),
        Message(role="tool", parts=(ToolResult(call_id="b", is_error=False, cache=Cache()),)),
        tools=(Tool(name="f"), Tool(name="g")),
    )

    assert body["messages"][1]["content"][0] == {"toolUse": {"toolUseId": "a", "name": "f", "input": {}}}
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "a", "content": [{"text": "1"}], "status": "error"}},
        {"toolResult": {"toolUseId": "b", "content": [], "status": "success"}},
        {"cachePoint": {"type": "default"}},
        {"text": "and?"},
    ]


def test_ids_that_bedrock_refuses_are_replaced_alike_in_call_and_result() -> None:
    odd = "call:1|" + "x" * 80
    body, dropped = written(
        HELLO,
        Message(role="assistant", parts=(ToolCall(id=odd, name="f"),)),
        Message(role="tool", parts=(ToolResult(call_id=odd),)),
    )

    asked, answered = body["messages"][1]["content"][0], body["messages"][2]["content"][0]
    assert asked["toolUse"]["toolUseId"] == answered["toolResult"]["toolUseId"] != odd
    assert dropped == ()


def test_tools_stand_in_where_the_conversation_has_calls_and_the_request_has_none() -> None:
    body, _ = written(*CALLED)

    spec = {"name": "weather", "inputSchema": {"json": {"type": "object", "properties": {}}}}
    assert body["toolConfig"] == {"tools": [{"toolSpec": spec}]}


def test_schemas_keep_their_bytes() -> None:
    losses = Losses("bedrock")
    request = Request(dialect="openai_chat", model="m", messages=(HELLO,), tools=(WEATHER,))

    raw = DIALECT.write_request(request, model="m", quirks=Quirks(), losses=losses)

    assert b'"inputSchema":{"json":{"type":"object","b":1,"a":2}}' in raw
    assert raw == DIALECT.write_request(request, model="m", quirks=Quirks(), losses=losses)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice(mode="auto"), (["weather", "other"], {"auto": {}})),
        (ToolChoice(mode="required"), (["weather", "other"], {"any": {}})),
        (ToolChoice(mode="required", tools=("other",)), (["weather", "other"], {"tool": {"name": "other"}})),
        (ToolChoice(mode="auto", tools=("other",)), (["other"], {"auto": {}})),
    ],
)
def test_which_tools_are_called_is_said_by_the_choice_or_by_what_is_offered(choice: ToolChoice, expected: Any) -> None:
    body, dropped = written(tools=(WEATHER, Tool(name="other")), tool_choice=choice)

    config = body["toolConfig"]
    assert ([tool["toolSpec"]["name"] for tool in config["tools"]], config.get("toolChoice")) == expected
    assert dropped == ()


def test_tools_that_must_not_be_called_are_not_offered_unless_the_conversation_has_calls() -> None:
    none = ToolChoice(mode="none")
    body, dropped = written(tools=(WEATHER,), tool_choice=none)
    with_calls, named = written(*CALLED, tools=(WEATHER,), tool_choice=none)

    assert "toolConfig" not in body
    assert dropped == ()
    assert with_calls["toolConfig"]["tools"][0]["toolSpec"]["name"] == "weather"
    assert named == ("tool_choice",)


def test_tools_have_cache_points_and_strictness() -> None:
    tool = Tool(name="f", strict=True, cache=Cache())
    body, dropped = written(tools=(tool,), parallel_tool_calls=False)
    lax, named = written(tools=(tool,), quirks=Quirks(strict_tools=False))

    assert body["toolConfig"]["tools"][0]["toolSpec"]["strict"] is True
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}
    assert dropped == ("parallel_tool_calls",)
    assert "strict" not in lax["toolConfig"]["tools"][0]["toolSpec"]
    assert named == ("tools[0].strict",)


def test_signed_thoughts_go_back_and_others_are_named() -> None:
    redacted = Thinking(redacted=True, signature=Signature(data="QUJD", origin="anthropic"))
    theirs = Thinking(text="?", signature=Signature(data="x", origin="openai"))
    thoughts = (SIGNED, redacted, theirs, Thinking(text="plain"))
    call = ToolCall(id="call_1", name="weather", signature=Signature(data="g", origin="google"))

    body, dropped = written(HELLO, Message(role="assistant", parts=(*thoughts, call)), CALLED[2])

    assert body["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "sig=="}}},
        {"reasoningContent": {"redactedContent": "QUJD"}},
        {"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {}}},
    ]
    assert dropped == ("messages[1].content[2]", "messages[1].content[3]", "messages[1].thinking")


def test_media_are_sent_by_value_and_from_s3() -> None:
    body, dropped = written(
        user(
            Media(kind="image", media_type="image/jpg", data=PNG),
            Media(kind="image", url="s3://bucket/a.webp", detail="high"),
            Media(kind="video", media_type="video/quicktime", data="AAAA"),
            Media(kind="audio", media_type="audio/x-wav", data="__-_"),
            Text(text="what?"),
        )
    )

    assert body["messages"][0]["content"][:4] == [
        {"image": {"format": "jpeg", "source": {"bytes": PNG}}},
        {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/a.webp"}}}},
        {"video": {"format": "mov", "source": {"bytes": "AAAA"}}},
        {"audio": {"format": "wav", "source": {"bytes": "//+/"}}},
    ]
    assert dropped == ("messages[0].content[1].image_url.detail",)


def test_documents_have_plain_names_that_differ_and_words_beside_them() -> None:
    pdf = Media(kind="document", media_type="application/pdf", data=PDF, name="John's  report_(2).v1.pdf")
    text = Media(kind="document", media_type="text/plain", text="words", context="old", cite=True)

    body, _ = written(user(pdf, pdf, text))

    assert body["messages"][0]["content"] == [
        {"text": "John s report (2) v1"},
        {"document": {"format": "pdf", "name": "John s report (2) v1", "source": {"bytes": PDF}}},
        {"document": {"format": "pdf", "name": "John s report (2) v1 2", "source": {"bytes": PDF}}},
        {
            "document": {
                "format": "txt",
                "name": "document",
                "source": {"text": "words"},
                "context": "old",
                "citations": {"enabled": True},
            }
        },
    ]


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="image", url="https://example.org/a.png"),
        Media(kind="image", file_id="file_1"),
        Media(kind="image", media_type="image/tiff", data="AAAA"),
        Native(dialect="openai_responses", kind="item_reference", raw={}),
    ],
)
def test_what_the_user_shows_and_bedrock_cannot_see_is_refused(part: Part) -> None:
    assert refused(user(Text(text="see"), part)) == "messages[0].content[1]"


def test_a_recording_is_no_result_of_a_tool() -> None:
    result = ToolResult(call_id="call_1", parts=(Media(kind="audio", media_type="audio/mp3", data="AAAA"),))

    assert refused(*CALLED[:2], Message(role="tool", parts=(result,))) == "messages[2].content[0].content[0]"


def test_images_are_results_of_tools() -> None:
    result = ToolResult(call_id="call_1", parts=(Media(kind="image", media_type="image/png", data=PNG),))

    body, _ = written(*CALLED[:2], Message(role="tool", parts=(result,)))

    content = body["messages"][2]["content"][0]["toolResult"]["content"]
    assert content == [{"image": {"format": "png", "source": {"bytes": PNG}}}]


def test_what_only_another_dialect_says_of_an_answer_is_named() -> None:
    cited = Text(text="It is.", citations=(Citation(url="https://example.org"),))
    native = Native(dialect="anthropic_messages", kind="server_tool_use", raw={})

    body, dropped = written(HELLO, Message(role="assistant", name="ann", parts=(cited, native)), HELLO)

    assert body["messages"][1]["content"] == [{"text": "It is."}]
    assert dropped == ("messages[1].name", "messages[1].content[0].citations", "messages[1].content[1]")


def test_arguments_that_are_no_object_are_refused_by_their_path() -> None:
    call = Message(role="assistant", parts=(ToolCall(id="a", name="f", arguments="{"),))

    with pytest.raises(InvalidBodyError, match=r"messages\[1\]\.content\[0\]\.function\.arguments"):
        written(HELLO, call)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"candidates": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"tools": (NativeTool(dialect="openai_chat", kind="web_search", raw={}),)}, "tools[0]"),
        ({"tools": (Tool(name="f", custom=True),)}, "tools[0]"),
        ({"response_format": ResponseFormat(kind="json")}, "response_format"),
        ({"stop": ("a", "b"), "quirks": Quirks(most_stops=1)}, "stop"),
    ],
)
def test_what_the_caller_would_miss_is_refused(fields: dict[str, Any], field: str) -> None:
    assert refused(**fields) == field


def test_what_only_tunes_is_dropped_and_named() -> None:
    body, dropped = written(
        seed=0,
        frequency_penalty=0.5,
        presence_penalty=0.5,
        verbosity="low",
        user="u1",
        store=True,
        service_tier="scale",
        temperature=1.5,
        metadata={"é": "x"},
    )

    assert body == {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
    assert set(dropped) == {
        *("seed", "frequency_penalty", "presence_penalty", "verbosity", "user", "store", "service_tier"),
        *("temperature", "metadata"),
    }


def test_what_bedrock_has_too_is_carried() -> None:
    body, dropped = written(
        max_tokens=10,
        top_p=0.5,
        top_k=4,
        stop=("END",),
        service_tier="flex",
        metadata={"team": "a b"},
        candidates=1,
        logprobs=False,
        response_format=ResponseFormat(kind="schema", schema=msgspec.Raw(b'{"b":1,"a":2}'), name="n", description="d"),
    )

    assert dropped == ()
    assert body["inferenceConfig"] == {"maxTokens": 10, "topP": 0.5, "stopSequences": ["END"]}
    assert body["additionalModelRequestFields"] == {"top_k": 4}
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert body["serviceTier"] == {"type": "flex"}
    assert body["requestMetadata"] == {"team": "a b"}
    schema = {"schema": '{"b":1,"a":2}', "name": "n", "description": "d"}
    assert body["outputConfig"] == {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def test_fields_that_nobody_knows_go_to_the_model_and_bedrocks_own_to_bedrock() -> None:
    extra = {
        "top_k": 9,
        "anthropic_beta": ["context-1m"],
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "additionalModelRequestFields": {"x": 1},
        "inferenceConfig": {"maxTokens": 1},
    }

    body, _ = written(top_k=4, max_tokens=5, extra=extra)

    assert body["guardrailConfig"] == extra["guardrailConfig"]
    assert body["inferenceConfig"] == {"maxTokens": 5}
    assert body["additionalModelRequestFields"] == {
        "top_k": 4,
        "anthropic_beta": ["context-1m"],
        "inferenceConfig": {"maxTokens": 1},
        "x": 1,
    }


@pytest.mark.parametrize(
    ("reasoning", "quirks", "thinking", "effort"),
    [
        (Reasoning(effort="high"), Quirks(), {"type": "enabled", "budget_tokens": 16384}, None),
        (Reasoning(budget=4000), Quirks(), {"type": "enabled", "budget_tokens": 4000}, None),
        (Reasoning(adaptive=True), Quirks(), {"type": "enabled", "budget_tokens": 8192}, None),
        (Reasoning(effort="none"), Quirks(), {"type": "disabled"}, None),
        (Reasoning(effort="none"), NOVA, None, None),
        (Reasoning(effort="minimal", show="auto"), ADAPTIVE, {"type": "adaptive", "display": "summarized"}, "low"),
        (Reasoning(budget=16384), ADAPTIVE, {"type": "adaptive"}, "high"),
        (Reasoning(adaptive=True, show="none"), ADAPTIVE, {"type": "adaptive", "display": "omitted"}, None),
        (Reasoning(budget=-1), ADAPTIVE, {"type": "adaptive"}, None),
    ],
)
def test_how_much_to_think_is_said_in_claudes_words(
    reasoning: Reasoning, quirks: Quirks, thinking: Any, effort: str | None
) -> None:
    body, dropped = written(reasoning=reasoning, quirks=quirks, max_tokens=100_000)

    assert body.get("additionalModelRequestFields", {}).get("thinking") == thinking
    assert body.get("outputConfig", {}).get("effort") == effort
    assert dropped == ()


@pytest.mark.parametrize(
    ("fields", "quirks"),
    [
        ({"reasoning": Reasoning(effort="high")}, NOVA),
        ({"reasoning": Reasoning(effort="high"), "max_tokens": 1000}, Quirks()),
        (
            {"reasoning": Reasoning(effort="high"), "tools": (WEATHER,), "tool_choice": ToolChoice(mode="required")},
            Quirks(),
        ),
    ],
)
def test_thinking_that_cannot_be_is_dropped_and_named(fields: dict[str, Any], quirks: Quirks) -> None:
    body, dropped = written(quirks=quirks, **fields)

    assert "additionalModelRequestFields" not in body
    assert len(dropped) == 1


def test_sampling_that_excludes_thinking_is_dropped_and_named() -> None:
    body, dropped = written(reasoning=Reasoning(effort="low"), temperature=0.5, top_p=0.5, top_k=3)

    assert "inferenceConfig" not in body
    assert set(dropped) == {"temperature", "top_p", "top_k"}


def test_newer_claudes_take_one_way_to_sample_and_others_both() -> None:
    claude, dropped = written(temperature=0.5, top_p=0.5)
    nova, _ = written(temperature=0.5, top_p=0.5, quirks=NOVA)

    assert claude["inferenceConfig"] == {"temperature": 0.5}
    assert dropped == ("top_p",)
    assert nova["inferenceConfig"] == {"temperature": 0.5, "topP": 0.5}


def test_a_budget_leaves_room_for_the_answer_and_says_that_it_shrank() -> None:
    body, dropped = written(reasoning=Reasoning(budget=5000), max_tokens=5000)

    assert body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 3976}
    assert dropped == ("reasoning.max_tokens",)


def test_a_call_that_lost_its_thought_excludes_thinking() -> None:
    body, dropped = written(*CALLED, reasoning=Reasoning(effort="high"), tools=(WEATHER,))
    thought = Message(role="assistant", parts=(SIGNED, *CALLED[1].parts))
    kept, _ = written(HELLO, thought, CALLED[2], reasoning=Reasoning(effort="high"), tools=(WEATHER,))

    assert "additionalModelRequestFields" not in body
    assert len(dropped) == 1
    assert kept["additionalModelRequestFields"]["thinking"]["type"] == "enabled"


def test_the_users_turn_is_the_first_and_where_demanded_the_last() -> None:
    said = Message(role="assistant", parts=(Text(text="I"),))

    assert refused(said) == "messages"
    assert refused(Message(role="system", parts=(Text(text="only"),))) == "messages"
    assert refused(HELLO, said, quirks=Quirks(prefill=False)) == "messages[1]"
    assert written(HELLO, said)[0]["messages"][1]["content"] == [{"text": "I"}]


def test_tokens_are_counted_for_what_counting_knows() -> None:
    request = Request(dialect="openai_chat", model="m", messages=CALLED, max_tokens=5, tools=(WEATHER,), top_k=3)

    raw = DIALECT.write_count_request(request, model="m", quirks=Quirks(), losses=Losses("bedrock"))

    body = msgspec.json.decode(raw or b"")
    judge("CountTokensRequest", {"modelId": "m", **body})
    assert set(body["input"]["converse"]) == {"messages", "toolConfig", "additionalModelRequestFields"}
    assert DIALECT.parse_count(b'{"inputTokens": 7}') == 7


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"inputTokens": "7"}', b"<html>"])
def test_counts_that_are_none_are_nonsense(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        DIALECT.parse_count(body)


EVERYTHING = Holds(
    dialect="openai_chat",
    origin="anthropic",
    redacted=False,
    media=(("image", "data"), ("document", "data"), ("document", "text"), ("video", "data"), ("audio", "data")),
    result_media=(("image", "data"), ("document", "data"), ("document", "text")),
    several_systems=True,
    developer=True,
    caches=("", "5m", "1h"),
    errors=(None, True, False),
    call_ids=st.text(min_size=1, max_size=90),
    fields={"temperature": st.floats(0, 2), "top_k": st.integers(1, 99), "stop": st.just(("END",))},
)


@given(requests(EVERYTHING), st.sampled_from([Quirks(), ADAPTIVE, NOVA]))
@settings(max_examples=60, deadline=None)
def test_whatever_is_asked_amazons_model_takes_it(request: Request, quirks: Quirks) -> None:
    raw = DIALECT.write_request(request, model="m", quirks=quirks, losses=Losses("bedrock"))

    judge_request(msgspec.json.decode(raw))
