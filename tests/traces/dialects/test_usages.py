"""Tokens: whichever way a library tells what a provider counted, the buckets exclude each other and add up to its total."""

import json
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.llm.usage import Usage
from flyball.traces.dialects.usages import Counts, exclusive
from flyball.traces.normalising import normalise
from flyball.traces.told import Told, ToldScope


class Call(NamedTuple):
    """What a call truly used."""

    uncached: int
    read: int
    written: int
    words: int
    thought: int

    @property
    def input(self):
        return self.uncached + self.read + self.written

    @property
    def output(self):
        return self.words + self.thought

    @property
    def usage(self):
        return Usage(
            input_tokens=self.uncached,
            cache_read_tokens=self.read,
            cache_write_tokens=self.written,
            output_tokens=self.words,
            reasoning_tokens=self.thought,
        )


def told(attributes, scope=""):
    return Told("a" * 32, "b" * 16, "chat", 1, 2, attributes=attributes, scope=ToldScope(scope))


# -- as libraries write it down


def genai(call):
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
        "gen_ai.usage.cache_read.input_tokens": call.read,
        "gen_ai.usage.cache_creation.input_tokens": call.written,
        "gen_ai.usage.reasoning.output_tokens": call.thought,
    }


def genai_after_the_move(call):
    attributes = genai(call)
    attributes["gen_ai.usage.cache_write.input_tokens"] = attributes.pop("gen_ai.usage.cache_creation.input_tokens")
    return attributes


def openinference(call):
    return {
        "openinference.span.kind": "LLM",
        "llm.token_count.prompt": call.input,
        "llm.token_count.completion": call.output,
        "llm.token_count.total": call.input + call.output,
        "llm.token_count.prompt_details.cache_read": call.read,
        "llm.token_count.prompt_details.cache_write": call.written,
        "llm.token_count.completion_details.reasoning": call.thought,
    }


def openllmetry(call):
    return {
        "llm.request.type": "chat",
        "gen_ai.usage.prompt_tokens": call.input,
        "gen_ai.usage.completion_tokens": call.output,
        "llm.usage.total_tokens": call.input + call.output,
        "gen_ai.usage.cache_read_input_tokens": call.read,
        "gen_ai.usage.cache_creation_input_tokens": call.written,
        "gen_ai.usage.reasoning_tokens": call.thought,
    }


def vercel_6(call):
    return {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "anthropic.messages",
        "ai.usage.inputTokens": call.input,
        "ai.usage.inputTokenDetails.noCacheTokens": call.uncached,
        "ai.usage.inputTokenDetails.cacheReadTokens": call.read,
        "ai.usage.inputTokenDetails.cacheWriteTokens": call.written,
        "ai.usage.outputTokens": call.output,
        "ai.usage.outputTokenDetails.reasoningTokens": call.thought,
        "ai.usage.totalTokens": call.input + call.output,
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
    }


def vercel_5_and_openai(call):
    return {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "openai.responses",
        "ai.usage.inputTokens": call.input,
        "ai.usage.cachedInputTokens": call.read + call.written,
        "ai.usage.outputTokens": call.output,
        "ai.usage.reasoningTokens": call.thought,
        "ai.usage.totalTokens": call.input + call.output,
    }


def vercel_5_and_anthropic(call):
    counts = {
        "input_tokens": call.uncached,
        "cache_read_input_tokens": call.read,
        "cache_creation_input_tokens": call.written,
        "output_tokens": call.output,
        "output_tokens_details": {"thinking_tokens": call.thought},
    }
    return {
        "ai.operationId": "ai.streamText.doStream",
        "ai.model.provider": "anthropic.messages",
        "ai.usage.inputTokens": call.uncached,
        "ai.usage.cachedInputTokens": call.read,
        "ai.usage.outputTokens": call.output,
        "ai.usage.totalTokens": call.uncached + call.output,
        "ai.response.providerMetadata": json.dumps({"anthropic": {"usage": counts}}),
    }


def langfuse(call):
    buckets = {
        "input": call.uncached,
        "cache_read_input_tokens": call.read,
        "cache_creation_input_tokens": call.written,
        "output": call.words,
        "output_reasoning_tokens": call.thought,
    }
    return {
        "langfuse.observation.type": "generation",
        "langfuse.observation.usage_details": json.dumps(buckets | {"total": sum(buckets.values())}),
    }


def langfuse_without_a_total(call):
    attributes = langfuse(call)
    told_of = json.loads(attributes["langfuse.observation.usage_details"])
    del told_of["total"]
    return attributes | {"langfuse.observation.usage_details": json.dumps(told_of)}


