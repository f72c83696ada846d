"""Calls of a function: named like a model, answered by the variant that a live release serves."""

import asyncio
import contextlib

import msgspec
import openai
import pytest

from flyball.functions.records import Answer
from flyball.gateway.orders import LEFT_PATH, RunLine, RunRefusal
from flyball.traces.records import Span

MESSAGES = [{"role": "user", "content": "What day is it?"}]


async def ask(gateway, **options):
    async with gateway.client() as client:
        return await client.chat.completions.create(**{"model": "triage", "messages": MESSAGES, **options})


async def test_the_answer_says_what_made_it_and_what_it_rests_on(gateway, runner, order_of):
    answer = await ask(gateway)

    assert answer.choices[0].message.content == "The date.\nToday's."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (0, 0)
    ours = answer.flyball
    root = gateway.spans.root
    assert (ours["function"], ours["variant"], ours["release"]) == ("triage", "rules", "rel_1")
    assert ours["variant_hash"] == root.variant_hash == "sha256:rules"
    assert ours["trace_id"] == root.trace_id
    assert ours["citations"][0]["licence"] == "PSF-2.0"
    order = order_of(runner.requests[0])
    assert order.input == {"question": "What day is it?"}
    assert (order.ids.trace_id, order.ids.parent_id, order.ids.release) == (root.trace_id, root.span_id, "rel_1")
    assert (root.function, root.release, root.input) == ("triage", "rel_1", "What day is it?")


async def test_a_stream_ends_with_the_chunk_that_says_what_made_it(gateway, runner, made):
    runner.answer = made.answering(RunLine(delta="The date.\n"), RunLine(delta="Today's."), RunLine(answer=made.answer))

    chunks = [chunk async for chunk in await ask(gateway, stream=True, stream_options={"include_usage": True})]

    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert words == ["", "The date.\n", "Today's.", None]
    finishing = next(chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason)
    assert finishing.flyball["variant"] == "rules"
    assert finishing.flyball["citations"][0]["quote"] == "date"
    assert chunks[-1].usage.total_tokens == 0
    assert gateway.spans.root.output == "The date.\nToday's."


async def test_an_answer_without_pieces_is_streamed_too(gateway, runner):
    chunks = [chunk async for chunk in await ask(gateway, stream=True)]

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "The date.\nToday's."


async def test_the_input_may_be_given_field_by_field(gateway, runner, made, order_of):
    gateway.know(functions={"pair": made.function(name="pair", schema=made.two_fields, text_field=None)})

    await ask(gateway, model="pair", extra_body={"flyball": {"input": {"a": "1", "b": "2"}}})
    await gateway.post({"model": "pair", "messages": [], "extra_body": {"flyball": {"input": {"a": "3", "b": "4"}}}})

    assert [order_of(request).input for request in runner.requests] == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "pair"}, r"cannot be taken from a message \(its fields: a, b\).*extra_body"),
        ({"model": "pair", "extra_body": {"flyball": {"input": "text"}}}, "is an object, not str"),
        ({"extra_body": {"flyball": {"input": [1]}}}, "is an object, not list"),
        ({"messages": [{"role": "assistant", "content": "hm"}]}, "no user message to fill the input field 'question'"),
        ({"messages": []}, "no user message"),
    ],
)
async def test_an_input_that_is_none_is_explained(gateway, runner, made, options, words):
    pair = made.function(name="pair", schema=made.two_fields, text_field=None)
    gateway.know(functions={"triage": made.function(), "pair": pair})

    with pytest.raises(openai.BadRequestError, match=words) as caught:
        await ask(gateway, **options)

    assert (caught.value.code, caught.value.param) == ("invalid_input", "flyball.input")
    assert runner.requests == []


async def test_a_function_without_a_live_release_says_how_to_get_one(gateway, made):
    gateway.know(functions={"triage": msgspec.structs.replace(made.function(), live=None)})

    with pytest.raises(openai.ConflictError, match="flyball release propose triage") as caught:
        async with gateway.client(max_retries=2) as client:
            await client.chat.completions.create(model="triage", messages=MESSAGES)

    assert caught.value.code == "no_live_release"
    assert len(gateway.spans) == 1, "the client must not try again"


