"""Tokens in buckets that exclude each other, from each provider's own way of counting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.llm.usage import (
    Usage,
    merge_counts,
    usage_from_anthropic,
    usage_from_bedrock,
    usage_from_gemini,
    usage_from_openai,
    usage_from_responses,
    usage_to_anthropic,
    usage_to_gemini,
    usage_to_openai,
    usage_to_responses,
)

READERS = [usage_from_openai, usage_from_responses, usage_from_anthropic, usage_from_gemini, usage_from_bedrock]
counts = st.integers(0, 10**6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def test_openai_cached_tokens_are_a_part_of_the_prompt():
    usage = usage_from_openai(
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 80, "audio_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 30, "audio_tokens": 4},
        }
    )

    assert usage == Usage(
        input_tokens=15,
        cache_read_tokens=80,
        audio_input_tokens=5,
        output_tokens=16,
        reasoning_tokens=30,
        audio_output_tokens=4,
    )
    assert usage.total_tokens == 150


@pytest.mark.parametrize(
    ("counts_of", "names"),
    [
        (usage_from_openai, ("prompt_tokens", "completion_tokens", "completion_tokens_details")),
        (usage_from_responses, ("input_tokens", "output_tokens", "output_tokens_details")),
    ],
)
def test_reasoning_comes_on_top_where_the_total_says_so_as_xai_counts(counts_of, names):
    prompt, completion, details = names
    said = {prompt: 37, completion: 10, details: {"reasoning_tokens": 300}}

    on_top = counts_of({**said, "total_tokens": 347})
    a_part = counts_of({prompt: 37, completion: 310, "total_tokens": 347, details: {"reasoning_tokens": 300}})

    assert on_top == a_part == Usage(input_tokens=37, output_tokens=10, reasoning_tokens=300)
    assert on_top.total_tokens == 347


def test_anthropic_cached_tokens_come_on_top_and_an_hour_of_caching_is_told_apart():
    usage = usage_from_anthropic(
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 200,
            "cache_creation_input_tokens": 70,
            "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 30},
            "output_tokens": 9,
        }
    )

    assert usage == Usage(
        input_tokens=10, cache_read_tokens=200, cache_write_tokens=40, cache_write_1h_tokens=30, output_tokens=9
    )
    assert usage.prompt_tokens == 280


def test_gemini_thoughts_come_on_top_of_the_answer_and_the_cache_is_a_part_of_the_prompt():
    usage = usage_from_gemini(
        {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 60,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 300,
            "toolUsePromptTokenCount": 7,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 15}, {"modality": "TEXT", "tokenCount": 85}],
        }
    )

    assert usage == Usage(
        input_tokens=32, cache_read_tokens=60, audio_input_tokens=15, output_tokens=20, reasoning_tokens=300
    )


def test_bedrock_cached_tokens_come_on_top():
    usage = usage_from_bedrock(
        {
            "inputTokens": 5,
            "outputTokens": 6,
            "cacheReadInputTokens": 100,
            "cacheWriteInputTokens": 50,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 20}, {"ttl": "5m", "inputTokens": 30}],
        }
    )

    assert usage == Usage(
        input_tokens=5, output_tokens=6, cache_read_tokens=100, cache_write_tokens=30, cache_write_1h_tokens=20
    )


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("raw", [None, {}, [], "many", {"prompt_tokens": None}, {"input_tokens": "9"}])
def test_counts_that_nobody_told_are_unknown_and_not_zero(read, raw):
    assert read(raw) is None


def test_an_explicit_zero_is_zero():
    assert usage_from_openai({"prompt_tokens": 0, "completion_tokens": 0}) == Usage()
    assert usage_from_anthropic({"input_tokens": 0}) == Usage()


@given(
    raw=st.dictionaries(st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details"]), json_values)
)
def test_no_count_of_a_provider_makes_a_bucket_negative(raw):
    usage = usage_from_openai(raw)

    assert usage is None or min(usage.columns.values()) >= 0


@given(prompt=counts, cached=counts, written=counts, completion=counts, reasoning=counts)
def test_the_buckets_add_up_to_the_providers_total_whatever_its_details_say(
    prompt, cached, written, completion, reasoning
):
    raw = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": reasoning},
    }

    assert usage_from_responses(raw).total_tokens == prompt + completion


@given(a=counts, b=counts, c=counts, d=counts, e=counts)
def test_counts_keep_their_totals_in_every_dialect(a, b, c, d, e):
    usage = Usage(input_tokens=a, cache_read_tokens=b, cache_write_tokens=c, output_tokens=d, reasoning_tokens=e)

    assert usage_from_openai(usage_to_openai(usage)) == usage
    assert usage_from_responses(usage_to_responses(usage)) == usage
    assert usage_from_anthropic(usage_to_anthropic(usage)) == usage
    assert usage_from_gemini(usage_to_gemini(usage)).total_tokens == usage.total_tokens


def test_later_counts_of_a_stream_replace_and_absent_or_null_ones_leave_what_is_known():
    known = merge_counts({}, {"input_tokens": 25, "output_tokens": 1, "cache_read_input_tokens": 9})

    known = merge_counts(known, {"output_tokens": 15, "cache_read_input_tokens": None})

    assert known == {"input_tokens": 25, "output_tokens": 15, "cache_read_input_tokens": 9}


def test_the_columns_of_tables_hold_every_token_once():
    usage = Usage(
        input_tokens=1, audio_input_tokens=2, cache_read_tokens=4, cache_write_tokens=8, cache_write_1h_tokens=16,
        output_tokens=32, audio_output_tokens=64, reasoning_tokens=128,
    )  # fmt: skip

    assert sum(usage.columns.values()) == usage.total_tokens == 255