def langfuse_around_openai(call):
    counts = {
        "prompt_tokens": call.input,
        "completion_tokens": call.output,
        "total_tokens": call.input + call.output,
        "prompt_tokens_details": {"cached_tokens": call.read, "cache_write_tokens": call.written},
        "completion_tokens_details": {"reasoning_tokens": call.thought},
    }
    return {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(counts)}


def mlflow_and_openai(call):
    counts = {
        "input_tokens": call.input,
        "output_tokens": call.output,
        "total_tokens": call.input + call.output,
        "cache_read_input_tokens": call.read,
        "cache_creation_input_tokens": call.written,
        "reasoning_tokens": call.thought,
    }
    return {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.chat.tokenUsage": json.dumps(counts)}


def mlflow_and_anthropic(call):
    counts = {
        "input_tokens": call.input,
        "output_tokens": call.output,
        "total_tokens": call.input + call.output,
        "cache_read_input_tokens": call.read,
        "cache_creation_input_tokens": call.written,
        "reasoning_tokens": call.thought,
    }
    return {
        "mlflow.spanType": '"CHAT_MODEL"',
        "mlflow.llm.provider": '"anthropic"',
        "mlflow.chat.tokenUsage": json.dumps(counts),
    }


def langsmith(call):
    return {
        "langsmith.span.kind": "llm",
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
        "gen_ai.usage.total_tokens": call.input + call.output,
        "gen_ai.usage.input_token_details": str({"cache_read": call.read, "cache_creation": call.written}),
        "gen_ai.usage.output_token_details": str({"reasoning": call.thought}),
    }


def langsmith_and_langchain(call):
    counts = {
        "input_tokens": call.input,
        "output_tokens": call.output,
        "total_tokens": call.input + call.output,
        "input_token_details": {"cache_read": call.read, "cache_creation": call.written},
        "output_token_details": {"audio": 0, "reasoning": call.thought},
    }
    return {
        "langsmith.span.kind": "llm",
        "langsmith.metadata.usage_metadata": json.dumps(counts),
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
        "gen_ai.usage.total_tokens": call.input + call.output,
    }


def of_openai(call):
    return {
        "prompt_tokens": call.input,
        "completion_tokens": call.output,
        "total_tokens": call.input + call.output,
        "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": call.read, "cache_write_tokens": call.written},
        "completion_tokens_details": {"reasoning_tokens": call.thought},
    }


def of_anthropic(call):
    return {
        "cache_creation_input_tokens": call.written,
        "cache_read_input_tokens": call.read,
        "input_tokens": call.uncached,
        "output_tokens": call.output,
        "output_tokens_details": {"thinking_tokens": call.thought},
    }


def litellm(call):
    return {
        "gen_ai.operation.name": "chat",
        "metadata.usage_object": str(of_openai(call)),
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
        "gen_ai.usage.total_tokens": call.input + call.output,
    }


def logfire_and_openai(call):
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
        "gen_ai.usage.raw": json.dumps(of_openai(call)),
    }


def logfire_and_anthropic(call):
    return logfire_and_openai(call) | {"gen_ai.usage.raw": json.dumps(of_anthropic(call))}


def genai_in_an_application_of_langfuse(call):
    return genai(call) | {"langfuse.environment": "production", "langfuse.session.id": "s-1"}


def vercel_4_and_openai(call):
    parts = {"reasoningTokens": call.thought, "cachedPromptTokens": call.read + call.written}
    return {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "openai.chat",
        "ai.usage.promptTokens": call.input,
        "ai.usage.completionTokens": call.output,
        "ai.response.providerMetadata": json.dumps({"openai": parts}),
    }


def pydantic_ai(call):
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.output,
        "gen_ai.usage.details.cache_read_tokens": call.read,
        "gen_ai.usage.details.cache_write_tokens": call.written,
        "gen_ai.usage.details.reasoning_tokens": call.thought,
    }


def ours(call):
    counts = {
        "input_tokens": call.uncached,
        "cache_read_tokens": call.read,
        "cache_write_tokens": call.written,
        "output_tokens": call.words,
        "reasoning_tokens": call.thought,
    }
    return {"flyball.kind": "llm", "flyball.usage": json.dumps(counts)}


WRITERS = [
    genai,
    genai_after_the_move,
    openinference,
    openllmetry,
    vercel_6,
    vercel_5_and_openai,
    vercel_5_and_anthropic,
    langfuse,
    langfuse_without_a_total,
    langfuse_around_openai,
    mlflow_and_openai,
    mlflow_and_anthropic,
    langsmith,
    langsmith_and_langchain,
    litellm,
    logfire_and_openai,
    logfire_and_anthropic,
    genai_in_an_application_of_langfuse,
    vercel_4_and_openai,
    pydantic_ai,
    ours,
]
SCOPES = {litellm: "litellm"}  # whose names mean this in its own spans alone
_counts = st.integers(0, 200_000)
_calls = st.builds(Call, _counts, _counts, _counts, _counts, _counts)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@given(call=_calls)
def test_the_buckets_are_what_the_call_used(write, call):
    usage = normalise(told(write(call), SCOPES.get(write, ""))).usage

    if write in (vercel_5_and_openai, vercel_4_and_openai):  # reading from a cache is not told apart from writing to it
        call = call._replace(read=call.read + call.written, written=0)
    assert usage == call.usage


