"""What of an upstream's failure nobody is told: the key that it was sent, whatever field repeats it, and words of an answer that was thrown away."""

from dataclasses import replace

import faces
import msgspec
import pytest
from faces import ANTHROPIC, BEDROCK, CALLERS, CHAT, GEMINI, RESPONSES, UPSTREAMS
from surroundings import serving

from flyball.gateway.app import GatewayApp
from flyball.llm import translation
from flyball.llm.errors import UpstreamCutError
from flyball.testing import Turn

SENT = "sk-upstream"  # that `faces.behind` calls its upstreams with
CODED = {
    CHAT: {"error": {"message": "bad", "type": SENT, "code": f"the key {SENT} is off"}},
    RESPONSES: {"error": {"message": "bad", "type": SENT, "code": f"the key {SENT} is off"}},
    ANTHROPIC: {"type": "error", "error": {"type": f"key_{SENT}", "message": "bad"}},
    GEMINI: {"error": {"code": 500, "message": "bad", "status": SENT}},
    BEDROCK: {"message": "bad", "__type": SENT},
}
EVENTS = {
    CHAT: b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: %b\n\n',
    RESPONSES: b'data: {"type":"response.created","response":{"id":"r","status":"in_progress","output":[]}}\n\n'
    b'data: {"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m","role":"assistant","content":[]}}\n\n'
    b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"m","delta":"hi"}\n\n'
    b'event: error\ndata: {"type":"error","code":"SENT","message":"bad SENT"}\n\n',
    ANTHROPIC: b'data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"m"}}\n\n'
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n'
    b"event: error\ndata: %b\n\n",
    GEMINI: b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]}}]}\r\n\r\ndata: %b\r\n\r\n',
}


async def nobody_is_told(gateway, told):
    assert SENT not in str(told)
    assert SENT.encode() not in msgspec.json.encode(list(await gateway.settled()))


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("face", UPSTREAMS)
@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "escaped"])
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_key_in_the_code_of_an_error_is_told_to_nobody(gateway, caller, face, status, escaped):
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})
    error = msgspec.json.encode(CODED[face])
    error = error.replace(SENT.encode(), b"sk\\u002dupstream") if escaped else error
    failed = {} if status == 200 else {"fault": "status", "status": status}
    gateway.upstream.then(*[Turn(raw=error, **failed)] * 3)

    told = await faces.ask(gateway, caller)

    assert told.status >= 400
    await nobody_is_told(gateway, told)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("face", EVENTS)
async def test_a_key_in_the_code_of_an_error_in_a_stream_is_told_to_nobody(gateway, caller, face):
    gateway.know(models={"fast": faces.behind(gateway.upstream, face)})
    said = EVENTS[face].replace(b"SENT", SENT.encode())
    gateway.upstream.then(Turn(raw=said.replace(b"%b", msgspec.json.encode(CODED[face]))))

    told = await faces.ask(gateway, caller, stream=True)

    assert b'"hi"' in told.body
    assert b"bad" in told.body
    await nobody_is_told(gateway, told)


@pytest.mark.parametrize("end", [b"", b"\n\ndata: [DONE]\n\n"], ids=["at the end", "in the middle"])
async def test_a_key_among_lines_that_are_no_events_is_told_to_nobody(gateway, end):
    gateway.upstream.then(Turn(raw=EVENTS[CHAT].partition(b"data: %b")[0] + f"<p>{SENT}\n\n: {SENT}".encode() + end))

    told = await faces.ask(gateway, CHAT, stream=True)

    assert b'"hi"' in told.body
    await nobody_is_told(gateway, told)


async def test_nonsense_is_told_without_the_key_that_stands_in_it(gateway):
    gateway.know(models={"fast": faces.behind(gateway.upstream, ANTHROPIC)})
    answer = {"type": "message", "content": [{"type": "text", "text": 5}], "role": SENT, "stop_reason": {SENT: 1}}
    gateway.upstream.then(*[Turn(raw=msgspec.json.encode(answer))] * 3)

    told = await faces.ask(gateway, CHAT)

    assert told.status == 502
    await nobody_is_told(gateway, told)


async def test_words_of_a_try_that_failed_stand_in_no_record_of_what_was_answered(gateway, monkeypatch):
    spoken, failures = translation.dialect(ANTHROPIC), [UpstreamCutError("it cannot be worded")]
    words = spoken.write_completion

    def not_at_first(completion, frame, losses):
        if failures:
            raise failures.pop()
        return words(completion, frame, losses)

    monkeypatch.setattr(spoken, "write_completion", not_at_first)
    gateway.upstream.then(Turn(text="thrown away", stop="length"), Turn(text="the answer"))

    told = await faces.ask(gateway, ANTHROPIC)

    assert faces.text_of(ANTHROPIC, told.body) == "the answer"
    root = (await gateway.settled()).root
    assert (root.output, root.attributes["finish_reason"]) == ("the answer", "stop")
    first, second = gateway.spans.attempts
    assert (first.status, first.output) == ("error", "")
    assert (second.status, second.output) == ("ok", "the answer")
    assert first.usage.output_tokens  # it was paid for


async def test_words_of_an_answer_that_nobody_got_stand_in_no_record(gateway, monkeypatch):
    def never(*_):
        raise UpstreamCutError("it cannot be worded")

    monkeypatch.setattr(translation.dialect(ANTHROPIC), "write_completion", never)

    told = await faces.ask(gateway, ANTHROPIC)

    assert told.status == 502
    assert (await gateway.settled()).root.output == ""


@pytest.mark.parametrize("status", [401, 403])
async def test_a_late_refusal_of_this_servers_key_is_not_said_of_the_callers(gateway, status):
    refusal = b'{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}'
    gateway.upstream.then(Turn(fault="status", status=status, raw=refusal, delay_seconds=0.2))
    house = replace(gateway.house, keep_alive_seconds=0.05, early_keep_alive_seconds=0.05)
    async with serving(GatewayApp(house)) as address:
        early = type(gateway)(f"http://127.0.0.1:{address[1]}", house, gateway.upstream)
        told = await faces.ask(early, CHAT, stream=True)

    error = faces.data_of(told.body)[-1]["error"]
    assert told.status == 200
    assert (error["code"], error["type"]) == ("upstream_key_refused", "api_error")
    assert "this server's own key" in error["message"]
    assert "Incorrect" not in error["message"]
