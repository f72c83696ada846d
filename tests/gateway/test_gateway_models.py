"""Calls of a model, through the unmodified OpenAI client, over an upstream that answers or fails as it is told."""

import asyncio

import msgspec
import openai
import pytest

from flyball.llm.usage import Usage
from flyball.testing import ScriptedUpstream, Turn

MESSAGES = [{"role": "user", "content": "What does a governor do?"}]


async def chat(gateway, **options):
    async with gateway.client() as client:
        return await client.chat.completions.create(model="fast", messages=MESSAGES, **options)


async def stream(gateway, into=None, **options):
    chunks = [] if into is None else into
    async with gateway.client() as client:
        async for chunk in await client.chat.completions.create(
            model="fast", messages=MESSAGES, stream=True, **options
        ):
            chunks.append(chunk)
    return chunks


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def raw(gateway, **body):
    return await gateway.post({"model": "fast", "messages": MESSAGES, **body})


# -- answers


async def test_an_answer_arrives_and_is_recorded_with_usage_and_cost(gateway):
    answer = await chat(gateway)

    assert answer.choices[0].message.content == Turn().text
    assert answer.usage.total_tokens == 20
    root, (attempt,) = gateway.spans.root, gateway.spans.attempts
    assert (root.status, root.key_id, root.model_requested) == ("ok", "key_1", "fast")
    assert (root.input, root.output) == ("What does a governor do?", Turn().text)
    assert (attempt.parent_id, attempt.usage) == (root.span_id, Usage(input_tokens=11, output_tokens=9))
    assert attempt.cost_nano_usd == 11 * 150 + 9 * 600


async def test_the_body_of_an_answer_is_relayed_byte_for_byte(gateway):
    as_it_came = b'{"choices" : [{"message":{"content":"hi","zeta":1.50},"finish_reason":"stop"}],"id":"x" }\n'
    gateway.upstream.then(Turn(raw=as_it_came))

    answer = await raw(gateway)

    assert (answer.status, answer.body) == (200, as_it_came)
    assert answer.headers["x-request-id"] == "scripted"
    assert answer.headers["x-flyball-trace-id"] == gateway.spans.root.trace_id


async def test_the_upstream_gets_its_own_model_name_and_key_and_every_other_field_as_it_came(gateway):
    await raw(
        gateway, temperature=0.5, a_field_of_tomorrow={"deep": [1, 2.50]}, flyball={"session_id": "s1"}, user="u1"
    )

    sent = gateway.upstream.requests[0]
    assert sent.headers["authorization"] == "Bearer sk-upstream"
    assert "fb_the-callers-own-key" not in str(sent)
    body = msgspec.json.decode(sent.body)
    assert body["model"] == "mock-small"
    assert body["a_field_of_tomorrow"] == {"deep": [1, 2.5]}
    assert "flyball" not in body
    assert (gateway.spans.root.session_id, gateway.spans.root.user_id) == ("s1", "u1")


async def test_a_stream_arrives_whole_and_is_recorded_once(gateway):
    chunks = await stream(gateway)

    assert text_of(chunks) == Turn().text
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert gateway.spans.root.output == Turn().text
    assert gateway.spans.attempts[0].usage == Usage(input_tokens=11, output_tokens=9)
    assert gateway.spans.attempts[0].attributes["first_content_ns"] > 0


@pytest.mark.parametrize("size", [1, 3, 7, 50, 1000])
async def test_a_stream_arrives_whole_however_the_network_cuts_it(gateway, size):
    gateway.upstream.then(Turn(chunk_bytes=size))

    assert text_of(await stream(gateway)) == Turn().text


async def test_usage_in_a_stream_is_for_those_who_asked_and_counted_for_all(gateway):
    plain = await stream(gateway)
    asked = await stream(gateway, stream_options={"include_usage": True})

    assert [chunk.usage for chunk in plain if chunk.usage] == []
    assert [chunk.usage.total_tokens for chunk in asked if chunk.usage] == [20]
    assert [span.usage.output_tokens for span in gateway.spans.attempts] == [9, 9]
    assert all(msgspec.json.decode(r.body)["stream_options"]["include_usage"] for r in gateway.upstream.requests)


async def test_usage_that_the_upstream_does_not_tell_is_unknown_and_so_is_the_cost(gateway):
    gateway.upstream.then(Turn(fault="no_usage"))

    await chat(gateway)

    assert gateway.spans.attempts[0].cost_nano_usd is None


