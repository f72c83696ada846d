"""Budgets and limits at the gateway: who is let in, how others are told, and what the ledger says of every kind of call."""

import asyncio

import msgspec
import openai
import pytest
import surroundings
from memory_bank import MemoryBank
from surroundings import KEY

from flyball.functions.records import Answer
from flyball.gateway.choose import FunctionRoute
from flyball.gateway.expecting import Expectations
from flyball.gateway.orders import RunLine
from flyball.kit.clock import SystemClock
from flyball.ledger.cover import Cover
from flyball.ledger.lender import Lender
from flyball.ledger.records import Quota
from flyball.llm.usage import Usage
from flyball.testing.script import Turn
from flyball.traces.records import Span

CHAT = {"model": "fast", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20}
PRICE_OF_A_TURN = 11 * 150 + 9 * 600  # nano-dollars: 11 tokens in, 9 out, at 0.15 and 0.60 USD a million


class Kept(list):
    has_room = True

    def append(self, entry):
        super().append(entry)
        return True


async def ask_and_leave(gateway, body, *, seconds):
    """Send a request, and be gone a while later."""
    data = msgspec.json.encode(body)
    host, _, port = gateway.base.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    await asyncio.sleep(seconds)
    writer.close()
    await writer.wait_closed()


@pytest.fixture
def bank():
    return MemoryBank(SystemClock().now_ns)


@pytest.fixture
async def till(bank):
    kept = Kept()
    lender = Lender(bank, kept, SystemClock(), "worker-1")
    lender.entries = kept
    async with lender.at_work():
        yield lender


@pytest.fixture
def declare(gateway, bank):
    async def declare(unit="nano_usd", amount=1_000_000, kind="key", scope="key_1", **options):
        quota = Quota(
            id=f"quota_{len(bank.quotas) + 1}", organisation="org_1", project="default", unit=unit, scope_kind=kind,
            scope=scope, amount=amount, window=options.pop("window", "total"), **options,
        )  # fmt: skip
        await bank.declare(quota)
        quotas = {}
        for one in bank.quotas.values():
            quotas.setdefault((one.scope_kind, one.scope), []).append(one)
        gateway.know(quotas={place: tuple(some) for place, some in quotas.items()}, organisation="org_1")
        return quota

    return declare


async def test_a_call_settles_what_it_cost_and_gives_the_rest_of_its_promise_back(gateway, declare, till, bank):
    quota = await declare()

    assert (await gateway.post(CHAT)).status == 200

    [entry] = till.entries
    assert (entry.state, entry.nano_usd, entry.tokens, entry.requests) == ("complete", PRICE_OF_A_TURN, 20, 1)
    assert (entry.key_id, entry.model, entry.upstream_model) == ("key_1", "fast", "mock-small")
    assert [(charge.quota, charge.amount) for charge in entry.charges] == [(quota.id, PRICE_OF_A_TURN)]
    await bank.settle(till.entries)
    assert (await bank.standings([quota.id]))[quota.id].settled == PRICE_OF_A_TURN


async def test_a_budget_that_is_used_up_refuses_in_words_that_name_the_counter(gateway, declare, till, bank):
    quota = await declare(amount=20_000)
    while (answered := await gateway.post(CHAT)).status == 200:
        await bank.settle(till.entries)

    assert answered.status == 429
    assert answered.error["code"] == "insufficient_quota"
    for words in ("the budget of the key 'key_1' has $0.00", "$0.000020 in all", "settled in the ledger", quota.id):
        assert words in answered.error["message"]
    assert f"flyball budgets show {quota.id}" in answered.error["message"]
    assert answered.headers["x-should-retry"] == "false"
    assert quota.id in gateway.spans[-1].error  # by which its page finds the calls that it refused
    assert sum(entry.nano_usd for entry in till.entries) <= 20_000


async def test_a_limit_of_requests_is_exact_and_told_in_the_headers_that_clients_read(gateway, declare):
    await declare("requests", 3, window="hour")

    statuses = [(await gateway.post(CHAT)).status for _ in range(5)]
    refused = await gateway.post(CHAT)

    assert statuses == [200, 200, 200, 429, 429]
    assert refused.error["code"] == "rate_limit_exceeded"
    assert "has 0 requests left and this call needs up to 1 request: 3 requests per hour, " in refused.error["message"]
    assert refused.headers["x-ratelimit-limit-requests"] == "3"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(refused.headers["retry-after"]) <= 3_600


