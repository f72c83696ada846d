"""Questions in Gemini's words: what callers ask, what providers are asked, and what becomes of all that others say."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import official
import pytest
from gemini_vocabulary import HOLDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vocabulary import PNG, requests

import golden
from flyball.kit.errors import InvalidInputError
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialects.gemini import DIALECT
from flyball.llm.dialects.gemini.schemas import Subset, to_json_schema
from flyball.llm.errors import CannotCarryError, InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import (
    Media,
    Message,
    Native,
    NativeTool,
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

QUESTION = (Message(role="user", parts=(Text(text="Hi."),)),)
CALLED = (
    *QUESTION,
    Message(
        role="assistant",
        parts=(ToolCall(id="a", name="look", arguments="{}"), ToolCall(id="b", name="look", arguments="{}")),
    ),
    Message(role="tool", parts=(ToolResult(call_id="a", parts=(Text(text="a wall"),)),)),
    Message(role="tool", parts=(ToolResult(call_id="b", parts=(Text(text="a door"),)),)),
)
GIVEN = [case for case in golden.cases() if (case.kind, case.source, case.target) == ("requests", "gemini", "gemini")]
# What Google documents and its client's types for this version do not have.
NOT_IN_TYPES = ("serviceTier", "store", "brandNew")


def written(request: Request, losses: Losses | None = None, **quirks: Any) -> Any:
    said = DIALECT.write_request(request, model="m", quirks=Quirks(**quirks), losses=losses or Losses("it"))
    return json.loads(said)


def parsed(body: dict[str, Any], **path: Any) -> Request:
    asked = DIALECT.ask(json.dumps(body).encode(), **{"model": "m", **path})
    return DIALECT.parse_request(asked)


def asking(**changes: Any) -> Request:
    return Request(**{"dialect": "openai_chat", "model": "m", "messages": QUESTION, **changes})


def spoken(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def streams_alike(request: Request) -> bool:
    """Whether a model's turns are as a stream of them would be told: one turn after another, one text after another, are one."""
    turns = request.messages
    texts = [[isinstance(part, Text) for part in turn.parts] for turn in turns if turn.role == "assistant"]
    return not any(one.role == two.role == "assistant" for one, two in pairwise(turns)) and not any(
        both for parts in texts for both in (one and two for one, two in pairwise(parts))
    )


@given(requests(HOLDS).filter(streams_alike))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_a_request_that_is_written_is_read_back_the_same(request: Request) -> None:
    body = DIALECT.write_request(request, model="m", quirks=Quirks(), losses=Losses("it"))

    again = DIALECT.parse_request(DIALECT.ask(body, model="m"))

    assert msgspec.structs.replace(again, paths=(), places=(), tool_paths=()) == request


@given(requests(HOLDS._replace(thoughts=False)))
@settings(max_examples=40, deadline=None)
def test_google_takes_every_request(request: Request) -> None:
    body = written(request)

    official.judge_request("gemini", {name: value for name, value in body.items() if name not in NOT_IN_TYPES})


@pytest.mark.parametrize("case", GIVEN, ids=str)
def test_google_takes_every_request_of_the_fixtures(case: golden.Case) -> None:
    found = golden.translated(case)

    assert "body" in found
    body = {name: value for name, value in found["body"].items() if name not in NOT_IN_TYPES}
    body.get("generationConfig", {}).pop("newKnob", None)
    body.get("generationConfig", {}).pop("imageConfig", None)
    official.judge_request("gemini", body)


@pytest.mark.parametrize("case", GIVEN, ids=str)
def test_a_request_in_either_spelling_is_one_request(case: golden.Case) -> None:
    body = case.fixture["given"]

    assert parsed(_snake(body)) == parsed(body)