async def test_a_trace_begun_by_the_caller_is_continued(gateway):
    trace, parent = "ab" * 16, "cd" * 8

    await chat(gateway, extra_headers={"traceparent": f"00-{trace}-{parent}-01"})

    assert (gateway.spans.root.trace_id, gateway.spans.root.parent_id) == (trace, parent)


async def test_numbers_and_spellings_inside_a_field_reach_the_upstream_untouched(gateway):
    await gateway.post(
        b'{"messages": [ {"role":"user", "content":"gr\\u00fc\\u00dfe"} ], "seed": 12345678901234567890123, "model": "fast"}'
    )

    sent = gateway.upstream.requests[0].body
    assert b'[ {"role":"user", "content":"gr\\u00fc\\u00dfe"} ]' in sent
    assert b"12345678901234567890123" in sent


# -- failures before the first content


@pytest.mark.parametrize("fault", ["reset", "cut", "reset_midway", "malformed", "error_in_200"])
@pytest.mark.parametrize("ask", [chat, stream])
async def test_a_failure_before_the_first_content_is_tried_again_unseen(gateway, fault, ask):
    gateway.upstream.then(Turn(fault=fault, after_chunks=1), Turn(fault="status", status=503))

    assert await ask(gateway)

    failed, failed_too, good = gateway.spans.attempts
    assert (failed.status, failed_too.status, good.status) == ("error", "error", "ok")
    assert gateway.spans.root.status == "ok"


async def test_a_wait_that_the_upstream_asks_for_is_kept(gateway):
    gateway.upstream.then(Turn(fault="status", status=429, retry_after="0.5"))

    await chat(gateway)

    first, second = gateway.spans.attempts
    assert second.start_ns - first.end_ns >= 500_000_000


async def test_a_wait_beyond_the_deadline_is_passed_to_the_client_at_once(gateway):
    gateway.upstream.then(Turn(fault="status", status=429, retry_after="60"))

    with pytest.raises(openai.RateLimitError) as caught:
        await asyncio.wait_for(chat(gateway), 1)

    assert caught.value.response.headers["retry-after"] == "60"
    assert "scripted failure 429" in caught.value.message


async def test_tries_end_and_the_last_error_comes_with_its_status_and_words_and_no_call_to_try_again(gateway):
    gateway.upstream.then(*[Turn(fault="status", status=500)] * 3)

    with pytest.raises(openai.InternalServerError, match="scripted failure 500") as caught:
        await chat(gateway)

    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(gateway.spans.attempts) == 3
    assert gateway.spans.root.status == "error"


async def test_a_clients_own_mistake_is_told_in_the_upstreams_words_without_another_try(gateway):
    gateway.upstream.then(Turn(fault="status", status=400))

    with pytest.raises(openai.BadRequestError, match="scripted failure 400"):
        await chat(gateway)

    assert len(gateway.upstream.requests) == 1


async def test_an_upstream_that_refuses_our_key_is_not_the_clients_fault(gateway):
    gateway.upstream.then(Turn(fault="status", status=401))

    with pytest.raises(openai.InternalServerError, match="refused this server's own key") as caught:
        await chat(gateway)

    assert caught.value.status_code == 502


async def test_another_endpoint_takes_over_from_one_that_is_away(gateway, made):
    async with ScriptedUpstream() as spare:
        gateway.know(models={"fast": made.model([(gateway.upstream, 1_000_000), (spare, 0.000001)])})
        await gateway.upstream.stop()

        assert (await chat(gateway)).choices

        away, good = gateway.spans.attempts
        assert away.error.startswith("upstream_unreachable")
        assert good.attributes["host"] in spare.base_url


async def test_weights_decide_who_is_asked_first(gateway, made):
    async with ScriptedUpstream() as light:
        gateway.know(models={"fast": made.model([(gateway.upstream, 3), (light, 1)])})

        for _ in range(100):
            await raw(gateway)

        assert 60 <= len(gateway.upstream.requests) <= 90
        assert len(light.requests) == 100 - len(gateway.upstream.requests)


async def test_an_upstream_that_is_away_is_named_with_the_next_step(gateway):
    await gateway.upstream.stop()

    with pytest.raises(openai.APIStatusError, match=r"cannot be reached .*Next: check that it runs") as caught:
        await chat(gateway)

    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unreachable")


