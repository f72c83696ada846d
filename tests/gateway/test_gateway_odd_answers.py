"""Answers that are new, odd, endless or wrong: what a relay may pass on, what ends a call, and what is an error."""

import asyncio

import msgspec
import pytest
from pyreqwest.client import ClientBuilder
from surroundings import CHUNK, KEY, OK, streamed, whole

from flyball.llm import wire

MESSAGES = [{"role": "user", "content": "?"}]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
GEMINI = "/v1beta/models/fast:streamGenerateContent?alt=sse"


def chat(**fields):
    return msgspec.json.encode({"model": "fast", "messages": MESSAGES, **fields})


def claude(**fields):
    return msgspec.json.encode({"model": "fast", "max_tokens": 5, "messages": MESSAGES, **fields})


async def endless():
    """A stream that never pauses and never ends."""
    yield HEAD
    while True:
        yield b"data: " + CHUNK + b"\n\n"
        await asyncio.sleep(0)


# -- endless


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"], ids=["relayed", "translated"])
async def test_a_stream_that_never_pauses_ends_at_the_deadline(gateway, saying, path):
    await saying(endless)
    told = await gateway.send("POST", path, chat(stream=True, max_tokens=5), authorization=f"Bearer {KEY}")

    assert b"deadline" in told.body[-500:]
    assert (await gateway.settled()).root.attributes["error_code"] == "upstream_timeout"


async def test_a_caller_who_leaves_a_stream_that_never_pauses_ends_it(gateway, saying):
    hung_up = asyncio.Event()

    async def until_they_leave():
        try:
            async for piece in endless():
                yield piece
        finally:
            hung_up.set()

    await saying(until_they_leave)
    async with ClientBuilder().no_proxy().build() as client:
        request = client.post(f"{gateway.base}/v1/chat/completions").header("authorization", f"Bearer {KEY}")
        async with request.body_bytes(chat(stream=True)).build_streamed() as answer:
            await answer.body_reader.read_chunk()

    async with asyncio.timeout(2):
        await hung_up.wait()
    assert (await gateway.settled()).root.status == "error"


async def test_a_translated_answer_larger_than_any_answer_is_cut_off(gateway, saying, monkeypatch):
    monkeypatch.setattr("flyball.gateway.translated.LARGEST_ANSWER", 10_000)
    await saying(endless)

    told = await gateway.send("POST", "/v1/messages", claude(stream=True), x_api_key=KEY)

    assert b"more than 10000 bytes" in told.body[-500:]


# -- new or odd, and relayed


ODD = [
    {**OK, "choices": [{"index": "first", "message": {"content": [{"type": "hologram"}]}, "finish_reason": 7}]},
    {**OK, "choices": [{"index": 0, "message": {"content": "hi", "tool_calls": {"new": "shape"}}}]},
]


@pytest.mark.parametrize("answer", [*map(msgspec.json.encode, ODD), b'{"choices":[{"message":{"content":"\\ud800"}}]}'])
async def test_a_whole_answer_of_a_newer_shape_is_passed_on_as_it_is(gateway, saying, answer):
    await saying(whole(answer))

    told = await gateway.post(chat())

    assert (told.status, told.body) == (200, answer)
    assert (await gateway.settled()).root.status == "ok"


@pytest.mark.parametrize(
    "event",
    [
        b'{"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}',
        b'{"choices":{"new":"shape"}}',
        b'{"choices":[{"index":null,"delta":{"content":{"new":"shape"}}}]}',
    ],
)
async def test_an_event_of_a_newer_shape_is_passed_on_as_it_is(gateway, saying, event):
    stop = b'{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
    await saying(streamed(event, CHUNK, stop, b"[DONE]"))

    told = await gateway.post(chat(stream=True))

    assert told.body.startswith(b"data: " + event + b"\n\ndata: " + CHUNK)
    assert told.body.endswith(b"data: [DONE]\n\n")
    assert (await gateway.settled()).root.status == "ok"


