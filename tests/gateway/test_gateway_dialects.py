"""Callers of one dialect, an upstream of another: what arrives there, what comes back, what is told of what was lost."""

import asyncio
from dataclasses import replace

import msgspec
import pytest
from pyreqwest.client import ClientBuilder

from flyball.gateway.app import GatewayApp
from flyball.testing import Turn

CACHED = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
QUESTION = [{"role": "user", "content": "What does a governor do?"}]


def asked(**fields):
    """A body for Anthropic's messages."""
    return msgspec.json.encode({"model": "fast", "max_tokens": 50, "messages": QUESTION, **fields})


async def messages(gateway, **fields):
    return await gateway.send("POST", "/v1/messages", asked(**fields), x_api_key="fb_the-callers-own-key")


def events(answered):
    """The stream's events, as their types and their data."""
    found = []
    for block in answered.body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in lines:
            found.append((lines.get("event", ""), msgspec.json.decode(lines["data"])))
    return found


# -- translated calls


async def test_a_translated_call_asks_in_the_upstreams_words_and_answers_in_the_callers(gateway):
    answered = await messages(gateway, system="Be brief.", temperature=0.5)

    sent = msgspec.json.decode(gateway.upstream.requests[0].body)
    assert gateway.upstream.requests[0].path == "/v1/chat/completions"
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, *QUESTION]
    assert (sent["model"], sent["max_tokens"], sent["temperature"]) == ("mock-small", 50, 0.5)
    answer = msgspec.json.decode(answered.body)
    assert answer["content"] == [{"type": "text", "text": Turn().text}]
    assert (answer["type"], answer["model"], answer["stop_reason"]) == ("message", "fast", "end_turn")
    assert answer["usage"]["input_tokens"] == 11


async def test_the_record_of_a_translated_call_says_in_which_dialect_the_upstream_was_asked_and_what_was_dropped(
    gateway,
):
    answered = await messages(gateway, system=CACHED, messages=[{"role": "user", "content": CACHED}])

    dropped = "system[0].cache_control, messages[0].content[0].cache_control"
    assert answered.headers["x-flyball-dropped"] == dropped
    root, (attempt,) = gateway.spans.root, gateway.spans.attempts
    assert root.attributes["dialect"] == "anthropic_messages"
    assert (attempt.attributes["dialect"], attempt.attributes["dropped"]) == ("openai_chat", dropped.split(", "))
    assert (attempt.usage.input_tokens, attempt.usage.output_tokens) == (11, 9)
    assert (root.input, root.output) == (CACHED[0]["text"], Turn().text)


async def test_a_strict_call_is_refused_before_anything_is_asked(gateway):
    answered = await messages(gateway, system=CACHED, flyball={"strict": True})

    assert answered.status == 400
    assert msgspec.json.decode(answered.body)["error"]["type"] == "invalid_request_error"
    assert "cache_control" in answered.error["message"]
    assert gateway.upstream.requests == []
    assert gateway.spans.root.attributes["error_code"] == "cannot_carry"


async def test_what_the_upstream_cannot_do_is_refused_by_name(gateway):
    search = {"type": "web_search_20250305", "name": "web_search"}

    answered = await messages(gateway, tools=[search])

    assert answered.status == 400
    assert "tools[0]" in answered.error["message"]
    assert gateway.upstream.requests == []