async def test_callers_of_anthropic_are_told_in_their_own_words(gateway, declare):
    await declare("tokens", 0)
    body = msgspec.json.encode({"model": "fast", "max_tokens": 20, "messages": CHAT["messages"]})

    answered = await gateway.send("POST", "/v1/messages", body, x_api_key=KEY)

    assert answered.status == 429
    assert answered.error["type"] == "rate_limit_error"
    assert answered.headers["anthropic-ratelimit-tokens-limit"] == "0"
    assert answered.headers["anthropic-ratelimit-tokens-remaining"] == "0"
    assert "anthropic-ratelimit-tokens-reset" not in answered.headers  # it never does
    assert "it frees when it is raised" in answered.error["message"]


async def test_the_official_client_sees_a_rate_limit_error(gateway, declare):
    await declare("requests", 0)
    async with openai.AsyncOpenAI(base_url=f"{gateway.base}/v1", api_key=KEY, max_retries=0) as client:
        with pytest.raises(openai.RateLimitError, match="the limit of the key 'key_1' has 0 requests left"):
            await client.chat.completions.create(**CHAT)


async def test_all_levels_are_asked_together_and_the_narrowest_decides(gateway, declare, bank, till):
    await declare(kind="project", scope="")
    await declare(kind="model", scope="fast")
    await declare("requests", 1, kind="tag", scope="batch")

    tagged = CHAT | {"flyball": {"tags": ["batch", "batch"]}}
    assert [(await gateway.post(body)).status for body in (tagged, tagged, CHAT)] == [200, 429, 200]
    assert [len({charge.quota for charge in entry.charges}) for entry in till.entries] == [3, 2]


async def test_a_place_is_free_before_its_reply_ends_and_after_a_caller_has_left(gateway, declare, upstream, till):
    await declare("parallel", 1)
    upstream.then(Turn(delay_seconds=0.3))
    first = asyncio.create_task(gateway.post(CHAT))
    await asyncio.sleep(0.1)

    refused = await gateway.post(CHAT)
    assert (refused.status, (await first).status) == (429, 200)
    assert [(await gateway.post(CHAT)).status for _ in range(3)] == [200, 200, 200]
    upstream.then(Turn(fault="stall"))
    await ask_and_leave(gateway, CHAT, seconds=0.1)
    for _ in range(100):
        if len(till.entries) == 5:
            break
        await asyncio.sleep(0.01)

    assert (await gateway.post(CHAT)).status == 200
    assert till.entries[4].state == "cancelled"


async def test_a_stream_settles_by_the_usage_that_its_last_event_tells(gateway, declare, till):
    await declare()

    assert (await gateway.post(CHAT | {"stream": True})).status == 200

    assert [(entry.state, entry.nano_usd) for entry in till.entries] == [("complete", PRICE_OF_A_TURN)]


async def test_every_attempt_is_an_entry_and_the_call_is_one_request(gateway, declare, upstream, till):
    await declare("requests", 10)
    upstream.then(Turn(fault="status", status=500), Turn())

    assert (await gateway.post(CHAT)).status == 200

    assert [(entry.state, entry.requests, entry.nano_usd) for entry in till.entries] == [
        ("retried", 1, 0),
        ("complete", 0, PRICE_OF_A_TURN),
    ]


async def test_a_call_that_fails_costs_nothing_where_no_answer_ever_began(gateway, declare, upstream, till, bank):
    quota = await declare()
    upstream.then(*[Turn(fault="status", status=400)] * 3)

    assert (await gateway.post(CHAT)).status == 400

    assert [(entry.state, entry.nano_usd) for entry in till.entries] == [("failed", 0)]
    assert (await bank.standings([quota.id]))[quota.id].settled == 0


async def test_a_stream_that_breaks_off_is_settled_by_what_was_seen_and_says_that_it_is_an_estimate(
    gateway, declare, upstream, till
):
    await declare()
    upstream.then(Turn(fault="cut", after_chunks=4))

    await gateway.post(CHAT | {"stream": True})

    [entry] = till.entries
    assert (entry.state, entry.estimated) == ("failed", True)
    assert entry.nano_usd > 0


