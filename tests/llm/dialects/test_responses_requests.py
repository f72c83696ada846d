"""What is asked in OpenAI's Responses: read into the vocabulary and said again, for those who call and for those who are called."""

import json
from pathlib import Path
from typing import Any

import msgspec
import official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import input_token_count_params
from pydantic import TypeAdapter
from vocabulary import PNG, SCHEMAS, Holds, requests

import golden
from flyball.kit.errors import InvalidInputError
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialects.openai_responses import DIALECT
from flyball.llm.errors import CannotCarryError, InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Cache,
    Media,
    Message,
    Native,
    Reasoning,
    Request,
    Signature,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

NAME = "openai_responses"
REQUESTS = sorted((golden.ROOT / "requests" / NAME).glob("*.json"))
# Fixtures that are no requests of OpenAI's own: mistakes, what only servers like OpenAI's take, what is too new to have a type.
NOT_OPENAIS = frozenset(
    (
        *("wrong-role", "unknown-item", "unknown-content", "unknown-field-passes-through", "audio-in"),
        *("thought-without-seal", "nulls-say-nothing", "strict-unsaid", "call-without-arguments", "deep-strict-schema"),
    )
)
SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAsealed=="}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "a wall"}
USER = {"role": "user", "content": "Why?"}
LOOK = Tool(name="look", parameters=msgspec.Raw(b'{"type":"object","properties":{}}'))
HOLDS = Holds(
    dialect=NAME,
    origin="openai",
    redacted=True,
    media=tuple((kind, source) for kind in ("image", "document") for source in ("data", "url", "file")),
    result_media=(("image", "data"), ("image", "url"), ("document", "file")),
    several_systems=True,
    developer=True,
    named_results=True,
    strict_tools=(True, False),
    formats=("json", "schema"),
    format_names=True,
    reasoning=st.builds(
        Reasoning, effort=st.sampled_from(["none", "low", "xhigh"]), show=st.sampled_from(["", "auto", "detailed"])
    ),
    fields={
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 50),
        "seed": st.integers(0, 9),
        "top_logprobs": st.integers(0, 20),
        "logprobs": st.just(True),
        "presence_penalty": st.floats(-2, 2),
        "store": st.just(value=False),
        "metadata": st.dictionaries(st.text("ab", min_size=1), st.text("xy"), max_size=2),
    },
)


def parsed(input_: Any = "Why?", **fields: Any) -> Request:
    return DIALECT.parse_request(DIALECT.ask(json.dumps({"model": "m", "input": input_, **fields}).encode()))


def written(request: Request, *, model: str = "gpt-5", losses: Losses | None = None, **quirks: Any) -> dict[str, Any]:
    body = DIALECT.write_request(request, model=model, quirks=Quirks(**quirks), losses=losses or Losses("x"))
    found: dict[str, Any] = json.loads(body)
    return found


def asked(*messages: Message, **fields: Any) -> Request:
    """By a caller of chat."""
    said = messages or (Message(role="user", parts=(Text(text="Why?"),)),)
    return Request(dialect="openai_chat", model="m", messages=said, **fields)


def plain(request: Request) -> Request:
    """Without what only this dialect says of its items, and where they stood."""
    turns = []
    for message in request.messages:
        parts = [
            msgspec.structs.replace(part, signature=msgspec.structs.replace(part.signature, id="rs"))
            if isinstance(part, Thinking) and part.signature
            else part
            for part in message.parts
        ]
        turns.append(msgspec.structs.replace(message, parts=tuple(parts), extra={}))
    return msgspec.structs.replace(request, messages=tuple(turns), paths=(), places=())


@given(requests(HOLDS))
@settings(max_examples=200, deadline=None)
def test_what_is_said_is_read_back_the_same(request_: Request) -> None:
    body = DIALECT.write_request(request_, model="m", quirks=Quirks(), losses=Losses(NAME, strict=True))

    assert plain(DIALECT.parse_request(DIALECT.ask(body))) == plain(request_)


