"""What a call is promised before anybody knows what it takes: what it allows itself, else a guess that refuses nobody for good."""

import base64

import msgspec
import pytest

from flyball.gateway.choose import ModelRoute
from flyball.gateway.expecting import Expectations, Worth
from flyball.ledger.cover import Cover
from flyball.ledger.records import MOST, Entry, Quota
from flyball.llm.dialect import Asked
from flyball.llm.usage import tokens_of


def limit(amount, unit="tokens"):
    return Quota(id="q", organisation="o", unit=unit, scope_kind="organisation", amount=amount, window="minute")


def promised(worth, quota):
    """How much of it one quota promises."""
    [amount] = worth.amounts(Cover.of([quota]))
    return amount


def asked(**fields):
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    return Asked(dialect="openai_chat", model="fast", fields=raw)


@pytest.fixture
def route(made, upstream):
    return ModelRoute(model=made.model([(upstream, 1)]), endpoints=())


MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize("told", [12_000, 10**12])
def test_one_long_answer_refuses_nobody_for_good(route, told):
    expectations = Expectations()
    expectations.learn("p", route, [Entry(id="a", project="p", organisation="o", at_ns=1, output_tokens=told)])

    worth = expectations.of("p", route, asked(messages=MESSAGES))

    assert promised(worth, limit(10_000)) <= 10_000 // 8 + 20
    assert promised(worth, limit(1_000_000, "nano_usd")) <= 1_000_000 // 8 + 20 * 150


def test_what_a_caller_allows_itself_is_promised_whole(route):
    worth = Expectations().of("p", route, asked(messages=MESSAGES, max_tokens=9_000))

    assert promised(worth, limit(10_000)) > 9_000
    assert promised(worth, limit(1_000)) > 9_000


def test_no_promise_is_larger_than_a_bank_can_read():
    assert promised(Worth(10**30, 10**30), limit(5)) == MOST + 1


def test_an_image_counts_as_an_image_and_not_as_its_letters():
    image = base64.b64encode(bytes(range(256)) * 4_000).decode()
    by_dialect = (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{image}"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}},
        {"inlineData": {"mimeType": "image/png", "data": image}},
    )

    for part in by_dialect:
        assert 1_000 < tokens_of(msgspec.Raw(msgspec.json.encode([part]))) < 10_000
    assert tokens_of(msgspec.json.encode([{"type": "text", "text": image}])) > 300_000


@pytest.mark.parametrize(
    "worth", [Worth(200, 30), Worth(200, 30, 150, 20), Worth(1, 800, 0, 799), Worth(10**30, 1), Worth(1, 10**30)]
)
def test_all_quotas_together_are_promised_what_each_is_promised_alone(worth):
    quotas = [limit(amount, unit) for unit in ("requests", "tokens", "nano_usd", "parallel") for amount in (100, 10**9)]

    assert list(worth.amounts(Cover.of(quotas))) == [promised(worth, quota) for quota in quotas]
