"""Prompt variants: retrieve, render, call, stream, cite; and what happens when the model does not behave."""

import asyncio

import msgspec
import pytest

from flyball.functions import prompting
from flyball.functions.errors import (
    OutputMismatchError,
    VariantFailedError,
    VariantTimedOutError,
    VariantUnavailableError,
)
from flyball.functions.execution import run_variant
from flyball.testing import ScriptedUpstream, Turn

ASKED = {"question": "What colour is grass?"}


@pytest.fixture
async def upstream():
    async with ScriptedUpstream() as upstream:
        yield upstream


async def test_the_prompt_is_rendered_with_passages_and_the_answer_cites_them(prompt, tools, upstream):
    upstream.then(Turn(text="Green [2]. Not blue [7].", prompt_tokens=100, completion_tokens=10))

    answer = await run_variant(prompt(upstream.base_url), ASKED, tools=tools)

    sent = msgspec.json.decode(upstream.requests[0].body)
    assert sent["messages"] == [
        {"role": "system", "content": "Use these:\n[1] The sky is blue. It is high.\n[2] Grass is green."},
        {"role": "user", "content": "What colour is grass?"},
    ]
    assert (sent["temperature"], sent["model"]) == (0, "small")
    assert [citation.quote for citation in answer.citations] == ["Grass is green."]
    assert (answer.usage.input_tokens, answer.cost_nano_usd, answer.model) == (100, 100_000 + 20_000, "fast")


async def test_the_model_call_is_a_span_with_usage_cost_and_prompt_version_but_no_key(prompt, tools, upstream):
    answer = await run_variant(prompt(upstream.base_url), ASKED, tools=tools)

    own, _, llm = answer.spans
    assert (llm.kind, llm.parent_id, llm.prompt_name, llm.prompt_version) == ("llm", own.span_id, "ask", "3")
    assert (llm.usage.input_tokens, llm.cost_nano_usd) == (11, 11_000 + 18_000)
    assert "sk-very-secret" not in msgspec.json.encode(answer).decode()
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-very-secret"


@pytest.mark.parametrize("chunk_bytes", [0, 1, 7])
async def test_pieces_arrive_as_they_come_and_join_to_the_text(prompt, tools, upstream, chunk_bytes):
    upstream.then(Turn(text="Grass is green, as [2] says.", chunk_bytes=chunk_bytes))
    pieces = []

    async def collect(piece):
        pieces.append(piece)

    answer = await run_variant(prompt(upstream.base_url), ASKED, tools=tools, on_delta=collect)

    assert len(pieces) > 2
    assert "".join(pieces) == answer.text == "Grass is green, as [2] says."
    assert answer.usage.output_tokens == 9


async def test_a_failure_before_the_first_piece_is_tried_again(prompt, tools, upstream):
    upstream.then(Turn(fault="reset"), Turn(fault="status", status=503), Turn(text="At last."))

    answer = await run_variant(prompt(upstream.base_url), ASKED, tools=tools)

    assert answer.text == "At last."


@pytest.mark.parametrize("fault", ["cut", "unfinished", "reset_midway", "error_midway", "malformed"])
async def test_a_failure_after_the_first_piece_is_not_tried_again(prompt, tools, upstream, fault):
    upstream.then(Turn(fault=fault, after_chunks=3))
    pieces = []

    async def collect(piece):
        pieces.append(piece)

    with pytest.raises(VariantFailedError, match="function 'ask', variant 'prompt'"):
        await run_variant(prompt(upstream.base_url), ASKED, tools=tools, on_delta=collect)

    assert pieces
    assert len(upstream.requests) == 1


async def test_another_endpoint_takes_over(prompt, tools, upstream):
    dead = ScriptedUpstream()
    await dead.start()
    url = dead.base_url
    await dead.stop()

    texts = [(await run_variant(prompt([url, upstream.base_url]), ASKED, tools=tools)).text for _ in range(5)]

    assert len(texts) == 5


async def test_for_a_project_that_is_not_the_operators_no_address_inside_is_called(prompt, tools, upstream):
    with pytest.raises(VariantFailedError, match="nobody here checks"):  # the wire of these tests has no guard
        await run_variant(prompt(upstream.base_url), ASKED, tools=tools.guarded())

    assert upstream.requests == []