@given(requests(HOLDS))
@settings(max_examples=60, deadline=None)
def test_openai_takes_what_another_dialects_caller_asks(request_: Request) -> None:
    foreign = msgspec.structs.replace(request_, dialect="openai_chat", stop=())

    official.judge_request(NAME, written(foreign))


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_every_fixture_is_a_request_of_openais_own(path: Path) -> None:
    if path.stem in NOT_OPENAIS:
        return

    official.judge_request(NAME, json.loads(path.read_text())["given"])


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(
        ["message", "user", "assistant", "reasoning", "function_call", "function_call_output", "custom_tool_call",
         "input_text", "input_image", "input_file", "input_audio", "output_text", "refusal", "item_reference"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["type", "role", "content", "summary", "encrypted_content", "call_id", "name", "arguments", "output", "text",
             "image_url", "file_data", "annotations", "id", "input_audio", "data", "result", "input", "tools", "format"]
        ), inner, max_size=5,
    ),
    max_leaves=14,
))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_nonsense_is_refused_by_the_field_it_stands_in(value: Any) -> None:
    unnamed: list[str] = []
    for body in ({"model": "m", "input": value}, {"model": "m", "input": [value]}, {"model": "m", "input": "x", "text": value},
                 {"model": "m", "input": "x", "tools": value, "tool_choice": value, "reasoning": value}):  # fmt: skip
        try:
            request = DIALECT.parse_request(DIALECT.ask(json.dumps(body).encode()))
            DIALECT.write_request(request, model="m", quirks=Quirks(), losses=Losses("x"))
        except InvalidInputError as error:
            unnamed += [] if getattr(error, "param", None) else [str(error)]

    assert unnamed == []


# -- read


def test_a_string_is_what_the_user_says() -> None:
    assert parsed("Why?").messages == (Message(role="user", parts=(Text(text="Why?"),)),)


def test_instructions_come_before_everything() -> None:
    request = parsed([{"role": "developer", "content": "Be kind."}, USER], instructions="Be brief.")

    assert [(message.role, message.text) for message in request.messages] == [
        ("system", "Be brief."),
        ("developer", "Be kind."),
        ("user", "Why?"),
    ]
    assert request.paths == ("instructions", "input[0]", "input[1]")


def test_what_the_model_said_and_called_is_one_turn_and_what_was_answered_another() -> None:
    second = {**CALL, "call_id": "call_2"}

    request = parsed(
        [
            USER,
            SEALED,
            {"role": "assistant", "content": "I look."},
            CALL,
            second,
            RESULT,
            {**RESULT, "call_id": "call_2"},
        ]
    )

    assert [message.role for message in request.messages] == ["user", "assistant", "tool"]
    assert [type(part) for part in request.messages[1].parts] == [Thinking, Text, ToolCall, ToolCall]
    results = request.messages[2].parts
    assert [(part.call_id, part.name) for part in results if isinstance(part, ToolResult)] == [
        ("call_1", "look"),
        ("call_2", "look"),
    ]


def test_a_thought_keeps_its_name_with_its_seal() -> None:
    (thought,) = parsed([USER, SEALED]).messages[1].parts

    assert thought == Thinking(signature=Signature(data="gAAAAsealed==", origin="openai", id="rs_1"), redacted=True)


def test_another_vendors_thought_comes_out_of_its_envelope() -> None:
    sealed = {**SEALED, "id": "rs_ID_0", "encrypted_content": "flyball:anthropic:::EqQB=="}

    (thought,) = parsed([USER, {**sealed, "summary": [{"type": "summary_text", "text": "Hm."}]}]).messages[1].parts

    assert thought == Thinking(text="Hm.", signature=Signature(data="EqQB==", origin="anthropic"))


@pytest.mark.parametrize("kind", ["web_search_call", "mcp_list_tools", "code_interpreter_call", "shell_call"])
def test_what_the_provider_did_itself_stays_in_its_words_in_the_models_turn(kind: str) -> None:
    item = {"type": kind, "id": "x_1", "status": "completed"}

    (user, turn) = parsed([USER, item]).messages

    assert (user.role, turn.role) == ("user", "assistant")
    assert turn.parts == (Native(dialect=NAME, kind=kind, raw=item),)


