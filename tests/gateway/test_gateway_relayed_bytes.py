"""Whoever calls a provider in its own dialect gets its bytes and sends it theirs: odd spacing, odd order, odd fields included."""

import faces
import msgspec
import pytest
from faces import ANTHROPIC, CALLERS, CHAT, GEMINI, RESPONSES

from flyball.testing import Turn

WHOLE = {
    CHAT: b'{"zeta": [1e3, 1.50, -0.0],\n "choices" : [ {"finish_reason":"stop","index":0, "message":'
    b'{ "content":"gr\\u00fc\\u00dfe \\/ \xc3\xa4","role":"assistant" , "mood":{"b":1,"a":2}}, "logprobs":null} ],'
    b'\t"usage":{"total_tokens":2, "prompt_tokens":1,"completion_tokens":1,"carbon":0.10}, "model":"m-2030", "id":"x" }\n',
    RESPONSES: b'{"status" : "completed", "zeta":1e3,\n"output":[ {"content":[{"annotations":[],"text":"gr\\u00fc\\u00dfe",'
    b'"type":"output_text" ,"mood":1.50}],"role":"assistant","type":"message","id":"msg_1","status":"completed"} ],'
    b'"usage":{"output_tokens":1 ,"input_tokens":1,"total_tokens":2,"carbon":0.10},"object":"response","id":"resp_x",'
    b'"model":"m-2030","created_at":1.0, "error":null}',
    ANTHROPIC: b'{ "stop_reason":"end_turn","zeta":[ 1e3 ],"content": [{"text":"gr\\u00fc\\u00dfe", "type":"text","mood":1.50}],\r\n'
    b'"usage":{"output_tokens":1,"input_tokens":1 ,"carbon":0.10},"role":"assistant","model":"m-2030","type":"message","id":"msg_x",'
    b'"stop_sequence":null}',
    GEMINI: b'{\n  "zeta": 1e3,\n  "usageMetadata": { "candidatesTokenCount":1, "promptTokenCount": 1, "carbon": 0.10 },\n'
    b'  "candidates": [\n    {"index":0, "finishReason": "STOP", "content": { "role": "model",'
    b' "parts": [ {"text": "gr\\u00fc\\u00dfe","mood":1.50} ] } }\n  ],\n  "modelVersion": "m-2030"\n}\n',
}
STREAM = {
    CHAT: b": \xc2\xa0hello\n\n"
    b'id: 1\nretry: 10\ndata:{"choices" : [ {"delta":{"role":"assistant","content":""},"index":0} ],"zeta":1e3}\n\n'
    b'data:   {"choices":[{"index":0,"delta":{ "content":"gr\\u00fc\\u00dfe" ,"mood":1.50}}]}\n\n'
    b": still there\n\n"
    b'event: message\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"usage":{"total_tokens":2,"prompt_tokens":1, "completion_tokens":1,"carbon":0.10},"choices":[]}\n\n'
    b"data: [DONE]\n\n",
    RESPONSES: b'event: response.created\ndata: {"zeta":1e3,"type":"response.created","sequence_number":0,"response":'
    b'{"id":"resp_x","object":"response","status":"in_progress","model":"m-2030","output":[ ]}}\n\n'
    b": still there\n\n"
    b'data:{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant",'
    b'"content":[],"status":"in_progress"}}\nevent:response.output_item.added\n\n'
    b'event: response.output_text.delta\ndata: {"delta":"gr\\u00fc\\u00dfe" , "type":"response.output_text.delta",'
    b'"item_id":"msg_1","output_index":0,"content_index":0,"mood":1.50}\n\n'
    b'event: response.brand_new\ndata: {"type":"response.brand_new","x":[ 1 ]}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed", "response":{"status":"completed","id":"resp_x","output":'
    b'[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text",'
    b'"text":"gr\\u00fc\\u00dfe","annotations":[]}]}],"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}}\n\n',
    ANTHROPIC: b'event: message_start\ndata: {"message":{"usage":{"output_tokens":1,"input_tokens":1},"content":[],"role":"assistant",'
    b'"id":"msg_x","type":"message","model":"m-2030"},"type":"message_start","zeta":1e3}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: content_block_start\ndata: {"index":0,"type":"content_block_start","content_block":{"text":"","type":"text"}}\n\n'
    b'event: content_block_delta\ndata: {"index" : 0,"delta":{"text":"gr\\u00fc\\u00dfe","type":"text_delta","mood":1.50},'
    b'"type":"content_block_delta"}\n\n'
    b": still there\n\n"
    b'event: brand_new\ndata:{"type":"brand_new","x":[ 1 ]}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0 }\n\n'
    b'event: message_delta\ndata: {"usage":{"output_tokens":1,"carbon":0.10},"delta":{"stop_reason":"end_turn"},'
    b'"type":"message_delta"}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop" }\n\n',
    GEMINI: b'data: {"zeta": 1e3,"candidates": [ {"content": {"parts":[{"text":"gr\\u00fc\\u00dfe","mood":1.50}],"role":"model"},"index":0}]}\r\n\r\n'
    b": still there\r\n\r\n"
    b'data:{"brandNew": {"x":[ 1 ]},"modelVersion":"m-2030"}\r\n\r\n'
    b'data: {"usageMetadata":{"candidatesTokenCount":1,"promptTokenCount": 1},"candidates":[{"finishReason":"STOP","content":'
    b'{"role":"model","parts":[{"text":""}]}}]}\r\n\r\n',
}
REQUEST = {
    CHAT: b'"messages": [ {"content":"gr\\u00fc\\u00dfe \\/", "role":"user","mood":1e3} ] ,',
    RESPONSES: b'"input" :[ {"content":"gr\\u00fc\\u00dfe \\/", "role":"user","mood":1e3} ] ,',
    ANTHROPIC: b'"max_tokens": 5e1,\n"messages": [ {"content":"gr\\u00fc\\u00dfe \\/", "role":"user","mood":1e3} ] ,',
    GEMINI: b'"contents": [ {"parts":[ {"text":"gr\\u00fc\\u00dfe \\/","mood":1e3}], "role":"user"} ] ,',
}