@pytest.mark.parametrize(
    ("turn", "status"),
    [
        (Turn(fault="status", status=401), 502),
        (Turn(fault="malformed"), 502),
        (Turn(fault="stall_midway"), 504),
    ],
)
async def test_what_the_model_does_wrong_is_a_clear_error_with_its_spans(prompt, tools, upstream, turn, status):
    upstream.otherwise = turn

    with pytest.raises(VariantFailedError) as caught:
        await run_variant(prompt(upstream.base_url), ASKED, tools=tools)

    assert caught.value.status == status
    assert isinstance(caught.value, VariantTimedOutError) == (status == 504)
    assert [span.kind for span in caught.value.spans][:2] == ["variant", "retrieval"]
    tries = caught.value.spans[2:]
    assert {span.kind for span in tries} == {"llm"}
    assert len(tries) == len(upstream.requests)
    assert caught.value.spans[2].status == "error"


async def test_a_key_that_the_upstream_repeats_is_blotted_out(prompt, tools, upstream):
    upstream.otherwise = Turn(fault="status", status=401, raw=b'{"error": {"message": "bad key sk-very-secret"}}')

    with pytest.raises(VariantFailedError, match=r"bad key \*\*\*") as caught:
        await run_variant(prompt(upstream.base_url), ASKED, tools=tools)

    assert "sk-very-secret" not in str(caught.value)
    assert "sk-very-secret" not in msgspec.json.encode(caught.value.spans).decode()


async def test_a_model_that_is_not_configured_makes_the_variant_unavailable(prompt, tools, upstream, monkeypatch):
    variant = prompt(upstream.base_url)
    monkeypatch.delenv("KEY")

    with pytest.raises(VariantUnavailableError, match="KEY is not set"):
        await run_variant(variant, ASKED, tools=tools)


async def test_json_is_parsed_and_checked_where_the_output_schema_asks_for_it(prompt, tools, upstream):
    output = {
        "type": "object",
        "properties": {"queue": {"type": "string"}, "urgent": {"type": "boolean"}},
        "required": ["queue", "urgent"],
    }
    upstream.then(Turn(text='```json\n{"queue": "billing", "urgent": true}\n```'), Turn(text="no json"))
    pieces = []

    async def collect(piece):
        pieces.append(piece)

    answer = await run_variant(prompt(upstream.base_url, output=output), ASKED, tools=tools, on_delta=collect)

    assert answer.output == {"queue": "billing", "urgent": True}
    assert pieces == [answer.text]
    with pytest.raises(OutputMismatchError, match="not JSON"):
        await run_variant(prompt(upstream.base_url, output=output), ASKED, tools=tools)


async def test_a_template_that_loops_without_end_is_stopped_and_holds_up_nobody(prompt, tools, upstream, monkeypatch):
    monkeypatch.setattr(prompting, "_RENDERING_SECONDS", 0.3)
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{{ question }}"
    source = f"---\nvariables: [question]\n---\n{loops}"

    slow = asyncio.create_task(run_variant(prompt(upstream.base_url, source=source), ASKED, tools=tools))
    await asyncio.sleep(0.05)
    answer = await run_variant(prompt(upstream.base_url), ASKED, tools=tools)

    assert not slow.done()
    assert answer.text
    with pytest.raises(VariantTimedOutError, match=r"filling prompts/ask\.md"):
        await slow


async def test_each_attempt_is_a_span_with_what_it_used_and_cost(prompt, tools, upstream):
    upstream.then(Turn(fault="status", status=503), Turn(fault="cut", after_chunks=1), Turn(text="At last."))

    answer = await run_variant(prompt(upstream.base_url), ASKED, tools=tools)

    tries = [span for span in answer.spans if span.kind == "llm"]
    assert [(span.attributes["attempt"], span.status, span.cost_nano_usd) for span in tries] == [
        (1, "error", 0),
        (2, "error", None),
        (3, "ok", 11_000 + 18_000),
    ]
    assert len({span.span_id for span in tries}) == 3
    assert all(span.end_ns >= span.start_ns > 0 for span in tries)


async def test_a_stream_that_breaks_off_costs_what_was_seen_of_it(prompt, tools, upstream):
    upstream.then(Turn(fault="cut", after_chunks=4))

    async def collect(_):
        pass

    with pytest.raises(VariantFailedError) as caught:
        await run_variant(prompt(upstream.base_url), ASKED, tools=tools, on_delta=collect)

    [one] = [span for span in caught.value.spans if span.kind == "llm"]
    assert (one.usage.estimated, one.usage.output_tokens) == (True, 3)
    assert one.cost_nano_usd == one.usage.input_tokens * 1_000 + 3 * 2_000


async def test_a_run_that_is_cancelled_says_what_it_did(prompt, tools, upstream):
    upstream.then(Turn(fault="stall"))
    done = []

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await run_variant(prompt(upstream.base_url), ASKED, tools=tools, when_cancelled=done.extend)

    [one] = [span for span in done if span.kind == "llm"]
    assert (one.error, one.usage.estimated) == ("cancelled", True)
    assert one.cost_nano_usd == one.usage.input_tokens * 1_000 > 0
