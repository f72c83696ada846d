"""What the strict upstream takes and refuses, vendor by vendor: whole conversations by the official clients, and every rule once."""

import asyncio

import anthropic
import msgspec
import openai
import pytest
from botocore.exceptions import ClientError
from google.genai import errors, types
from pyreqwest.client import ClientBuilder

from flyball.testing import Call, Turn

SIGNATURE, OTHER = "c2lnbmF0dXJl", "b3RoZXI="
CALL = Call(id="call_1", name="weather", arguments='{"city": "Paris"}')
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
THOUGHT_AND_CALLS = Turn(
    text="", thinking="Hm.", thinking_signature=SIGNATURE, tool_calls=(CALL, Call(id="call_2", name="weather"))
)


@pytest.fixture
def strictly(strict, clients_of):
    return clients_of(strict)


# -- whole conversations


async def test_a_conversation_with_openai_is_taken_back(strict, strictly):
    strict.then(THOUGHT_AND_CALLS)
    asked = {
        "model": "gpt-5-mini",
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
        "max_completion_tokens": 50,
    }
    history = [{"role": "user", "content": "How is Paris?"}]

    message = (await strictly.openai.chat.completions.create(messages=history, **asked)).choices[0].message
    history += [message, *({"role": "tool", "tool_call_id": call.id, "content": "21"} for call in message.tool_calls)]
    answer = await strictly.openai.chat.completions.create(messages=history, **asked)

    assert answer.choices[0].message.content == Turn().text


@pytest.mark.parametrize("store", [False, True])
async def test_a_conversation_with_responses_is_taken_back(strict, strictly, store):
    strict.then(THOUGHT_AND_CALLS)
    asked = {
        "model": "gpt-5-mini",
        "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}],
        "store": store,
        "include": [] if store else ["reasoning.encrypted_content"],
    }
    history = [{"role": "user", "content": "How is Paris?"}]

    response = await strictly.openai.responses.create(input=history, **asked)
    calls = [item for item in response.output if item.type == "function_call"]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "21"} for call in calls]
    answer = await strictly.openai.responses.create(input=[*history, *response.output, *results], **asked)
    if store:
        await strictly.openai.responses.create(input=results, previous_response_id=response.id, **asked)

    assert answer.output_text == Turn().text


async def test_a_conversation_with_anthropic_is_taken_back(strict, strictly):
    strict.then(msgspec.structs.replace(THOUGHT_AND_CALLS, redacted="cmVk"))
    asked = {
        "model": "claude-opus-5",
        "max_tokens": 2000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    }
    history = [{"role": "user", "content": "How is Paris?"}]

    async with strictly.anthropic.messages.stream(messages=history, **asked) as stream:
        message = await stream.get_final_message()
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "21"}
        for block in message.content
        if block.type == "tool_use"
    ]
    history += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    answer = await strictly.anthropic.messages.create(messages=history, **asked)
    counted = await strictly.anthropic.messages.count_tokens(
        model="claude-opus-5", messages=history, tools=asked["tools"]
    )

    assert answer.content[0].text == Turn().text
    assert counted.input_tokens == 11


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-pro"])
async def test_a_conversation_with_gemini_is_taken_back(strict, strictly, model):
    strict.then(THOUGHT_AND_CALLS if model.startswith("gemini-2") else Turn(text="", tool_calls=(CALL, CALL)))
    declared = types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[declared])],
        system_instruction="Be brief.",
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        thinking_config=types.ThinkingConfig(include_thoughts=True),
    )
    history = [types.Content(role="user", parts=[types.Part(text="How is Paris?")])]

    said = (await strictly.google.models.generate_content(model=model, contents=history, config=config)).candidates[0]
    results = [types.Part.from_function_response(name="weather", response={"output": "21"})] * 2
    history += [said.content, types.Content(role="user", parts=results)]
    answer = await strictly.google.models.generate_content(model=model, contents=history, config=config)

    assert answer.text == Turn().text