async def test_a_model_without_prices_is_counted_in_tokens_and_its_cost_stays_unknown(
    gateway, declare, till, made, upstream
):
    await declare("tokens", 1_000)
    gateway.know(models={"fast": msgspec.structs.replace(made.model([(upstream, 1)]), prices=None)})

    assert (await gateway.post(CHAT)).status == 200

    assert [(entry.nano_usd, entry.tokens) for entry in till.entries] == [(None, 20)]


async def test_a_function_is_one_request_and_what_its_variant_asked_of_models_is_settled(
    gateway, declare, till, runner, made
):
    await declare(kind="function", scope="triage")
    asked = Span(
        trace_id="a" * 32, span_id="b" * 16, name="complete fast", start_ns=1, end_ns=2, kind="llm", status="ok",
        provider="openai-compatible", model_requested="mock-small", usage=Usage(input_tokens=5, output_tokens=3),
        cost_nano_usd=77, price_version="declared:x", attributes={"model": "fast"},
    )  # fmt: skip
    runner.answer = made.answering(RunLine(answer=Answer(text="yes", output="yes", spans=(asked,))))

    assert (await gateway.post({"model": "triage", "messages": CHAT["messages"]})).status == 200

    assert [(entry.function, entry.model, entry.requests, entry.nano_usd) for entry in till.entries] == [
        ("triage", None, 1, 0),
        ("triage", "fast", 0, 77),
    ]


ASKS_FAST = {
    "input": surroundings.TEXT_INPUT, "output": {}, "retrieval": None, "parameters": {"max_tokens": 50}, "prompt": {"source": "Say a queue."},
    "model": {"name": "fast", "spec": {"endpoints": [{"provider": "mock", "model": "m"}], "prices": {"input": "1", "output": "2"}}},
}  # fmt: skip


@pytest.fixture
def asking(gateway, runner, made):
    """Has `triage` served by a variant that asks the model `fast`."""
    served = surroundings.function()
    variant = msgspec.structs.replace(surroundings.variant(), kind="prompt", spec=ASKS_FAST)
    gateway.know(functions={"triage": msgspec.structs.replace(served, variants={variant.hash: variant})})
    asked = Span(
        trace_id="a" * 32, span_id="b" * 16, name="complete fast", start_ns=1, end_ns=2, kind="llm", status="ok",
        usage=Usage(input_tokens=5, output_tokens=3), cost_nano_usd=77, attributes={"model": "fast"},
    )  # fmt: skip
    runner.answer = made.answering(RunLine(answer=Answer(text="yes", output="yes", spans=(asked,))))
    return {"model": "triage", "messages": CHAT["messages"]}


async def test_a_call_of_a_function_is_a_request_of_the_model_that_it_asks(gateway, declare, till, bank, asking):
    limit = await declare("requests", 3, kind="model", scope="fast", window="hour")

    assert [(await gateway.post(asking)).status for _ in range(4)] == [200, 200, 200, 429]

    await bank.settle([msgspec.structs.replace(one, id=f"{n:016x}") for n, one in enumerate(till.entries)])
    assert (await bank.standings([limit.id]))[limit.id].settled == 3


async def test_the_first_call_of_a_function_is_promised_what_its_variant_may_cost(declare):
    quota = await declare(amount=10**9, kind="function", scope="triage")
    served = surroundings.function()
    variant = msgspec.structs.replace(surroundings.variant(), kind="prompt", spec=ASKS_FAST)
    route = FunctionRoute(served, variant, served.live, {"question": "hello"})

    [amount] = Expectations().of("default", route, None).amounts(Cover.of([quota]))

    assert amount > 50 * 2_000  # of output, at 2,000 nano-dollars a token


async def test_counting_tokens_is_free_and_needs_no_promise(gateway, declare, till):
    await declare("requests", 0)
    body = msgspec.json.encode({"model": "fast", "messages": CHAT["messages"]})

    answered = await gateway.send("POST", "/v1/messages/count_tokens", body, x_api_key=KEY)

    assert answered.status == 200
    assert till.entries == []


async def test_a_soft_budget_counts_and_refuses_nobody(gateway, declare, till):
    await declare(amount=1, stop="soft")

    assert [(await gateway.post(CHAT)).status for _ in range(2)] == [200, 200]
    assert len(till.entries) == 2