@given(call=_calls)
def test_no_token_is_counted_twice_below_a_span_that_repeats_it(call):
    whole = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": call.input}

    assert normalise(told(whole)).usage == Usage()
    assert normalise(told(whole)).usage_raw == {"gen_ai.usage.input_tokens": call.input}


# -- every provider's own payloads, passed on whole


def openai_chat(call):
    return langfuse_around_openai(call), call.input + call.output


def openai_responses(call):
    counts = {
        "input_tokens": call.input,
        "input_tokens_details": {"cached_tokens": call.read},
        "output_tokens": call.output,
        "output_tokens_details": {"reasoning_tokens": call.thought},
        "total_tokens": call.input + call.output,
    }
    return _passed_on(counts), call.input + call.output


def xai_chat(call):
    counts = {
        "prompt_tokens": call.input,
        "completion_tokens": call.words,
        "total_tokens": call.input + call.output,
        "prompt_tokens_details": {"text_tokens": call.input, "cached_tokens": call.read},
        "completion_tokens_details": {"reasoning_tokens": call.thought},
    }
    return _passed_on(counts), call.input + call.output


def anthropic(call):
    counts = {
        "input_tokens": call.uncached,
        "cache_creation_input_tokens": call.written,
        "cache_read_input_tokens": call.read,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": call.written},
        "output_tokens": call.output,
        "service_tier": "standard",
    }
    return _passed_on(counts), call.input + call.output


def gemini(call):
    counts = {
        "promptTokenCount": call.uncached + call.read,
        "cachedContentTokenCount": call.read,
        "candidatesTokenCount": call.words,
        "thoughtsTokenCount": call.thought,
        "totalTokenCount": call.uncached + call.read + call.output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": call.uncached}],
    }
    return _passed_on(counts), call.uncached + call.read + call.output


def bedrock(call):
    counts = {
        "inputTokens": call.uncached,
        "outputTokens": call.output,
        "totalTokens": call.input + call.output,
        "cacheReadInputTokens": call.read,
        "cacheWriteInputTokens": call.written,
    }
    return _passed_on(counts), call.input + call.output


def gemini_by_the_conventions(call):
    """Its instrumentors tell candidates as output, and the thoughts in the total alone."""
    attributes = {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.usage.input_tokens": call.input,
        "gen_ai.usage.output_tokens": call.words,
        "gen_ai.usage.total_tokens": call.input + call.output,
    }
    return attributes, call.input + call.output


def only_a_total(call):
    return {"gen_ai.operation.name": "chat", "gen_ai.usage.total_tokens": call.input}, call.input


def _passed_on(counts):
    return {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": json.dumps(counts)}


PAYLOADS = [
    openai_chat,
    openai_responses,
    xai_chat,
    anthropic,
    gemini,
    bedrock,
    gemini_by_the_conventions,
    only_a_total,
]
SIZES = [
    Call(uncached, read, written, words, thought)
    for uncached, read, written in [
        (12, 0, 0),
        (7, 16_399, 2_089),
        (488, 512, 0),
        (1, 0, 9_000),
        (90_000, 110_000, 5_000),
    ]
    for words, thought in [(1, 0), (445, 0), (100, 200), (4, 6), (0, 32_000), (8_191, 1)]
]


def test_the_collection_has_two_hundred_payloads():
    assert len(PAYLOADS) * len(SIZES) >= 200
    assert len({json.dumps(write(call)[0]) for write in PAYLOADS for call in SIZES}) >= 200


@pytest.mark.parametrize("write", PAYLOADS, ids=lambda write: write.__name__)
def test_every_payload_adds_up_to_the_provider_s_total(write):
    for call in SIZES:
        attributes, total = write(call)
        usage = normalise(told(attributes)).usage

        assert usage.total_tokens == total, (call, usage)
        assert min(usage.columns.values()) >= 0


_maybe = st.none() | st.integers(0, 1_000)


@given(st.builds(Counts, *([_maybe] * 9)), st.sampled_from(["", "parts"]))
def test_whatever_is_told_no_bucket_is_negative_and_no_larger_total_is_lost(counts, additive):
    usage = exclusive(counts, additive)

    assert min(usage.columns.values()) >= 0
    if counts.total is not None:
        assert usage.total_tokens >= counts.total