def _snake(value: Any, *, fields: bool = True) -> Any:
    """The same body in Google's other spelling; what is the caller's own (arguments, schemas, labels) stays."""
    if isinstance(value, list):
        return [_snake(one) for one in value]
    if not isinstance(value, dict) or not fields:
        return value
    theirs = (
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
        "responseJsonSchema",
        "labels",
    )
    kept = ("brandNew", "safetySettings", "videoMetadata", "executableCode", "codeExecutionResult", "speechConfig")
    words = {name: "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name) for name in value}
    return {
        words[name] if name not in kept else name: _snake(one, fields=name not in (*theirs, *kept, "imageConfig"))
        for name, one in value.items()
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([
            *("parts", "role", "text", "thought", "thoughtSignature", "functionCall", "functionResponse", "name", "args"),
            *("id", "response", "inlineData", "fileData", "mimeType", "data", "fileUri", "functionDeclarations", "mode"),
            *("functionCallingConfig", "allowedFunctionNames", "thinkingConfig", "responseSchema", "responseMimeType"),
        ]), inner, max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "cachedContent"]),
        JSON,
    ),
    JSON,
)
@settings(deadline=None)
def test_a_body_that_makes_no_sense_is_refused_with_the_name_of_a_field(body: dict[str, Any], contents: Any) -> None:
    named = ["contents"]
    try:
        parsed({**body, "contents": contents})
    except InvalidInputError as error:
        named.append(getattr(error, "param", None) or "")

    assert all(named)


# -- the conversation


def test_results_of_one_turns_calls_stand_in_one_turn_with_their_names() -> None:
    contents = written(asking(messages=CALLED))["contents"]

    assert [turn["role"] for turn in contents] == ["user", "model", "user"]
    assert [part["functionResponse"] for part in contents[2]["parts"]] == [
        {"id": "a", "name": "look", "response": {"output": "a wall"}},
        {"id": "b", "name": "look", "response": {"output": "a door"}},
    ]


def test_a_result_without_an_id_answers_the_oldest_call_of_its_name() -> None:
    call, result = {"functionCall": {"name": "look"}}, {"functionResponse": {"name": "look", "response": {}}}
    other = {"functionCall": {"name": "hear"}}, {"functionResponse": {"name": "hear", "response": {}}}

    turns = parsed(
        {"contents": [spoken(call, other[0], call, role="model"), spoken(other[1], result, result)]}
    ).messages

    ids = [part.id for part in turns[0].parts if isinstance(part, ToolCall)]
    assert [part.call_id for part in turns[1].parts if isinstance(part, ToolResult)] == [ids[1], ids[0], ids[2]]


def test_ids_of_our_own_making_are_not_sent_to_google() -> None:
    body = {"contents": [spoken({"functionCall": {"name": "look", "args": {}}}, role="model")]}

    assert written(parsed(body))["contents"] == body["contents"]


def test_a_result_whose_call_is_nowhere_is_refused_for_want_of_a_name() -> None:
    lost = Message(role="tool", parts=(ToolResult(call_id="x", parts=(Text(text="a wall"),)),))

    with pytest.raises(CannotCarryError) as refusal:
        written(asking(messages=(*QUESTION, lost)))

    assert refusal.value.param == "messages[1].content[0]"


@pytest.mark.parametrize(
    ("text", "is_error", "response"),
    [
        ("a wall", None, {"output": "a wall"}),
        ('{"z":1.0,"a":2}', None, {"z": 1.0, "a": 2}),
        ("{broken", None, {"output": "{broken"}),
        ("[1]", None, {"output": "[1]"}),
        ("no eyes", True, {"error": "no eyes"}),
        ('{"code":5}', True, {"error": {"code": 5}}),
        ("fine", False, {"output": "fine"}),
    ],
)
def test_what_a_tool_answered_becomes_an_object(text: str, is_error: Any, response: Any) -> None:
    result = ToolResult(call_id="a", name="look", parts=(Text(text=text),), is_error=is_error)

    body = written(asking(messages=(*CALLED[:2], Message(role="tool", parts=(result,)))))

    assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == response


def test_instructions_go_to_the_front_wherever_they_stood() -> None:
    turns = (*QUESTION, Message(role="developer", parts=(Text(text="Be brief."),)))

    body = written(asking(messages=turns))

    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert len(body["contents"]) == 1