async def test_shares_divide_calls_and_a_trace_always_gets_the_same_variant(gateway, runner, made):
    gateway.know(functions={"triage": made.function(shares=(("rules", 0.7), ("small", 0.3)))})

    served = [(await ask(gateway)).flyball["variant"] for _ in range(60)]
    assert 25 <= served.count("rules") <= 55

    trace = {"traceparent": f"00-{'e' * 32}-{'1' * 16}-01"}
    assert {(await ask(gateway, extra_headers=trace)).flyball["variant"] for _ in range(5)} == {"small"}


async def test_a_runner_that_is_away_is_said_at_once(gateway):
    with pytest.raises(openai.InternalServerError, match=r"runner .* does not answer.*Next: try again") as caught:
        await asyncio.wait_for(ask(gateway), 2)

    assert (caught.value.status_code, caught.value.code) == (503, "runner_away")
    assert caught.value.response.headers["retry-after"] == "1"
    assert gateway.spans.root.status == "error"


async def test_a_runner_that_dies_in_the_middle_is_an_error_and_not_an_answer(gateway, runner, made):
    runner.answer = made.answering()
    with pytest.raises(openai.InternalServerError, match="ended before it was complete"):
        await ask(gateway)

    runner.answer = made.answering(RunLine(delta="The"))
    with pytest.raises(openai.APIError, match="ended before it was complete"):
        async for _ in await ask(gateway, stream=True):
            pass


async def test_what_the_runner_refuses_comes_in_its_words_with_its_status_and_its_spans(gateway, runner, made):
    span = Span(trace_id="a" * 32, span_id="b" * 16, name="triage / rules", start_ns=1, end_ns=2, kind="variant")
    refusal = RunRefusal(status=502, code="variant_failed", message="line 3: ZeroDivisionError", spans=(span,))
    runner.answer = made.answering(RunLine(refusal=refusal))

    with pytest.raises(openai.APIStatusError, match="ZeroDivisionError") as caught:
        await ask(gateway)

    assert (caught.value.status_code, caught.value.code) == (502, "variant_failed")
    assert span in gateway.spans
    assert gateway.spans.root.status == "error"


async def test_a_client_that_leaves_stops_the_run_and_what_it_did_until_then_is_recorded(gateway, runner, made):
    done = Span(trace_id="a" * 32, span_id="c" * 16, name="complete fast", start_ns=1, end_ns=2, kind="llm")

    async def never(scope, body, send):
        if scope["path"] == LEFT_PATH:
            refusal = RunRefusal(status=499, code="cancelled", message="", spans=(done,))
            await made.answering(RunLine(refusal=refusal))(scope, body, send)
            return
        await asyncio.sleep(30)

    runner.answer = never
    with pytest.raises(openai.APITimeoutError):
        await ask(gateway, timeout=0.2)

    await gateway.settled()
    for _ in range(100):
        if runner.hangups:
            break
        await asyncio.sleep(0.01)
    assert runner.hangups == 1
    assert gateway.spans.root.attributes["error_code"] == "client_closed_request"
    assert done in gateway.spans


async def test_the_variants_spans_are_recorded_beside_the_calls_own(gateway, runner, made):
    inner = Span(trace_id="a" * 32, span_id="c" * 16, name="retrieve", start_ns=1, end_ns=2, kind="retrieval")
    runner.answer = made.answering(RunLine(answer=Answer(text="x", spans=(inner,))))

    await ask(gateway)

    assert [span.kind for span in gateway.spans] == ["retrieval", "gateway"]


async def test_a_broken_line_of_the_runner_is_an_error(gateway, runner):
    async def nonsense(scope, body, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with contextlib.suppress(Exception):
            await send({"type": "http.response.body", "body": b'{"answer": 3}\n'})

    runner.answer = nonsense
    with pytest.raises(openai.InternalServerError, match="cannot be understood"):
        await ask(gateway)