async def test_a_translated_stream_has_the_callers_grammar_and_is_recorded_before_its_end(gateway):
    answered = await messages(gateway, stream=True)

    kinds = [kind for kind, _ in events(answered)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    text = "".join(data["delta"]["text"] for kind, data in events(answered) if kind == "content_block_delta")
    assert text == Turn().text
    assert gateway.spans.root.output == Turn().text
    assert gateway.spans.attempts[0].usage.output_tokens == 9
    sent = msgspec.json.decode(gateway.upstream.requests[0].body)
    assert sent["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("fault", ["reset", "malformed", "error_in_200", "status"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_failure_before_the_first_content_is_tried_again_unseen(gateway, fault, streamed):
    gateway.upstream.then(Turn(fault=fault, status=503, after_chunks=0), Turn())

    answered = await messages(gateway, stream=streamed)

    assert answered.status == 200
    assert b"error" not in answered.body
    assert len(gateway.upstream.requests) == 2
    assert [bool(attempt.error) for attempt in gateway.spans.attempts] == [True, False]


@pytest.mark.parametrize("fault", ["reset_midway", "cut", "unfinished", "error_midway", "stall_midway"])
async def test_a_stream_that_breaks_ends_with_the_callers_error_event_and_never_with_a_sound_end(gateway, fault):
    gateway.upstream.then(Turn(fault=fault, after_chunks=4))

    answered = await messages(gateway, stream=True)

    *_, (kind, data) = events(answered)
    assert kind == "error"
    assert data["type"] == "error"
    assert b"message_stop" not in answered.body
    assert gateway.spans.root.status == "error"
    assert len(gateway.upstream.requests) == 1


async def test_an_upstreams_refusal_keeps_its_status_and_its_words_in_the_callers_envelope(gateway):
    gateway.upstream.then(Turn(fault="status", status=422))

    answered = await messages(gateway)

    assert answered.status == 422
    body = msgspec.json.decode(answered.body)
    assert body["type"] == "error"
    assert "scripted failure 422" in body["error"]["message"]
    assert answered.headers["x-should-retry"] == "false"


async def test_a_busy_upstream_passes_its_wait_on(gateway):
    gateway.upstream.then(*[Turn(fault="status", status=429, retry_after="30")] * 3)

    answered = await messages(gateway)

    assert (answered.status, answered.headers["retry-after"]) == (429, "30")
    assert msgspec.json.decode(answered.body)["error"]["type"] == "rate_limit_error"


async def test_a_wrong_field_is_named_in_the_callers_envelope_and_leaves_a_trace(gateway):
    answered = await messages(gateway, messages=[{"role": "user", "content": [{"type": "text", "text": 7}]}])

    assert answered.status == 400
    assert answered.error["type"] == "invalid_request_error"
    assert "messages[0].content[0].text" in answered.error["message"]
    assert gateway.spans.root.attributes["error_code"] == "invalid_body"


async def test_a_function_answers_in_the_callers_dialect(gateway, runner):
    answered = await messages(gateway, model="triage")
    streamed = await messages(gateway, model="triage", stream=True)

    answer = msgspec.json.decode(answered.body)
    assert answer["content"] == [{"type": "text", "text": "The date.\nToday's."}]
    assert answer["flyball"]["function"] == "triage"
    text = "".join(data["delta"]["text"] for kind, data in events(streamed) if kind == "content_block_delta")
    assert text == "The date.\nToday's."
    assert any(data.get("flyball", {}).get("function") == "triage" for _, data in events(streamed))


# -- counting


async def test_tokens_that_nobody_can_count_are_estimated_and_said_to_be(gateway):
    answered = await gateway.send("POST", "/v1/messages/count_tokens", asked(), x_api_key="fb_the-callers-own-key")

    assert answered.status == 200
    assert msgspec.json.decode(answered.body)["input_tokens"] > 5
    assert answered.headers["x-flyball-estimated"] == "true"
    assert gateway.upstream.requests == []


async def test_the_tokens_of_a_function_are_estimated_without_running_it(gateway, runner):
    answered = await gateway.send(
        "POST", "/v1/messages/count_tokens", asked(model="triage"), x_api_key="fb_the-callers-own-key"
    )

    assert msgspec.json.decode(answered.body)["input_tokens"] > 5
    assert runner.requests == []


# -- keys and lists


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/models", {"authorization": "Bearer KEY"}),
        ("/v1/models", {"x_api_key": "KEY", "anthropic_version": "2023-06-01"}),
        ("/v1/models", {"api_key": "KEY"}),
    ],
)
async def test_a_key_is_taken_where_each_vendors_clients_put_theirs(gateway, made, path, headers):
    with_key = {name: value.replace("KEY", made.key) for name, value in headers.items()}

    assert (await gateway.send("GET", path, **with_key)).status == 200
    assert (await gateway.send("GET", path, **headers)).status == 401
    assert (await gateway.send("GET", path)).status == 401