def test_empty_texts_and_turns_that_say_nothing_are_left_out() -> None:
    empty = Message(role="assistant", parts=(Text(text=""),))

    assert len(written(asking(messages=(*QUESTION, empty)))["contents"]) == 1


def test_instructions_without_a_turn_are_refused() -> None:
    with pytest.raises(CannotCarryError):
        written(asking(messages=(Message(role="system", parts=(Text(text="Be brief."),)),)))


@pytest.mark.parametrize(
    ("media", "part"),
    [
        (Media(kind="image", media_type="image/png", data=PNG), {"inlineData": {"mimeType": "image/png", "data": PNG}}),
        (Media(kind="document", text="words"), {"inlineData": {"mimeType": "text/plain", "data": "d29yZHM="}}),
        (
            Media(kind="image", url="https://example.org/a.png?x=1"),
            {"fileData": {"mimeType": "image/png", "fileUri": "https://example.org/a.png?x=1"}},
        ),
        (
            Media(kind="document", media_type="application/pdf", url="gs://b/a"),
            {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://b/a"}},
        ),
    ],
)
def test_media_of_every_source(media: Media, part: dict[str, Any]) -> None:
    body = written(asking(messages=(Message(role="user", parts=(media,)),)))

    assert body["contents"][0]["parts"] == [part]


@pytest.mark.parametrize("media", [Media(kind="image", file_id="file-1"), Media(kind="image", url="s3://b/a.png")])
def test_a_file_that_google_cannot_fetch_is_refused(media: Media) -> None:
    with pytest.raises(CannotCarryError):
        written(asking(messages=(Message(role="user", parts=(media,)),)))


def test_a_file_of_googles_is_a_file_and_an_address_is_an_address() -> None:
    by_file = {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}}
    by_url = {"fileData": {"fileUri": "https://example.org/files/abc"}}

    (turn,) = parsed({"contents": [spoken(by_file, by_url)]}).messages

    assert [(part.file_id != "", part.url != "") for part in turn.parts if isinstance(part, Media)] == [
        (True, False),
        (False, True),
    ]


def test_what_only_another_dialect_can_say_is_dropped_from_answers_and_refused_in_questions() -> None:
    native, losses = Native(dialect="other", kind="x", raw={}), Losses("it")

    written(asking(messages=(*QUESTION, Message(role="assistant", parts=(native, Text(text="Hi."))))), losses)
    with pytest.raises(CannotCarryError):
        written(asking(messages=(Message(role="user", parts=(native,)),)))

    assert losses.dropped == ("messages[1].content[0]",)


# -- signatures


SIGNED = Signature(data="c2lnbmVk", origin="google")


def test_a_signature_that_stood_before_its_call_comes_home_on_the_call() -> None:
    parts = (Thinking(signature=SIGNED, belongs_to_next=True), ToolCall(id="a", name="look"))

    body = written(asking(messages=(*QUESTION, Message(role="assistant", parts=parts))), thinking_by="level")

    assert body["contents"][1]["parts"] == [
        {"functionCall": {"id": "a", "name": "look", "args": {}}, "thoughtSignature": "c2lnbmVk"}
    ]


def test_a_signature_that_no_part_took_stands_on_an_empty_text() -> None:
    parts = (Text(text="Hi."), Thinking(signature=SIGNED, belongs_to_next=True))

    body = written(asking(messages=(*QUESTION, Message(role="assistant", parts=parts))))

    assert body["contents"][1]["parts"] == [{"text": "Hi."}, {"text": "", "thoughtSignature": "c2lnbmVk"}]


def test_the_first_of_another_vendors_calls_gets_googles_stand_in_where_one_is_demanded() -> None:
    signatures = [part.get("thoughtSignature") for part in written(asking(messages=CALLED))["contents"][1]["parts"]]
    demanded = written(asking(messages=CALLED), thinking_by="level")["contents"][1]["parts"]

    assert signatures == [None, None]
    assert [part.get("thoughtSignature") for part in demanded] == ["skip_thought_signature_validator", None]