async def test_an_upstream_that_never_answers_ends_at_the_deadline(gateway):
    gateway.upstream.then(Turn(fault="stall"))

    with pytest.raises(openai.APIStatusError, match=r"deadline|did not begin") as caught:
        await chat(gateway, timeout=10)

    assert caught.value.status_code == 504
    assert gateway.spans.root.status == "error"


# -- failures after the first content


@pytest.mark.parametrize("fault", ["cut", "reset_midway", "unfinished", "malformed", "error_midway", "stall_midway"])
async def test_a_stream_that_breaks_off_after_its_first_content_ends_with_an_error_and_is_not_tried_again(
    gateway, fault
):
    gateway.upstream.then(Turn(fault=fault, after_chunks=4, pause_seconds=0.02))
    seen = []

    with pytest.raises(openai.APIError) as caught:
        await stream(gateway, into=seen)

    assert text_of(seen).startswith("The governor")
    code = caught.value.body["code"]
    assert code == "scripted" if fault == "error_midway" else code.startswith("upstream_")
    assert len(gateway.upstream.requests) == 1
    await gateway.settled()
    assert gateway.spans.root.status == "error"
    assert gateway.spans.root.output.startswith("The governor")
    assert gateway.spans.attempts[0].usage.estimated


async def test_a_broken_stream_has_no_closing_event(gateway):
    gateway.upstream.then(Turn(fault="unfinished", after_chunks=4))

    answer = await raw(gateway, stream=True)

    events = [line for line in answer.body.decode().split("\n\n") if line]
    assert '"error"' in events[-1]
    assert b"[DONE]" not in answer.body


# -- clients that leave


async def test_a_client_that_leaves_stops_the_upstream_and_is_recorded_once(gateway):
    gateway.upstream.then(Turn(pause_seconds=0.1))

    async with gateway.client() as client:
        answer = await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
        async for chunk in answer:
            if text_of([chunk]):
                break
        await answer.close()

    await gateway.settled()
    for _ in range(50):
        if gateway.upstream.hangups:
            break
        await asyncio.sleep(0.01)
    assert gateway.upstream.hangups == 1
    assert gateway.spans.root.attributes["error_code"] == "client_closed_request"
    assert gateway.spans.attempts[0].usage.estimated
    assert gateway.house.gate.calls == gateway.house.gate.bytes == 0


async def test_a_client_that_leaves_before_the_answer_begins_ends_the_call_and_frees_its_place(gateway):
    gateway.upstream.then(Turn(delay_seconds=5))

    with pytest.raises(openai.APITimeoutError):
        await chat(gateway, timeout=0.2)

    await gateway.settled()
    assert gateway.spans.root.attributes["error_code"] == "client_closed_request"
    assert gateway.house.gate.calls == 0


async def test_many_streams_of_which_a_fifth_is_left_are_all_recorded_once(gateway):
    gateway.upstream.otherwise = Turn(pause_seconds=0.01)

    async def one(number):
        async with gateway.client() as client:
            answer = await client.chat.completions.create(model="fast", messages=MESSAGES, stream=True)
            async for _ in answer:
                if number % 5 == 0:
                    await answer.close()
                    break

    await asyncio.gather(*(one(number) for number in range(40)))

    await gateway.settled(40)
    assert sum(span.kind == "gateway" for span in gateway.spans) == 40
    assert len({span.span_id for span in gateway.spans}) == len(gateway.spans)
    assert gateway.house.gate.calls == gateway.house.gate.bytes == 0


async def test_a_client_that_does_not_read_holds_the_upstream_back_and_gets_everything_when_it_does(gateway):
    gateway.upstream.then(Turn(text=" ".join(["x" * 100_000] * 400)))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.base.rpartition(":")[2]), limit=1024)
    body = msgspec.json.encode({"model": "fast", "messages": MESSAGES, "stream": True})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer fb_the-callers-own-key\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await asyncio.sleep(0.7)

    # Some megabytes fit into the buffers of the sockets on the way.
    waiting = sum(connection.waiting_bytes for connection in gateway.upstream.connections)
    assert waiting > 16_000_000, "what the client does not read stays with the upstream"

    received = b""
    while not received.endswith(b"0\r\n\r\n"):
        received = received[-20:] + (piece := await reader.read(1_000_000))
        assert piece
    assert b"[DONE]" in received
    writer.close()
    await writer.wait_closed()