async def test_a_chat_of_googles_own_client_may_give_a_stream_back_chunk_by_chunk(strict, strictly):
    strict.then(Turn(text="I ask.", thinking="Hm.", tool_calls=(CALL, CALL)), Turn(thinking="Ah.", text="It is warm."))
    by_hand = types.AutomaticFunctionCallingConfig(disable=True)
    chat = strictly.google.chats.create(
        model="gemini-3-pro", config=types.GenerateContentConfig(automatic_function_calling=by_hand)
    )
    results = [types.Part.from_function_response(name="weather", response={"output": "21"})] * 2

    for message in ("How is Paris?", results, "And tomorrow?"):
        answers = [chunk async for chunk in await chat.send_message_stream(message)]

    assert "".join(answer.text for answer in answers) == Turn().text
    sent = msgspec.json.decode(strict.requests[-1].body)["contents"]
    assert [content["role"] for content in sent].count("model") > 5


async def test_a_conversation_with_bedrock_is_taken_back(strict, strictly):
    strict.then(msgspec.structs.replace(THOUGHT_AND_CALLS, redacted="cmVk"))
    asked = {
        "modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "inferenceConfig": {"maxTokens": 2000},
        "toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}]},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    }
    history = [{"role": "user", "content": [{"text": "How is Paris?"}]}]

    said = (await asyncio.to_thread(strictly.amazon.converse, messages=history, **asked))["output"]["message"]
    ids = [block["toolUse"]["toolUseId"] for block in said["content"] if "toolUse" in block]
    results = [{"toolResult": {"toolUseId": id_, "content": [{"text": "21"}]}} for id_ in ids]
    history += [said, {"role": "user", "content": results}]
    answer = await asyncio.to_thread(strictly.amazon.converse, messages=history, **asked)

    assert answer["output"]["message"]["content"][0]["text"] == Turn().text


async def test_what_a_test_says_was_issued_is_taken(strict, strictly):
    strict.issued.signatures.add(OTHER)
    thought = {"type": "thinking", "thinking": "Hm.", "signature": OTHER}
    history = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [thought, {"type": "text", "text": "y"}]},
        {"role": "user", "content": "z"},
    ]

    assert await strictly.anthropic.messages.create(model="m", max_tokens=9, messages=history)


async def test_a_refused_request_takes_no_turn(strict, strictly):
    strict.then(Turn(text="the turn"))

    with pytest.raises(anthropic.BadRequestError, match="temperature"):
        await strictly.ask("anthropic", streamed=True, extra_body={"temperature": 2})

    assert (await strictly.ask("anthropic", streamed=True)).text == "the turn"


# -- every rule once


@pytest.fixture
def refused(strict):
    """What is said to a body: the status and the envelope."""

    async def refused(path, body, **headers):
        async with ClientBuilder().no_proxy().build() as client:
            request = client.post(strict.root_url + path).body_bytes(msgspec.json.encode(body))
            for name, value in headers.items():
                request = request.header(name.replace("_", "-"), value)
            answer = await request.build().send()
            return answer.status, msgspec.json.decode(bytes(await answer.bytes()))

    return refused


def user(content="x"):
    return {"role": "user", "content": content}


def chat_call(*ids):
    calls = [{"id": id_, "type": "function", "function": {"name": "weather", "arguments": "{}"}} for id_ in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def chat_result(id_):
    return {"role": "tool", "tool_call_id": id_, "content": "21"}


@pytest.mark.parametrize(
    ("changes", "message", "param"),
    [
        ({"top_k": 3}, "Unrecognized request argument supplied: top_k", None),
        ({"messages": []}, "Invalid 'messages': empty array", "messages"),
        ({"tools": []}, "Invalid 'tools': empty array", "tools"),
        ({"model": "gpt-5-mini", "max_tokens": 5}, "Use 'max_completion_tokens' instead", "max_tokens"),
        ({"model": "o3", "temperature": 0.5}, "'temperature' does not support 0.5 with this model", "temperature"),
        ({"model": "o3", "stop": ["x"]}, "'stop' is not supported with this model", "stop"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "at the same time is not supported", "max_tokens"),
        ({"stream_options": {}}, "only allowed when 'stream' is enabled", "stream_options"),
        ({"tool_choice": "auto"}, "only allowed when 'tools' are specified", "tool_choice"),
        ({"stop": list("abcde")}, "array too long", "stop"),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'", "messages"),
        ({"messages": [user(None)]}, "expected a string, got null", "messages.[0].content"),
        ({"messages": [{"role": "model", "content": "x"}]}, "Invalid value: 'model'", "messages[0].role"),
        ({"messages": [user([{"type": "input_text"}])]}, "Invalid value: 'input_text'", "messages[0].content[0].type"),
        ({"messages": [user(), chat_result("a")]}, "must be a response to a preceeding message", "messages.[1].role"),
        ({"messages": [user(), chat_call("a", "b"), chat_result("a")]}, "did not have response messages: b", "messages.[3].role"),
        ({"messages": [user(), chat_call("a"), user(), chat_result("a")]}, "response messages: a", "messages.[2].role"),
        ({"tools": [{"type": "function", "function": {"name": "a.b"}}]}, "does not match pattern", "tools[0].function.name"),
    ],
)  # fmt: skip
async def test_openai_refuses(refused, changes, message, param):
    body = {"model": "gpt-4o", "messages": [user()], **changes}

    status, said = await refused("/v1/chat/completions", body, authorization="Bearer the-key")

    assert status == 400
    assert message in said["error"]["message"]
    assert (said["error"]["param"], said["error"]["type"]) == (param, "invalid_request_error")


REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SIGNATURE}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "y"}]}
CALLED = {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "21"}