def test_another_vendors_signature_is_left_out_by_name() -> None:
    call = ToolCall(id="a", name="look", signature=Signature(data="eA==", origin="openai"))
    losses = Losses("it")

    body = written(asking(messages=(*QUESTION, Message(role="assistant", parts=(call,)))), losses)

    assert "thoughtSignature" not in body["contents"][1]["parts"][0]
    assert losses.dropped == ("messages[1].thinking",)


# -- tools and schemas


def test_an_older_vendor_gets_googles_own_schema_and_hears_what_it_cannot_say() -> None:
    schema = msgspec.Raw(
        b'{"type":"object","properties":{"who":{"type":["string","null"]},"n":{"$ref":"#/$defs/n"},'
        b'"k":{"const":"a"},"m":{"oneOf":[{"type":"string"},{"type":"integer"}]},"l":{"type":"array","items":'
        b'{"type":"number","exclusiveMinimum":0}}},"required":["who"],"additionalProperties":false,'
        b'"$defs":{"n":{"type":"integer","minimum":1}}}'
    )
    losses = Losses("it")

    body = written(asking(tools=(Tool(name="f", parameters=schema),)), losses, schemas="openapi")

    assert body["tools"][0]["functionDeclarations"][0]["parameters"] == {
        "type": "OBJECT",
        "properties": {
            "who": {"type": "STRING", "nullable": True},
            "n": {"type": "INTEGER", "minimum": 1},
            "k": {"type": "STRING", "format": "enum", "enum": ["a"]},
            "m": {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
            "l": {"type": "ARRAY", "items": {"type": "NUMBER"}},
        },
        "required": ["who"],
    }
    assert losses.dropped == (
        "tools[0].parameters.properties.l.items.exclusiveMinimum",
        "tools[0].parameters.additionalProperties",
    )
    official.judge_request("gemini", body)


def test_a_schema_that_is_inside_itself_has_an_end_and_so_has_one_that_doubles() -> None:
    itself = b'{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}}}'
    doubling = {f"d{n}": {"properties": {k: {"$ref": f"#/$defs/d{n + 1}"} for k in "ab"}} for n in range(40)}

    circle = Subset(msgspec.Raw(itself), "p")
    large = Subset(msgspec.Raw(msgspec.json.encode({"$ref": "#/$defs/d0", "$defs": doubling})), "p")

    assert circle.schema == {"type": "OBJECT", "properties": {"a": {"type": "OBJECT"}}}
    assert circle.dropped == ["p.properties.a"]
    assert large.schema
    assert large.dropped


def test_googles_schema_becomes_json_schema_and_json_schema_keeps_its_bytes() -> None:
    googles = msgspec.Raw(b'{"type":"OBJECT","properties":{"b":{"type":"ARRAY","minItems":"2","items":{"type":"STRING"}},'
                          b'"a":{"type":"STRING","enum":["x"],"nullable":true}},"propertyOrdering":["a"]}')  # fmt: skip
    plain = msgspec.Raw(b'{ "type" : "object" }')

    assert bytes(to_json_schema(googles, "parameters")) == (
        b'{"type":"object","properties":{"a":{"type":["string","null"],"enum":["x",null]},'
        b'"b":{"type":"array","minItems":2,"items":{"type":"string"}}}}'
    )
    assert bytes(to_json_schema(plain, "parameters")) == bytes(plain)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice(mode="auto"), {"mode": "AUTO"}),
        (ToolChoice(mode="none"), {"mode": "NONE"}),
        (ToolChoice(mode="required"), {"mode": "ANY"}),
        (ToolChoice(mode="required", tools=("f",)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice(mode="auto", tools=("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ],
)
def test_which_functions_may_be_called(choice: ToolChoice, said: dict[str, Any]) -> None:
    body = written(asking(tools=(Tool(name="f"), Tool(name="g")), tool_choice=choice))

    assert body["toolConfig"]["functionCallingConfig"] == said


@pytest.mark.parametrize("tool", [NativeTool(dialect="x", kind="search", raw={}), Tool(name="f", custom=True)])
def test_tools_that_google_does_not_have_are_refused(tool: Any) -> None:
    with pytest.raises(CannotCarryError) as refusal:
        written(asking(tools=(tool,)))

    assert refusal.value.param == "tools[0]"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "f"}]}]}, "tools[0].functionDeclarations[1].name"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}},
         "toolConfig.functionCallingConfig.allowedFunctionNames"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOON"}}}, "toolConfig.functionCallingConfig.mode"),
        ({"contents": [{"role": "assistant", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"functionCall": {"name": "f", "args": []}}]}]}, "contents[0].parts[0].functionCall.args"),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}, "contents[0].parts[0].inlineData.data"),
        ({"contents": [{"parts": [{"text": 7}]}]}, "contents[0].parts[0].text"),
        ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"generationConfig": {"responseSchema": [], "responseMimeType": "application/json"}},
         "generationConfig.responseSchema"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidBodyError) as refusal:
        parsed({"contents": [spoken({"text": "Hi."})], **body})

    assert refusal.value.param == param