@pytest.mark.parametrize("item", [{"id": "msg_1"}, {"type": "item_reference", "id": "msg_1"}, {"type": "compaction"}])
def test_what_is_kept_elsewhere_is_refused_by_everybody_else(item: dict[str, str]) -> None:
    request = parsed([item, USER])

    with pytest.raises(CannotCarryError) as refusal:
        golden.dialect("anthropic_messages").write_request(
            request, model="m", quirks=Quirks(), losses=Losses("anthropic_messages")
        )

    assert refusal.value.param is not None
    assert refusal.value.param.startswith("input[0]")


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tool_choice": {"type": "mcp", "server_label": "docs"}}, "tool_choice"),
    ],
)
def test_nobody_else_is_asked_for_what_is_kept_or_done_at_openai(fields: dict[str, Any], refused: str) -> None:
    request = parsed(**fields)

    with pytest.raises(CannotCarryError) as refusal:
        golden.dialect("openai_chat").write_request(request, model="m", quirks=Quirks(), losses=Losses("openai_chat"))

    assert refusal.value.param == refused


@pytest.mark.parametrize("fields", [{"background": False}, {"truncation": "disabled"}, {"previous_response_id": None}])
def test_what_says_nothing_is_no_loss(fields: dict[str, Any]) -> None:
    assert parsed(**fields).native == {}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, None),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}, None),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {}}}},
                "required": ["a"],
                "additionalProperties": False,
            },
            None,
        ),
        (None, None),
    ],
)  # fmt: skip
def test_a_tool_that_does_not_say_so_is_strict_where_its_schema_can_be(schema: Any, strict: bool | None) -> None:  # noqa: FBT001
    (tool,) = parsed(tools=[{"type": "function", "name": "look", "parameters": schema}]).tools

    assert isinstance(tool, Tool)
    assert tool.strict is strict


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": []}, "input"),
        ({"model": "m", "input": [7]}, "input[0]"),
        ({"model": "m", "input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"model": "m", "input": [USER, RESULT]}, "input[1].call_id"),
        ({"model": "m", "input": [{**USER, "content": [{"type": "input_image"}]}]}, "input[0].content[0]"),
        (
            {"model": "m", "input": [{**USER, "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}]},
            "input[0].content[0].image_url",
        ),
        ({"model": "m", "input": [{**USER, "content": [{"text": "x"}]}]}, "input[0].content[0].type"),
        ({"model": "m", "input": "x", "text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"model": "m", "input": "x", "reasoning": {"effort": 7}}, "reasoning.effort"),
        ({"model": "m", "input": "x", "tool_choice": {"type": "function", "name": "nosuch"}}, "tool_choice"),
        ({"model": "m", "input": "x", "tools": [{"type": "custom", "name": "a"}, {"type": "custom", "name": "a"}]}, "tools[1]"),
        ({"model": "m", "input": "x", "max_output_tokens": "many"}, "max_output_tokens"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_place(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBodyError) as mistake:
        DIALECT.parse_request(DIALECT.ask(json.dumps(body).encode()))

    assert mistake.value.param == param


def test_a_result_whose_call_is_kept_elsewhere_is_no_mistake() -> None:
    request = parsed([RESULT], previous_response_id="resp_1")

    assert request.messages[0].parts == (ToolResult(call_id="call_1", parts=(Text(text="a wall"),)),)


# -- said


def test_a_tool_of_another_dialects_caller_says_that_it_is_not_strict() -> None:
    body = written(asked(tools=(LOOK, Tool(name="exact", parameters=LOOK.parameters, strict=True))))

    assert [tool["strict"] for tool in body["tools"]] == [False, True]


def test_another_dialects_caller_has_nothing_kept_and_gets_thoughts_back_sealed() -> None:
    body = written(asked())

    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]


def test_what_a_caller_asks_to_be_kept_is_kept_and_needs_no_seals() -> None:
    body = written(asked(store=True))

    assert body["store"] is True
    assert "include" not in body


def test_a_model_without_thoughts_is_asked_for_none() -> None:
    losses = Losses("x")

    body = written(asked(reasoning=Reasoning(effort="high")), losses=losses, thinking="none")

    assert not {"include", "reasoning"} & body.keys()
    assert losses.dropped == ("reasoning_effort",)


def test_a_responses_callers_own_wishes_about_keeping_stay_as_they_are() -> None:
    assert "store" not in written(parsed())
    assert written(parsed(store=True))["store"] is True


def test_a_thought_without_what_followed_it_is_left_out() -> None:
    thought = Thinking(text="Hm.", signature=Signature(data="gAAA", origin="openai", id="rs_1"))
    losses = Losses("x")

    body = written(
        asked(Message(role="user", parts=(Text(text="Hi"),)), Message(role="assistant", parts=(thought,))),
        losses=losses,
    )

    assert body["input"] == [{"role": "user", "content": "Hi"}]
    assert losses.dropped == ("messages[1].content[0]",)


def test_a_thought_goes_home_with_its_name_before_its_call() -> None:
    thought = Thinking(text="One.\n\nTwo.", signature=Signature(data="gAAA", origin="openai", id="rs_1"))
    turn = Message(role="assistant", parts=(thought, ToolCall(id="call_1", name="look", arguments='{"z":1}')))

    reasoning, call = written(asked(turn))["input"]

    pieces = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    assert reasoning == {"type": "reasoning", "id": "rs_1", "summary": pieces, "encrypted_content": "gAAA"}
    assert call == {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"z":1}'}


@pytest.mark.parametrize(
    "thought",
    [
        Thinking(text="Hm."),
        Thinking(text="Hm.", signature=Signature(data="EqQB", origin="anthropic")),
        Thinking(signature=Signature(data="gAAA", origin="openai"), belongs_to_next=True),
    ],
)
def test_a_thought_that_openai_did_not_seal_is_left_out_by_name(thought: Thinking) -> None:
    losses = Losses("x")

    body = written(asked(Message(role="assistant", parts=(thought, Text(text="Yes.")))), losses=losses)

    assert body["input"] == [{"role": "assistant", "content": "Yes."}]
    assert losses.dropped == ("messages[0].content[0]",)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [({"candidates": 2}, "n"), ({"modalities": ("audio",)}, "modalities"), ({"stop": ("END",)}, "stop")],
)
def test_what_the_caller_would_miss_is_refused_by_its_own_name(fields: dict[str, Any], refused: str) -> None:
    with pytest.raises(CannotCarryError) as refusal:
        written(asked(**fields))

    assert refusal.value.param == refused


def test_what_only_tunes_is_dropped_by_its_own_name() -> None:
    losses = Losses("x")

    body = written(asked(seed=7, top_k=5, presence_penalty=0.5, frequency_penalty=0.5), losses=losses)

    assert body.keys() == {"model", "input", "store", "include"}
    assert set(losses.dropped) == {"seed", "top_k", "presence_penalty", "frequency_penalty"}


def test_a_model_whose_words_cannot_be_tuned_is_not_asked_to() -> None:
    losses = Losses("x")

    body = written(asked(temperature=0.5, top_p=0.9), losses=losses, sampling=False)

    assert not {"temperature", "top_p"} & body.keys()
    assert losses.dropped == ("temperature", "top_p")


def test_a_schema_without_a_name_gets_one() -> None:
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    chat = golden.parsed({"model": "m", "messages": [USER], "response_format": schema}, "openai_chat")

    assert written(chat)["text"]["format"]["name"] == "answer"


@pytest.mark.parametrize("tools", [("look",), ("look", "again")])
@pytest.mark.parametrize("mode", ["auto", "required"])
def test_a_choice_of_tools_stands_flat(tools: tuple[str, ...], mode: Any) -> None:
    several = (LOOK, Tool(name="again", custom=True))

    choice = written(asked(tools=several, tool_choice=ToolChoice(mode=mode, tools=tools)))["tool_choice"]

    named = [{"type": "custom" if name == "again" else "function", "name": name} for name in tools]
    one = mode == "required" and len(tools) == 1
    assert choice == (named[0] if one else {"type": "allowed_tools", "mode": mode, "tools": named})


def test_a_point_of_caching_is_marked_where_the_vendor_has_marks() -> None:
    turn = Message(role="user", parts=(Text(text="Long.", cache=Cache(ttl="1h")), Text(text="Why?")))
    losses = Losses("x")

    marked = written(asked(turn), cache_points="prompt_cache_breakpoint")["input"][0]["content"][0]
    unmarked = written(asked(turn), losses=losses)["input"][0]["content"][0]

    assert marked["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}
    assert unmarked == {"type": "input_text", "text": "Long."}
    assert losses.dropped == ("messages[0].content[0].cache_control",)


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_what_openai_does_not_hear_or_watch_is_refused(kind: Any) -> None:
    turn = Message(role="user", parts=(Media(kind=kind, media_type=f"{kind}/x", data="AAAA"),))

    with pytest.raises(CannotCarryError, match=f"takes no {kind}"):
        written(asked(turn))


def test_a_file_of_another_vendors_is_refused() -> None:
    turn = Message(role="user", parts=(Media(kind="image", file_id="file_1"),))
    request = msgspec.structs.replace(asked(turn), dialect="anthropic_messages")

    with pytest.raises(CannotCarryError, match="files belong"):
        written(request)


def test_an_error_of_a_tool_is_named_as_it_has_no_field() -> None:
    losses = Losses("x")
    call = Message(role="assistant", parts=(ToolCall(id="call_1", name="look"),))
    result = Message(role="tool", parts=(ToolResult(call_id="call_1", parts=(Text(text="no"),), is_error=True),))

    body = written(asked(call, result), losses=losses)

    assert body["input"][1] == {"type": "function_call_output", "call_id": "call_1", "output": "no"}
    assert losses.dropped == ("messages[1].content[0].is_error",)


def test_the_question_for_the_number_of_tokens_knows_fewer_fields() -> None:
    request = asked(
        tools=(LOOK,), max_tokens=9, temperature=0.5, stream=True, user="u", reasoning=Reasoning(effort="low")
    )

    body = json.loads(DIALECT.write_count_request(request, model="gpt-5", quirks=Quirks(), losses=Losses("x")))

    assert body.keys() == {"model", "input", "tools", "reasoning"}
    TypeAdapter(input_token_count_params.InputTokenCountParams).validate_python(body)


# -- relayed


def test_a_relayed_body_keeps_its_bytes_and_takes_the_models_name() -> None:
    body = b'{"model":"fast", "input": [ {"role":"user","content":"x"} ], "temperature": 1.0, "flyball": {"a": 1}}'

    relayed = DIALECT.relayed(DIALECT.ask(body), model="gpt-5", quirks=Quirks(), losses=Losses(NAME))

    assert relayed == b'{"model":"gpt-5","input":[ {"role":"user","content":"x"} ],"temperature":1.0}'


def test_another_vendors_thought_is_taken_out_of_what_is_relayed() -> None:
    foreign = {**SEALED, "encrypted_content": "flyball:anthropic:::EqQB=="}
    losses = Losses(NAME)

    relayed = DIALECT.relayed(
        DIALECT.ask(json.dumps({"model": "m", "input": [USER, foreign, SEALED, CALL, RESULT]}).encode()),
        model="m",
        quirks=Quirks(),
        losses=losses,
    )

    assert json.loads(relayed)["input"] == [USER, SEALED, CALL, RESULT]
    assert losses.dropped == ("input[1]",)


def test_a_vendors_own_names_hold_for_relayed_bodies() -> None:
    losses = Losses(NAME)
    body = json.dumps({"model": "m", "input": "x", "user": "u", "max_output_tokens": 9}).encode()

    relayed = DIALECT.relayed(
        DIALECT.ask(body), model="m", quirks=Quirks(drop=("user",), rename={"max_output_tokens": "most"}), losses=losses
    )

    assert json.loads(relayed) == {"model": "m", "input": "x", "most": 9}
    assert losses.dropped == ("user",)


@pytest.mark.parametrize(
    ("input_", "expected"),
    [
        ("Why?", "Why?"),
        ([USER, {"role": "assistant", "content": "So."}], "Why?"),
        ([{"role": "user", "content": [{"type": "input_text", "text": "And?"}]}, CALL], "And?"),
        ([{"role": "user", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]}], ""),
        ([CALL], None),
        ({"odd": 1}, None),
    ],
)
def test_what_the_user_said_last(input_: Any, expected: str | None) -> None:
    assert DIALECT.last_user_text(DIALECT.ask(json.dumps({"model": "m", "input": input_}).encode())) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"user": "u"}, "u"), ({"user": "u", "safety_identifier": "s"}, "s"), ({"user": 7}, ""), ({}, "")],
)
def test_who_asks(fields: dict[str, Any], expected: str) -> None:
    assert DIALECT.end_user(DIALECT.ask(json.dumps({"model": "m", "input": "x", **fields}).encode())) == expected


@given(SCHEMAS)
def test_a_schemas_bytes_stay(schema: msgspec.Raw) -> None:
    body = b'{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":' + bytes(schema) + b"}]}"

    request = DIALECT.parse_request(DIALECT.ask(body))

    assert bytes(schema) in DIALECT.write_request(request, model="m", quirks=Quirks(), losses=Losses(NAME))
