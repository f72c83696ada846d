"""Spans that speak OpenTelemetry's conventions for generative AI."""

import msgspec

from flyball.llm.usage import Usage
from flyball.traces.normalising import normalise
from flyball.traces.told import CLIENT, Told, ToldResource, ToldScope

ATTRIBUTES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.request.temperature": 0.2,
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 60,
    "gen_ai.usage.cache_read.input_tokens": 64,
    "gen_ai.conversation.id": "conv_1",
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Hi!"}]}]',
    "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "Hello."}]}]',
}


def told(attributes, **fields):
    given = {
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "name": "chat gpt-4o-mini",
        "start_ns": 1_000,
        "end_ns": 2_000,
        "kind": CLIENT,
        "attributes": attributes,
        "resource": ToldResource({"service.name": "shop", "service.version": "3"}),
        "scope": ToldScope("opentelemetry.instrumentation.openai_v2"),
    }
    return Told(**given | fields)


def test_a_chat_is_a_call_of_a_model():
    span = normalise(told(ATTRIBUTES))

    assert (span.dialect, span.kind, span.provider, span.service, span.version) == (
        "genai",
        "llm",
        "openai",
        "shop",
        "3",
    )
    assert (span.model_requested, span.model_response) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert span.usage == Usage(input_tokens=56, cache_read_tokens=64, output_tokens=60)
    assert span.input == '[{"role":"user","content":"Hi!"}]'
    assert span.output == "Hello."
    assert (span.session_id, span.finish_reason, span.parameters) == ("conv_1", "stop", {"temperature": 0.2})


def test_a_span_of_its_own_is_as_a_span_of_anybody():
    span = normalise(told({"http.request.method": "GET"}, name="GET /"))

    assert (span.dialect, span.kind, span.name, span.usage_raw) == ("plain", "http", "GET /", None)


def test_what_is_normalised_keeps_the_rules_of_a_span():
    span = normalise(told(ATTRIBUTES))

    assert msgspec.convert(msgspec.to_builtins(span), type(span)) == span


PRICES = {"gpt-4o-mini": (7, "declared:1")}


def price(provider, model, usage, when_ns):
    assert (provider, usage.total_tokens, when_ns) == ("openai", 180, 2_000)
    return PRICES.get(model)


def test_a_call_without_a_cost_has_that_of_our_prices_by_the_name_that_was_asked_for():
    span = normalise(told(ATTRIBUTES), price=price)

    assert (span.cost_nano_usd, span.price_version) == (7, "declared:1")


def test_a_cost_that_the_span_tells_is_believed_and_marked():
    span = normalise(told(ATTRIBUTES | {"gen_ai.usage.cost": 0.000_000_125}), price=price)

    assert (span.cost_nano_usd, span.price_version) == (125, "told")


def test_a_price_that_nobody_knows_is_unknown():
    span = normalise(told(ATTRIBUTES | {"gen_ai.request.model": "new"}), price=price)

    assert (span.cost_nano_usd, span.price_version) == (None, "")


def test_what_repeats_the_usage_of_others_has_no_price():
    span = normalise(told(ATTRIBUTES | {"gen_ai.operation.name": "invoke_agent"}, kind=1), price=price)

    assert (span.cost_nano_usd, span.usage) == (None, Usage())