@pytest.fixture(params=CALLERS)
def spoken(request, gateway):
    """One dialect, spoken by the caller and by the upstream."""
    gateway.know(models={"fast": faces.behind(gateway.upstream, request.param)})
    return request.param


async def test_an_answer_of_odd_spacing_order_and_fields_comes_back_byte_for_byte(gateway, spoken):
    gateway.upstream.then(Turn(raw=WHOLE[spoken]))

    told = await faces.ask(gateway, spoken)

    assert (told.status, told.body) == (200, WHOLE[spoken])
    assert told.headers["content-length"] == str(len(WHOLE[spoken]))
    root, (attempt,) = gateway.spans.root, gateway.spans.attempts
    assert root.output.startswith("grüße")
    assert (attempt.usage.input_tokens, attempt.usage.output_tokens) == (1, 1)


@pytest.mark.parametrize("size", [0, 1, 7, 100])
async def test_a_stream_of_odd_spacing_order_and_fields_comes_back_byte_for_byte_however_it_is_cut(
    gateway, spoken, size
):
    gateway.upstream.then(Turn(raw=STREAM[spoken], chunk_bytes=size))

    told = await faces.ask(gateway, spoken, stream=True)

    assert (told.status, told.body) == (200, STREAM[spoken])
    assert (await gateway.settled()).root.output == "grüße"
    assert gateway.spans.root.status == "ok"


async def test_a_stream_with_returns_at_the_ends_of_its_lines_comes_back_byte_for_byte(gateway, spoken):
    raw = STREAM[spoken].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    gateway.upstream.then(Turn(raw=raw))

    told = await faces.ask(gateway, spoken, stream=True)

    assert told.body == raw


async def test_a_chunk_of_usage_that_was_not_asked_for_is_all_that_is_missing(gateway):
    gateway.upstream.then(Turn(raw=STREAM[CHAT]))

    told = await faces.ask(gateway, CHAT, stream=True, stream_options=None)

    before, usage, after = STREAM[CHAT].partition(STREAM[CHAT].split(b"\n\n")[-3] + b"\n\n")
    assert b'"usage"' in usage
    assert told.body == before + after


@pytest.mark.parametrize("stream", [False, True])
async def test_every_value_of_a_question_arrives_byte_for_byte_and_in_its_order(gateway, spoken, stream):
    gateway.upstream.then(Turn(raw=(STREAM if stream else WHOLE)[spoken]))
    model = b"" if spoken == GEMINI else b'"model" : "fast",'
    streamed = b'"stream": true ,' if stream and spoken != GEMINI else b""
    # The one value that is worded anew, because usage is always asked for: so it is given as it would be worded.
    usage = b'"stream_options":{"include_usage":true,"mood":"odd"},' if spoken == CHAT and stream else b""
    sent = b'{ %b "zeta":[ 1e3,1.50 , 12345678901234567890123], %b%b%b "flyball":{"strict":false}, "tomorrow" : {"b":1,"a":[ ]}\n}'

    told = await faces.ask(gateway, spoken, stream=stream, body=sent % (REQUEST[spoken], model, streamed, usage))

    assert told.status == 200
    given = msgspec.json.decode(sent % (REQUEST[spoken], model, streamed, usage), type=dict[str, msgspec.Raw])
    arrived = msgspec.json.decode(gateway.upstream.requests[0].body, type=dict[str, msgspec.Raw])
    del given["flyball"]
    if spoken != GEMINI:
        given["model"] = msgspec.Raw(msgspec.json.encode(faces.VENDORS[spoken][1]))
    assert list(arrived) == list(given)
    assert {name: bytes(raw) for name, raw in arrived.items()} == {name: bytes(raw) for name, raw in given.items()}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_in_the_callers_own_dialect_comes_back_byte_for_byte(gateway, spoken, stream):
    error = {
        CHAT: b'{"error" : {"type":"invalid_request_error", "message":"no", "zeta":1e3,"param":null,"code":null}}\n',
        RESPONSES: b'{"error" : {"type":"invalid_request_error", "message":"no", "zeta":1e3,"param":null,"code":null}}\n',
        ANTHROPIC: b'{"error" : {"message":"no","type":"invalid_request_error", "zeta":1e3},"type":"error" }',
        GEMINI: b'{\n  "error": {\n "status":"INVALID_ARGUMENT", "code": 400, "message":"no", "zeta":1e3\n  }\n}\n',
    }[spoken]
    gateway.upstream.then(Turn(fault="status", status=400, raw=error))

    told = await faces.ask(gateway, spoken, stream=stream)

    assert (told.status, told.body) == (400, error)
