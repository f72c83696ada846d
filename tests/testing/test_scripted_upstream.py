"""The scripted upstream against the official client: it speaks the dialect, and each of its faults is the fault that it names."""

import openai
import pytest

from flyball.testing import ScriptedUpstream, Turn

ASK = {"model": "mock-small", "messages": [{"role": "user", "content": "What does a governor do?"}]}


@pytest.fixture
async def upstream():
    running = ScriptedUpstream()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def client(upstream):
    async with openai.AsyncOpenAI(base_url=upstream.base_url, api_key="k", max_retries=0, timeout=2) as made:
        yield made


async def _streamed(client, **more):
    pieces, usage = [], None
    async for chunk in await client.chat.completions.create(**ASK, stream=True, **more):
        pieces.extend(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    return "".join(pieces), usage


async def test_it_answers_whole_with_usage(upstream, client):
    upstream.then(Turn(text="It measures.", prompt_tokens=7, completion_tokens=3))

    answer = await client.chat.completions.create(**ASK)

    assert answer.choices[0].message.content == "It measures."
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 3)
    assert upstream.requests[0].headers["authorization"] == "Bearer k"


async def test_it_streams_the_same_text_and_counts_only_when_asked(upstream, client):
    upstream.then(Turn(text="It measures the output."), Turn(text="It measures the output."))

    plain, uncounted = await _streamed(client)
    same, counted = await _streamed(client, stream_options={"include_usage": True})

    assert plain == same == "It measures the output."
    assert uncounted is None
    assert counted.total_tokens == 20


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
async def test_a_stream_cut_into_pieces_anywhere_is_the_same_stream(upstream, client, size):
    upstream.then(Turn(text="naïve 語 governor", chunk_bytes=size))

    assert (await _streamed(client))[0] == "naïve 語 governor"


async def test_an_error_status_carries_what_it_was_told(upstream, client):
    upstream.then(Turn(fault="status", status=429, retry_after="7"))

    with pytest.raises(openai.RateLimitError) as refused:
        await client.chat.completions.create(**ASK)

    assert refused.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("fault", ["reset", "cut"])
async def test_a_broken_connection_is_one_for_the_client(upstream, client, fault):
    upstream.then(Turn(fault=fault))

    with pytest.raises(openai.APIConnectionError):
        await client.chat.completions.create(**ASK)


async def test_a_stalled_answer_runs_into_the_clients_own_limit(upstream, client):
    upstream.then(Turn(fault="stall"))

    with pytest.raises(openai.APITimeoutError):
        await client.with_options(timeout=0.3).chat.completions.create(**ASK)


async def test_an_error_in_the_middle_of_a_stream_is_raised_by_the_client(upstream, client):
    upstream.then(Turn(fault="error_midway"))

    with pytest.raises(openai.APIError):
        await _streamed(client)


async def test_a_stream_without_its_end_looks_like_success_to_the_client(upstream, client):
    """Which is why the gateway must not pass such an end on."""
    upstream.then(Turn(fault="unfinished", text="half of it"))

    text, _ = await _streamed(client)

    assert text


async def test_a_fault_may_be_written_into_the_models_name(client):
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(**{**ASK, "model": "mock-small?fault=status&status=503"})


async def test_without_a_script_it_answers_plainly(client):
    answer = await client.chat.completions.create(**ASK)

    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