async def test_models_are_listed_as_the_callers_vendor_lists_its_own(gateway, made):
    openai = await gateway.send("GET", "/v1/models", authorization=f"Bearer {made.key}")
    anthropic = await gateway.send("GET", "/v1/models", x_api_key=made.key, anthropic_version="2023-06-01")
    one = await gateway.send("GET", "/v1/models/fast", authorization=f"Bearer {made.key}")
    none = await gateway.send("GET", "/v1/models/nosuch", x_api_key=made.key, anthropic_version="2023-06-01")

    assert [model["id"] for model in msgspec.json.decode(openai.body)["data"]] == ["fast", "triage"]
    listed = msgspec.json.decode(anthropic.body)
    assert [(model["type"], model["id"]) for model in listed["data"]] == [("model", "fast"), ("model", "triage")]
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, "fast", "triage")
    assert msgspec.json.decode(one.body)["id"] == "fast"
    assert none.status == 404
    assert msgspec.json.decode(none.body)["type"] == "error"


async def test_what_is_not_there_is_refused_in_the_words_of_whose_path_it_is(gateway, made):
    anthropic = await gateway.send("POST", "/v1/messages/batches", b"{}", x_api_key=made.key)
    openai = await gateway.send("POST", "/v1/nothing", b"{}", x_api_key=made.key)
    wrong = await gateway.send("GET", "/v1/messages", x_api_key=made.key)

    assert (anthropic.status, msgspec.json.decode(anthropic.body)["type"]) == (404, "error")
    assert (openai.status, openai.error["code"]) == (404, "unknown_path")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")


# -- silence


@pytest.fixture
def impatient(gateway):
    """The same gateway, with keep-alives that tests can wait for."""

    def change(**seconds):
        house = replace(gateway.house, **seconds)
        return GatewayApp(house)

    return change


async def streamed_by(app, gateway, body, path="/v1/messages"):
    """What a gateway with other settings streams, piece by piece."""
    from_here = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    async def receive():
        if waiting:
            return waiting.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        from_here.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"x-api-key", b"fb_the-callers-own-key")],
        "client": None,
        "server": ("127.0.0.1", 4000),
    }
    await app(scope, receive, send)
    return from_here


async def test_a_stream_that_is_silent_is_kept_alive_in_the_callers_words(gateway, impatient):
    gateway.upstream.then(Turn(text="one two", pause_seconds=0.15))

    sent = await streamed_by(impatient(keep_alive_seconds=0.05), gateway, asked(stream=True))

    body = b"".join(message.get("body", b"") for message in sent)
    assert b"event: ping" in body
    assert body.index(b"message_start") < body.index(b"event: ping")
    assert b"message_stop" in body


async def test_before_the_first_content_nothing_is_said_unless_it_is_asked_for(gateway, impatient):
    gateway.upstream.then(Turn(delay_seconds=0.2), Turn(delay_seconds=0.2))

    late = await streamed_by(impatient(keep_alive_seconds=0.05), gateway, asked(stream=True))
    early = await streamed_by(
        impatient(keep_alive_seconds=0.05, early_keep_alive_seconds=0.05), gateway, asked(stream=True)
    )

    assert b"ping" not in b"".join(message.get("body", b"") for message in late)
    body = b"".join(message.get("body", b"") for message in early)
    assert body.startswith(b"event: ping")
    assert b"message_stop" in body


async def test_after_an_early_beginning_a_failure_is_an_event_of_the_stream(gateway, impatient):
    gateway.upstream.then(Turn(fault="status", status=400, delay_seconds=0.2))

    sent = await streamed_by(
        impatient(keep_alive_seconds=0.05, early_keep_alive_seconds=0.05), gateway, asked(stream=True)
    )

    assert sent[0]["status"] == 200
    body = b"".join(message.get("body", b"") for message in sent)
    assert b"event: error" in body
    assert b"scripted failure 400" in body


async def test_a_caller_who_leaves_a_translated_stream_ends_the_upstreams(gateway):
    gateway.upstream.then(Turn(text="word " * 50, pause_seconds=0.05))
    async with ClientBuilder().no_proxy().build() as client:
        request = client.post(gateway.base + "/v1/messages").header("x-api-key", "fb_the-callers-own-key")
        async with request.body_bytes(asked(stream=True)).streamed_read_buffer_limit(0).build_streamed() as answer:
            await answer.body_reader.read_chunk()

    spans = await gateway.settled()

    assert spans.root.attributes["error_code"] == "client_closed_request"
    assert spans.attempts[0].usage.estimated
    for _ in range(100):
        if gateway.upstream.hangups:
            break
        await asyncio.sleep(0.02)
    assert gateway.upstream.hangups == 1