@pytest.mark.parametrize(
    ("changes", "message", "code"),
    [
        ({"max_tokens": 3}, "Unknown parameter: 'max_tokens'.", "unknown_parameter"),
        ({"max_output_tokens": 3}, "Expected a value >= 16", "integer_below_min_value"),
        ({"previous_response_id": "resp_1"}, "with id 'resp_1' not found", "previous_response_not_found"),
        ({"tools": [{"type": "function", "function": {"name": "a"}}]}, "'tools[0].name'", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "'text.format.name'", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_object"}}}, "must contain the word 'json'", None),
        ({"temperature": 0.5}, "'temperature' is not supported with this model", "unsupported_parameter"),
        ({"stream_options": {}}, "only allowed when 'stream' is enabled", None),
        ({"input": [OUTPUT]}, "No tool call found for function call output with call_id a.", None),
        ({"input": [OUTPUT, CALLED]}, "No tool call found", None),
        ({"input": [CALLED]}, "No tool output found for function call a.", None),
        ({"input": [user(), REASONING]}, "without its required following item", None),
        ({"input": [REASONING, user()]}, "without its required following item", None),
        ({"input": [{**REASONING, "encrypted_content": OTHER}, SAID]}, "could not be verified", "invalid_encrypted_content"),
        ({"input": [{**CALLED, "id": "call_1"}, OUTPUT]}, "Expected an ID that begins with 'fc'", "invalid_value"),
        ({"input": [{**CALLED, "arguments": {}}, OUTPUT]}, "'input[0].arguments'", "invalid_type"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text"}]}]}, "'output_text' and 'refusal'", "invalid_value"),
        ({"input": [user([{"type": "text", "text": "x"}])]}, "Invalid value: 'text'", "invalid_value"),
        ({"input": [{"type": "tool_result"}]}, "Invalid value: 'tool_result'", "invalid_value"),
    ],
)  # fmt: skip
async def test_responses_refuse(strict, refused, changes, message, code):
    strict.issued.signatures.add(SIGNATURE)
    body = {"model": "gpt-5-mini", "input": "x", **changes}

    status, said = await refused("/v1/responses", body, authorization="Bearer the-key")

    assert status == 400
    assert message in said["error"]["message"]
    assert said["error"]["code"] == code


async def test_responses_refuse_an_item_without_the_thought_that_it_came_with(strict, strictly):
    strict.then(THOUGHT_AND_CALLS)
    response = await strictly.openai.responses.create(model="m", input="x", include=["reasoning.encrypted_content"])
    calls = [item for item in response.output if item.type == "function_call"]
    results = [{"type": "function_call_output", "call_id": call.call_id, "output": "21"} for call in calls]

    with pytest.raises(openai.BadRequestError, match="without its required 'reasoning' item"):
        await strictly.openai.responses.create(model="m", input=[*calls, *results])


async def test_responses_do_not_find_a_thought_that_was_not_kept(strict, strictly):
    strict.then(Turn(thinking="Hm."))
    response = await strictly.openai.responses.create(model="m", input="x", store=False)

    with pytest.raises(openai.NotFoundError, match="Items are not persisted"):
        await strictly.openai.responses.create(model="m", input=[user(), *response.output])


def use(*ids):
    blocks = [{"type": "tool_use", "id": id_, "name": "weather", "input": {}} for id_ in ids]
    return {"role": "assistant", "content": blocks}


def used(*ids):
    return [{"type": "tool_result", "tool_use_id": id_, "content": "21"} for id_ in ids]


WORDS = {"type": "text", "text": "x"}


def thought(**more):
    return {"type": "thinking", "thinking": "Hm.", **more}


THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
        ({"seed": 7}, "seed: Extra inputs are not permitted"),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-empty"),
        ({"messages": []}, "at least one message is required"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 'first message must use the "user" role'),
        ({"messages": [user(), {"role": "tool", "content": "x"}]}, "messages.1.role: Input should be 'user' or 'assistant'"),
        ({"messages": [user("")]}, "must have non-empty content"),
        ({"messages": [user([{"type": "text", "text": ""}])]}, "text content blocks must be non-empty"),
        ({"messages": [user([{"type": "text", "text": "\n"}])]}, "must contain non-whitespace text"),
        ({"messages": [user([{**WORDS, "id": 1}])]}, "messages.0.content.0.text.id: Extra inputs are not permitted"),
        ({"messages": [user([{"type": "image_url"}])]}, "messages.0.content.0: Input tag 'image_url'"),
        ({"messages": [user(), {"role": "assistant", "content": "x "}]}, "cannot end with trailing whitespace"),
        ({"messages": [user(), use("a", "b"), user(used("a"))]}, "immediately after: b."),
        ({"messages": [user(), use("a", "b"), user(used("a")), user(used("b"))]}, "immediately after: b."),
        ({"messages": [user(), use("a"), user([WORDS, *used("a")])]}, "immediately after: a."),
        ({"messages": [user(), use("a"), user(), use("b")]}, "messages.1: `tool_use` ids were found"),
        ({"messages": [user(), use("a")]}, "immediately after: a."),
        ({"messages": [user(), use("a"), user(used("a", "b"))]}, "messages.2.content.1: unexpected `tool_use_id`"),
        ({"messages": [user(), use("a"), user(used("a", "a"))]}, "must have a single result"),
        ({"messages": [user(), use("a"), user(used("a")), use("a"), user(used("a"))]}, "ids must be unique"),
        ({"messages": [user(), use("a.b"), user(used("a.b"))]}, "tool_use.id: String should match pattern"),
        ({"messages": [user([thought(signature=OTHER)])]}, "Invalid `signature` in `thinking` block"),
        ({"messages": [user([{"type": "redacted_thinking", "data": OTHER}])]}, "Invalid `data`"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "greater than or equal to 1024"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater than `thinking.budget_tokens`"),
        ({**THINKING, "temperature": 0.5}, "`temperature` may only be set to 1"),
        ({**THINKING, "top_k": 5}, "`top_k` must be unset"),
        ({**THINKING, "top_p": 0.5}, "`top_p` must be greater"),
        ({**THINKING, "messages": [user(), use("a"), user(used("a"))]}, "but found `tool_use`"),
        ({"tools": [{"name": "a.b", "input_schema": SCHEMA}]}, "tools.0.custom.name: String should match"),
        ({"tools": [{"name": "a", "input_schema": {}}]}, "input_schema.type: Input should be 'object'"),
        ({"tool_choice": {"type": "any"}}, "while providing tools"),
        ({"messages": [user([{**WORDS, "cache_control": {"type": "ephemeral"}}] * 5)]}, "A maximum of 4 blocks"),
    ],
)  # fmt: skip
async def test_anthropic_refuses(refused, changes, message):
    body = {"model": "claude-opus-5", "max_tokens": 2000, "messages": [user()], **changes}
    body = {name: value for name, value in body.items() if value is not None}

    status, said = await refused("/v1/messages", body, x_api_key="the-key", anthropic_version="2023-06-01")

    assert (status, said["type"], said["error"]["type"]) == (400, "error", "invalid_request_error")
    assert message in said["error"]["message"]


def content(role, *parts):
    return {"role": role, "parts": list(parts)}


ASKED = content("user", {"text": "x"})
FUNCTION = {"functionCall": {"name": "weather", "args": {}}}
SIGNED = {**FUNCTION, "thoughtSignature": SIGNATURE}
ANSWER = {"functionResponse": {"name": "weather", "response": {"output": "21"}}}


def declared(**more):
    return {"tools": [{"functionDeclarations": [{"name": "weather", **more}]}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"messages": []}, 'Unknown name "messages": Cannot find field.'),
        ({"contents": [{"role": "user", "content": "x"}]}, "Unknown name \"content\" at 'contents[0]'"),
        ({"contents": [content("user", {"type": "text", "text": "x"})]}, "\"type\" at 'contents[0].parts[0]'"),
        ({"generationConfig": {"max_tokens": 3}}, "\"max_tokens\" at 'generationConfig'"),
        (declared(parameters={**SCHEMA, "additionalProperties": False}), '"additionalProperties"'),
        (declared(parameters={"properties": {"a": {"$ref": "#"}}}), '"$ref"'),
        (declared(parameters=SCHEMA, parametersJsonSchema=SCHEMA), "only one of"),
        ({"tools": [{"functionDeclarations": [{"name": "1 a"}]}]}, "Invalid function name"),
        ({"contents": []}, "contents is not specified"),
        ({"contents": [content("assistant", {"text": "x"})]}, "Please use a valid role: user, model."),
        ({"contents": [content("user")]}, "contents.parts must not be empty"),
        ({"contents": [content("user", {})]}, "required oneof field 'data'"),
        ({"contents": [content("user", {"text": ""})]}, "empty text parameter"),
        ({"contents": [ASKED, content("model", SIGNED, FUNCTION), content("user", ANSWER)]}, "number of function response parts"),
        ({"contents": [ASKED, content("model", SIGNED), ASKED]}, "number of function response parts"),
        ({"contents": [ASKED, content("user", ANSWER)]}, "immediately after a function call turn"),
        ({"contents": [content("model", SIGNED), content("user", ANSWER)]}, "immediately after a user turn"),
        ({"contents": [ASKED, content("model", FUNCTION), content("user", ANSWER)]}, "missing a thought_signature"),
        ({"contents": [ASKED, content("model", {**FUNCTION, "thoughtSignature": OTHER}), content("user", ANSWER)]}, "Corrupted thought signature"),
    ],
)  # fmt: skip
async def test_gemini_refuses(strict, refused, changes, message):
    strict.issued.signatures.add(SIGNATURE)
    body = {"contents": [ASKED], **changes}

    status, said = await refused("/v1beta/models/gemini-3-pro:generateContent", body, x_goog_api_key="the-key")

    assert (status, said["error"]["code"], said["error"]["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert message in said["error"]["message"]


async def test_gemini_takes_both_ways_to_write_a_name_and_old_calls_without_a_signature(strict, refused):
    strict.issued.signatures.add(SIGNATURE)
    old = [ASKED, content("model", FUNCTION), content("user", ANSWER), content("model", {"text": "y"})]
    new = [ASKED, content("model", SIGNED), content("user", {"function_response": ANSWER["functionResponse"]})]
    body = {"contents": [*old, *new], "generation_config": {"max_output_tokens": 5}, "system_instruction": ASKED}

    status, _ = await refused("/v1beta/models/gemini-3-pro:generateContent", body, x_goog_api_key="the-key")

    assert status == 200


def turn(role, *blocks):
    return {"role": role, "content": list(blocks)}


def tool_use(id_="a", name="weather"):
    return {"toolUse": {"toolUseId": id_, "name": name, "input": {}}}


def tool_result(id_="a", *parts, **more):
    return {"toolResult": {"toolUseId": id_, "content": list(parts), **more}}


HELLO = turn("user", {"text": "x"})
SPEC = {"toolSpec": {"name": "weather", "inputSchema": {"json": SCHEMA}}}
CONFIG = {"toolConfig": {"tools": [SPEC]}}


def messages(*turns):
    return {"messages": list(turns), **CONFIG}


def claudes(**fields):
    return {"additionalModelRequestFields": fields}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (messages(turn("assistant", {"text": "x"})), "must start with a user message"),
        (messages(HELLO, HELLO), "must alternate between user and assistant roles"),
        (messages(turn("user")), "The content field in the Message object at messages.0 is empty"),
        (messages(turn("user", {"text": " "})), "ContentBlock object at messages.0.content.0 is blank"),
        (messages(turn("user", {"text": "x", "cachePoint": {}})), "must set one of the following keys"),
        ({"system": [{"text": ""}]}, "SystemContentBlock object at system.0 is blank"),
        (messages(HELLO, turn("assistant", tool_use()), HELLO), "Expected toolResult blocks at messages.2.content for the following Ids: a"),
        (messages(HELLO, turn("assistant", tool_use())), "Expected toolResult blocks at messages.2.content"),
        (messages(HELLO, turn("assistant", tool_use()), turn("user", tool_result(), tool_result("b"))), "exceeds the number of toolUse blocks"),
        (messages(turn("user", tool_result())), "exceeds the number of toolUse blocks"),
        ({"messages": [HELLO, turn("assistant", tool_use()), turn("user", tool_result())]}, "toolConfig field must be defined"),
        (messages(HELLO, turn("assistant", tool_use()), turn("user", tool_result("a", status="error"))), "cannot be empty when status value is error"),
        (messages(HELLO, turn("assistant", tool_use()), turn("user", tool_result("a", {"json": []}))), "toolResult.content.0.json is invalid"),
        (messages(HELLO, turn("assistant", tool_use("a b")), turn("user", tool_result("a b"))), "regular expression pattern"),
        ({"toolConfig": {"tools": []}}, "greater than or equal to 1"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "a.b", "inputSchema": {"json": SCHEMA}}}]}}, "regular expression pattern: [a-zA-Z0-9_-]+"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "a", "inputSchema": {"json": {}}}}]}}, "must be one of the following: object"),
        (claudes(seed=7), "The model returned the following errors: seed: Extra inputs are not permitted"),
        ({**claudes(thinking={"type": "enabled", "budget_tokens": 2000}), "inferenceConfig": {"maxTokens": 2000}}, "`thinking.budget_tokens`"),
        ({**claudes(**THINKING), "inferenceConfig": {"temperature": 0.5}}, "`temperature` may only be set to 1"),
        (messages(HELLO, turn("assistant", {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": OTHER}}}), HELLO), "Invalid `signature`"),
        (messages(HELLO, turn("assistant", {"reasoningContent": {"redactedContent": OTHER}}), HELLO), "Invalid `data`"),
    ],
)  # fmt: skip
async def test_bedrock_refuses(refused, changes, message):
    body = {"messages": [HELLO], **changes}

    path = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    status, said = await refused(path, body, authorization="Bearer the-key")

    assert status == 400
    assert message in said["message"]


# -- keys


async def test_a_wrong_key_is_the_clients_own_exception(strict, clients_of):
    clients = clients_of(strict, key="another")

    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        await clients.ask("openai_chat", streamed=True)
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        await clients.ask("openai_responses", streamed=False)
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        await clients.ask("anthropic", streamed=True)
    with pytest.raises(errors.ClientError, match="API key not valid") as googles:
        await clients.ask("gemini", streamed=False)
    with pytest.raises(ClientError, match="security token included in the request is invalid") as amazons:
        await clients.ask("bedrock", streamed=True)

    assert googles.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert amazons.value.response["Error"]["Code"] == "UnrecognizedClientException"


async def test_the_right_key_opens_every_dialect(strictly, dialect):
    assert (await strictly.ask(dialect, streamed=True)).text == Turn().text


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/chat/completions", {}, 401),
        ("/openai/deployments/d/chat/completions", {"api_key": "the-key"}, 200),
        ("/v1/responses", {}, 401),
        ("/v1/messages", {"anthropic_version": "2023-06-01"}, 401),
        ("/v1/messages", {"x_api_key": "the-key"}, 400),
        ("/v1beta/models/m:generateContent", {}, 403),
        ("/v1beta/models/m:generateContent?key=the-key", {}, 200),
        ("/v1/projects/p/locations/l/publishers/google/models/m:generateContent", {"authorization": "Bearer x"}, 401),
        ("/model/m/converse", {}, 403),
        ("/model/m/converse", {"authorization": "AWS4-HMAC-SHA256 Credential=the-key"}, 403),
    ],
)
async def test_a_key_is_looked_for_where_the_vendor_looks(refused, path, headers, status):
    body = {"contents": [ASKED]} if "generateContent" in path else {"messages": [user()]}

    assert (await refused(path, body, **headers))[0] == status


async def test_without_being_told_nothing_is_refused(upstream, clients_of, dialect):
    heard = await clients_of(upstream, key="any").ask(dialect, streamed=False)

    assert heard.text == Turn().text