# -- how to think, and what else stands beside the conversation


@pytest.mark.parametrize(
    ("reasoning", "by", "config"),
    [
        (Reasoning(effort="high"), "budget", {"includeThoughts": True, "thinkingBudget": 16384}),
        (Reasoning(effort="none"), "budget", {"includeThoughts": False, "thinkingBudget": 0}),
        (Reasoning(adaptive=True), "budget", {"includeThoughts": True, "thinkingBudget": -1}),
        (Reasoning(budget=5000, show="none"), "budget", {"includeThoughts": False, "thinkingBudget": 5000}),
        (Reasoning(effort="high"), "level", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (Reasoning(effort="max"), "level", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (Reasoning(effort="none"), "level", {"includeThoughts": False, "thinkingLevel": "MINIMAL"}),
        (Reasoning(budget=3000), "level", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (Reasoning(adaptive=True), "level", {"includeThoughts": True}),
    ],
)
def test_how_much_to_think_is_said_as_the_model_takes_it(reasoning: Reasoning, by: Any, config: dict[str, Any]) -> None:
    body = written(asking(reasoning=reasoning), thinking_by=by)

    assert body["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize(("most", "by"), [(1000, "budget"), (None, "none")])
def test_thinking_that_cannot_be_had_is_named(most: int | None, by: Any) -> None:
    losses = Losses("it")

    body = written(asking(reasoning=Reasoning(effort="high"), max_tokens=most), losses, thinking_by=by)

    assert "thinkingConfig" not in body.get("generationConfig", {})
    assert losses.dropped == ("reasoning_effort",)


def test_what_only_tunes_and_google_does_not_have_is_named() -> None:
    losses = Losses("it")

    body = written(
        asking(
            temperature=2.5,
            verbosity="low",
            user="u",
            metadata={"a": "b"},
            parallel_tool_calls=False,
            store=True,
            service_tier="scale",
            tools=(Tool(name="f", strict=True),),
        ),
        losses,
    )

    assert "generationConfig" not in body
    assert losses.dropped == (
        "tools[0].function.strict",
        "temperature",
        "user",
        "verbosity",
        "metadata",
        "parallel_tool_calls",
        "service_tier",
        "store",
    )


def test_an_answer_by_a_schema_for_an_older_vendor() -> None:
    form = ResponseFormat(kind="schema", schema=msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}'))

    config = written(asking(response_format=form), schemas="openapi")["generationConfig"]

    assert config == {
        "responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}},
    }


def test_a_callers_own_configuration_joins_ours() -> None:
    extra = {"generationConfig": {"mediaResolution": "MEDIA_RESOLUTION_LOW", "seed": 1}, "safetySettings": []}

    body = written(asking(seed=7, extra=extra))

    assert body["generationConfig"] == {"mediaResolution": "MEDIA_RESOLUTION_LOW", "seed": 7}
    assert body["safetySettings"] == []
