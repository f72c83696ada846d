"""How long an upstream is waited for, who is asked next, and what a caller is told of what was left out."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest
from surroundings import CHUNK, KEY, serving, streamed, whole

from flyball.gateway.app import GatewayApp
from flyball.testing import ScriptedUpstream, Turn

MESSAGES = [{"role": "user", "content": "?"}]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
STREAM = {"model": "fast", "messages": MESSAGES, "stream": True}


async def asked_of(gateway, body, **seconds):
    """What a gateway with other limits answers."""
    house = replace(gateway.house, **seconds)
    async with serving(GatewayApp(house)) as address:
        impatient = type(gateway)(f"http://127.0.0.1:{address[1]}", house, gateway.upstream)
        return await impatient.post(body)


async def silent():
    await asyncio.sleep(1)
    yield b""


async def pinging():
    yield HEAD
    for _ in range(50):
        yield b": still thinking\n\n"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "case",
    [
        (silent, {"first_byte_seconds": 0.2}, "did not begin to answer in time"),
        (pinging, {"first_content_seconds": 0.3}, "sent no content within 0.3 s"),
    ],
    ids=["no head", "no content"],
)
async def test_a_stream_that_does_not_come_to_the_point_is_tried_elsewhere(gateway, saying, made, case):
    answer, limit, words = case
    await saying(answer)
    (slow,) = gateway.snapshots.snapshot.projects["default"].models["fast"].endpoints
    place = SimpleNamespace(base_url=slow.base_url)
    gateway.know(models={"fast": made.model([(place, 1e9), (gateway.upstream, 1e-9)])})

    told = await asked_of(gateway, STREAM, **limit)

    assert told.status == 200
    assert told.body.endswith(b"data: [DONE]\n\n")
    first, second = gateway.spans.attempts
    assert words in first.error
    assert second.status == "ok"


async def test_a_whole_answer_may_take_until_the_deadline(gateway):
    gateway.upstream.then(Turn(delay_seconds=0.4))

    told = await asked_of(gateway, {**STREAM, "stream": False}, first_byte_seconds=0.1, first_content_seconds=0.1)

    assert told.status == 200


async def test_an_endpoint_that_asks_for_time_is_not_asked_again_while_another_can_be(gateway, made):
    async with ScriptedUpstream() as busy:
        busy.then(*[Turn(fault="status", status=429, retry_after="60")] * 3)
        gateway.upstream.then(Turn(fault="status", status=500))
        gateway.know(models={"fast": made.model([(busy, 1e9), (gateway.upstream, 1e-9)])})

        told = await gateway.post({"model": "fast", "messages": MESSAGES})

        assert told.status == 200
        assert (len(busy.requests), len(gateway.upstream.requests)) == (1, 2)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_client_is_told_not_to_repeat_what_was_repeated(gateway, saying, status):
    await saying(whole({"error": {"message": "busy"}}, f"{status} Busy"))

    told = await gateway.post({"model": "fast", "messages": MESSAGES})

    assert (told.status, told.headers["x-should-retry"]) == (status, "false")
    assert len(gateway.spans.attempts) == 3


# -- what was left out


async def test_a_beta_of_one_vendors_is_named_where_another_answers(gateway):
    body = msgspec.json.encode({"model": "fast", "max_tokens": 5, "messages": MESSAGES})

    told = await gateway.send("POST", "/v1/messages", body, x_api_key=KEY, anthropic_beta="context-1m-2025-08-07")

    assert told.headers["x-flyball-dropped"] == "anthropic-beta"


async def test_a_long_list_of_what_was_left_out_ends_at_a_whole_name_and_counts_the_rest(gateway):
    marked = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 300
    body = msgspec.json.encode({"model": "fast", "max_tokens": 5, "messages": [{"role": "user", "content": marked}]})

    told = await gateway.send("POST", "/v1/messages", body, x_api_key=KEY)

    *names, rest = told.headers["x-flyball-dropped"].split(", ")
    assert names == [f"messages[0].content[{at}].cache_control" for at in range(len(names))]
    assert rest == f"and {300 - len(names)} more"
    assert len(told.headers["x-flyball-dropped"]) < 2_100
    assert gateway.spans.attempts[0].attributes["dropped"][-1] == "and 200 more"


@pytest.mark.parametrize("stream", [False, True])
async def test_what_a_function_makes_nothing_of_is_named(gateway, runner, stream):
    asked = {"messages": MESSAGES, "temperature": 0.5, "tools": [], "n": None, "user": "me", "stream": stream}

    told = await gateway.post({"model": "triage", **asked})

    assert told.headers["x-flyball-dropped"] == "temperature, tools"
    assert runner.requests


async def test_content_that_comes_in_time_is_not_cut_off_later(gateway, saying):
    async def slow():
        yield HEAD
        for _ in range(8):
            yield b"data: " + CHUNK + b"\n\n"
            await asyncio.sleep(0.1)
        yield streamed(b"[DONE]").partition(b"\r\n\r\n")[2]

    await saying(slow)

    told = await asked_of(gateway, STREAM, first_content_seconds=0.3, first_byte_seconds=0.3)

    assert told.body.endswith(b"data: [DONE]\n\n")