async def test_a_vendor_that_says_in_every_event_why_it_ends_is_relayed_live(gateway, saying):
    seen = asyncio.Event()

    def piece(text):
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
        return b"data: " + msgspec.json.encode({"candidates": [candidate]}) + b"\r\n\r\n"

    async def pieces():
        yield HEAD + piece("one") + piece("two")
        async with asyncio.timeout(2):
            await seen.wait()
        yield piece("three")

    await saying(pieces, provider="gemini")
    async with ClientBuilder().no_proxy().build() as client:
        request = client.post(gateway.base + GEMINI).header("x-goog-api-key", KEY)
        body = msgspec.json.encode({"contents": [{"role": "user", "parts": [{"text": "?"}]}]})
        async with request.body_bytes(body).streamed_read_buffer_limit(0).build_streamed() as answer:
            first = bytes(await answer.body_reader.read_chunk())
            seen.set()
            rest = b"".join([bytes(chunk) async for chunk in _chunks(answer)])

    assert first == piece("one")
    assert rest == piece("two") + piece("three")


async def _chunks(answer):
    while (chunk := await answer.body_reader.read_chunk()) is not None:
        yield chunk


# -- errors


@pytest.mark.parametrize("wait", ["inf", "1e999", "nan", "-5", "Mon, 01 Jan 99999 00:00:00 GMT", "soon"])
async def test_a_wait_that_makes_no_sense_is_not_waited_for(gateway, saying, wait):
    refusal = whole({"error": {"message": "slow down"}}, "429 Slow", f"retry-after: {wait}\r\n".encode())
    await saying(refusal)

    told = await gateway.post(chat())

    assert told.status == 429
    assert told.headers.get("retry-after", "1").isdigit()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"], ids=["relayed", "translated"])
async def test_plain_json_with_an_error_in_place_of_a_stream_is_that_error(gateway, saying, path):
    await saying(
        whole({"error": {"message": "no more of it", "type": "rate_limit_error", "code": "rate_limit_exceeded"}})
    )

    told = await gateway.send("POST", path, chat(stream=True, max_tokens=5), authorization=f"Bearer {KEY}")

    assert told.status == 429
    assert "no more of it" in told.error["message"]


async def test_a_very_long_error_is_told_by_its_beginning(gateway, saying):
    await saying(whole(b"the disk is full " * 10_000, "500 Oops"))

    told = await gateway.post(chat())

    assert told.status == 500
    assert "the disk is full" in told.error["message"]
    assert len(told.body) < 2_000


async def test_a_refusal_that_google_puts_into_a_list_reaches_its_clients_as_they_read_it(gateway, saying):
    error = {"error": {"code": 400, "message": "no such field", "status": "INVALID_ARGUMENT"}}
    await saying(whole([error], "400 Bad Request"), provider="gemini")

    body = msgspec.json.encode({"contents": [{"role": "user", "parts": [{"text": "?"}]}]})
    told = await gateway.send("POST", GEMINI, body, x_goog_api_key=KEY)

    assert told.status == 400
    assert (told.error["code"], told.error["status"]) == (400, "INVALID_ARGUMENT")
    assert "no such field" in told.error["message"]


@pytest.mark.parametrize("answer", [b"<html>", b'{"input_tokens":"many"}', b"[]", b'{"error":{"message":"no"}}'])
@pytest.mark.parametrize("provider", ["anthropic", "gemini"], ids=["relayed", "translated"])
async def test_a_number_of_tokens_that_is_none_is_the_upstreams_failure(gateway, saying, answer, provider):
    await saying(whole(answer), provider=provider)

    told = await gateway.send("POST", "/v1/messages/count_tokens", claude(), x_api_key=KEY)

    assert told.status == 502
    assert msgspec.json.decode(told.body)["type"] == "error"


async def test_what_an_answer_loses_is_named_even_where_losses_of_the_question_are_refused(gateway, saying):
    await saying(whole({**OK, "choices": [*OK["choices"], {**OK["choices"][0], "index": 1}]}))

    told = await gateway.send("POST", "/v1/messages", claude(flyball={"strict": True}), x_api_key=KEY)

    assert told.status == 200
    assert "choices[1]" in told.headers["x-flyball-dropped"]


def test_the_largest_answer_is_larger_than_any_sound_one():
    assert wire.LARGEST_ANSWER >= 16 * 1024 * 1024
