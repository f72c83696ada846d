"""The provider over the scripted upstream: what it sends, and what each fault of the wire becomes."""

import asyncio

import msgspec
import pytest

from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret
from flyball.llm.calling import put, question, whole
from flyball.llm.errors import (
    InvalidBodyError,
    UpstreamAwayError,
    UpstreamCutError,
    UpstreamError,
    UpstreamRefusedError,
    UpstreamTimeoutError,
)
from flyball.llm.losses import Losses
from flyball.llm.patience import Patience, Rota
from flyball.llm.providers.protocol import Upstream
from flyball.llm.translation import dialect
from flyball.llm.usage import Usage
from flyball.llm.wire import Wire
from flyball.prompts.records import RenderedMessage
from flyball.testing import ScriptedUpstream, Turn

MESSAGES = [RenderedMessage(role="user", content="What does a governor do?")]


@pytest.fixture
async def upstream():
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def wire():
    async with Wire(SystemClock(), connect_seconds=1, idle_seconds=0.3) as wire:
        yield wire


def at(upstream, key="sk-upstream"):
    return Upstream(vendor="openai-compatible", base_url=upstream.base_url, model="mock-small", api_key=Secret(key))


def asking(upstream, body):
    return question(dialect("openai_chat").ask(body), "generate", at(upstream), Losses("tests"))


async def ask(wire, upstream, *, tries=1, seconds=2.0):
    """As whoever owns the retries of a call does."""
    patience, rota = Patience(SystemClock(), seconds=seconds, tries=tries), Rota(1, SystemClock())
    body = msgspec.json.encode({"temperature": 0, "model": "mock-small", "messages": MESSAGES})
    while True:
        patience.start_try()
        try:
            async with put(asking(upstream, body), wire, at(upstream), seconds=patience.seconds_left) as reply:
                return (await whole(reply, dialect("openai_chat")))[1]
        except UpstreamError as failure:
            rota.failed(rota.next(), failure)
            wait = patience.wait_after(failure, rota.owed)
            if wait is None:
                raise
        await asyncio.sleep(wait)


def test_bytes_that_are_no_text_are_refused_wherever_they_stand_and_relayed_as_they_are(upstream):
    body = b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"?"}],"new_field":"\xff"}'

    with pytest.raises(InvalidBodyError, match="UTF-8"):
        question(dialect("anthropic_messages").ask(body), "generate", at(upstream), Losses("tests"))
    assert b"\xff" in asking(upstream, body).ask.body


async def test_an_answer_comes_with_its_usage_in_exclusive_buckets(wire, upstream):
    upstream.then(Turn(prompt_tokens=100, cached_tokens=60))

    completion = await ask(wire, upstream)

    assert completion.text == Turn().text
    assert completion.usage == Usage(input_tokens=40, cache_read_tokens=60, output_tokens=9)


async def test_it_sends_the_endpoints_key_and_model_and_the_parameters(wire, upstream):
    await ask(wire, upstream)

    sent = upstream.requests[0]
    assert sent.path == "/v1/chat/completions"
    assert sent.headers["authorization"] == "Bearer sk-upstream"
    assert msgspec.json.decode(sent.body) == {
        "temperature": 0,
        "model": "mock-small",
        "messages": [{"role": "user", "content": "What does a governor do?"}],
    }


async def test_an_upstream_that_is_away_is_named_with_host_and_port_but_never_with_its_key(wire, upstream):
    await upstream.stop()

    with pytest.raises(UpstreamAwayError) as caught:
        await ask(wire, upstream)

    assert "'mock-small' at 127.0.0.1" in str(caught.value)
    assert "sk-upstream" not in str(caught.value)


@pytest.mark.parametrize("fault", ["reset", "cut", "reset_midway", "malformed"])
async def test_an_answer_that_breaks_off_or_makes_no_sense_is_no_answer(wire, upstream, fault):
    upstream.then(Turn(fault=fault))

    with pytest.raises((UpstreamCutError, UpstreamAwayError)):
        await ask(wire, upstream)


async def test_silence_before_the_answer_ends_at_the_deadline(wire, upstream):
    upstream.then(Turn(fault="stall"))

    with pytest.raises(UpstreamTimeoutError):
        await ask(wire, upstream, seconds=0.2)


async def test_silence_within_the_answer_ends_after_the_idle_timeout(wire, upstream):
    upstream.then(Turn(fault="stall_midway"))

    with pytest.raises(UpstreamTimeoutError, match="silent for"):
        await ask(wire, upstream)


async def test_an_error_in_the_body_of_a_200_is_a_failure(wire, upstream):
    upstream.then(Turn(fault="error_in_200"))

    with pytest.raises(UpstreamRefusedError, match="scripted failure"):
        await ask(wire, upstream)


async def test_a_failure_that_may_pass_is_tried_again_and_one_that_may_not_is_reported_with_its_body(wire, upstream):
    upstream.then(Turn(fault="status", status=503), Turn(fault="reset"), Turn(text="third time lucky"))
    assert (await ask(wire, upstream, tries=3)).text == "third time lucky"

    upstream.then(Turn(fault="status", status=400))
    with pytest.raises(UpstreamRefusedError) as caught:
        await ask(wire, upstream, tries=3)

    assert caught.value.upstream_status == 400
    assert b"scripted failure" in caught.value.body


@pytest.mark.alone
async def test_retry_after_is_obeyed_and_beyond_the_deadline_it_means_giving_up(wire, upstream):
    loop = asyncio.get_running_loop()
    upstream.then(Turn(fault="status", status=429, retry_after="0.4"), Turn(text="after the wait"))
    began = loop.time()
    assert (await ask(wire, upstream, tries=2)).text == "after the wait"
    assert loop.time() - began >= 0.4

    upstream.then(Turn(fault="status", status=429, retry_after="30"))
    began = loop.time()
    with pytest.raises(UpstreamRefusedError):
        await ask(wire, upstream, tries=2)
    assert loop.time() - began < 1


async def test_usage_that_is_absent_is_not_zero_and_usage_that_makes_no_sense_is_absent(wire, upstream):
    upstream.then(Turn(fault="no_usage"), Turn(fault="wrong_usage"))

    assert (await ask(wire, upstream)).usage is None
    assert (await ask(wire, upstream)).usage is None


async def test_leaving_the_block_early_closes_the_connection_to_the_upstream(wire, upstream):
    upstream.then(Turn(pause_seconds=0.2))

    streamed = asking(upstream, b'{"model": "m", "messages": [], "stream": true}')
    async with put(streamed, wire, at(upstream), seconds=1) as reply:
        assert await reply.read()

    for _ in range(50):
        if upstream.hangups:
            break
        await asyncio.sleep(0.01)
    assert upstream.hangups == 1
