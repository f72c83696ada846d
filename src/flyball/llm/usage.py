"""Tokens, in buckets that exclude each other, so that a price times a bucket is never counted twice.

Providers count differently: OpenAI's and Google's cached tokens are a part of the prompt's, Anthropic's and Bedrock's come
on top; Google's thoughts come on top of the answer's, everybody else's are a part. Each says here what it means, both ways.
An absent count is None as a whole; an explicit zero is zero.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias, TypeGuard

import msgspec

SEARCHES = "usage.server_tool_use"  # what is told of web searches where there is no place for their number
_LARGEST_COUNT = 10**12  # tokens of one call; a larger count is no count
BYTES_PER_TOKEN = 4  # of English text; only for estimates that say so
# An image, a sound or a file inside a question, as every dialect writes it: base64, alone or behind `data:…,`.
_MEDIA = re.compile(
    rb'"(?:data|url|image_url|file_data|bytes)"\s*:\s*"(?:data:[^",]{1,200},)?([A-Za-z0-9+/=_-]{4096,}+)"'
)
_SHORTEST_MEDIUM = 4_096
_TOKENS_OF_MEDIUM = 2_000  # that every medium is taken for
_MEDIA_BYTES_PER_TOKEN = 400  # and what its size adds
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST_COUNT)]  # where an answer is nothing but a count


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one call used. The buckets of tokens do not overlap: their sum is the total."""

    input_tokens: int = 0  # neither read from nor written to a cache, nor audio
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0  # kept for the provider's usual time
    cache_write_1h_tokens: int = 0  # kept for an hour
    audio_input_tokens: int = 0
    output_tokens: int = 0  # neither reasoning nor audio
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    web_searches: int = 0  # calls, not tokens
    estimated: bool = False  # counted by us because the provider did not say

    @property
    def prompt_tokens(self) -> int:
        """Everything that went in."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
            + self.cache_write_1h_tokens
            + self.audio_input_tokens
        )

    @property
    def completion_tokens(self) -> int:
        """Everything that came out, reasoning included."""
        return self.output_tokens + self.reasoning_tokens + self.audio_output_tokens

    @property
    def total_tokens(self) -> int:
        """Everything."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def columns(self) -> dict[str, int]:
        """The five buckets that tables have; audio and the hours of caching are folded in."""
        return {
            "input_tokens": self.input_tokens + self.audio_input_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens + self.cache_write_1h_tokens,
            "output_tokens": self.output_tokens + self.audio_output_tokens,
            "reasoning_tokens": self.reasoning_tokens,
        }


def tokens_of(question: bytes) -> int:
    """How many tokens a question may have, by its bytes: text is, images and files in base64 are far fewer than they look."""
    text, media = len(question), 0
    for found in _MEDIA.finditer(question) if text >= _SHORTEST_MEDIUM else ():
        size = found.end(1) - found.start(1)
        text -= size
        media += min(size // BYTES_PER_TOKEN, _TOKENS_OF_MEDIUM + size // _MEDIA_BYTES_PER_TOKEN)
    return text // BYTES_PER_TOKEN + media


def estimated(told: Usage | None, *, question_tokens: int, pieces: int) -> Usage:
    """Of an answer that broke off before its usage came: what was told at its beginning, else what its question has; and its pieces."""
    told = told or Usage(input_tokens=question_tokens)
    output = max(told.output_tokens, pieces - told.reasoning_tokens)
    return msgspec.structs.replace(told, output_tokens=output, estimated=True)


# -- OpenAI's Chat Completions: details are parts of the whole


def usage_from_openai(raw: Any) -> Usage | None:
    """OpenAI's counts: cached tokens are a part of the prompt's, reasoning a part of the completion's. None: not said.

    Where the total says that reasoning comes on top, as xAI counts, it does.
    """
    return _from_parts(raw, "prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details")


def usage_to_openai(usage: Usage) -> dict[str, Any]:
    """The same counts as an OpenAI client expects them."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    prompt: dict[str, Any] = {"cached_tokens": usage.cache_read_tokens, "audio_tokens": usage.audio_input_tokens}
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {**prompt, "cache_write_tokens": written} if written else prompt,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
        },
    }


# -- OpenAI's Responses: the same meaning under other names


def usage_from_responses(raw: Any) -> Usage | None:
    """The counts of a Responses object. None: not said."""
    return _from_parts(raw, "input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details")


def usage_to_responses(usage: Usage) -> dict[str, Any]:
    """The same counts as a Responses client expects them."""
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def _from_parts(raw: Any, prompt_name: str, completion_name: str, going_in: str, coming_out: str) -> Usage | None:
    if not _says_any(raw, prompt_name, completion_name):
        return None
    prompt, completion = _count(raw, prompt_name), _count(raw, completion_name)
    # A part is never larger than what is left of its whole, whatever was sent.
    details = raw.get(going_in)
    cached = min(_count(details, "cached_tokens"), prompt)
    written = min(_count(details, "cache_write_tokens"), prompt - cached)
    heard = min(_count(details, "audio_tokens"), prompt - cached - written)
    details = raw.get(coming_out)
    reasoning = _count(details, "reasoning_tokens")
    if reasoning and _count(raw, "total_tokens") == prompt + completion + reasoning:
        completion += reasoning  # xAI's come on top, as its total says
    reasoning = min(reasoning, completion)
    spoken = min(_count(details, "audio_tokens"), completion - reasoning)
    return Usage(
        input_tokens=prompt - cached - written - heard,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        audio_input_tokens=heard,
        output_tokens=completion - reasoning - spoken,
        reasoning_tokens=reasoning,
        audio_output_tokens=spoken,
    )


# -- Anthropic's Messages: caches come on top


def usage_from_anthropic(raw: Any) -> Usage | None:
    """Anthropic's counts: cached tokens come on top of `input_tokens`. None: not said."""
    if not _says_any(raw, "input_tokens", "output_tokens"):
        return None
    output = _count(raw, "output_tokens")
    reasoning = min(_count(raw.get("output_tokens_details"), "thinking_tokens"), output)
    written, hour = _count(raw, "cache_creation_input_tokens"), 0
    if isinstance(by_time := raw.get("cache_creation"), Mapping):
        hour = min(_count(by_time, "ephemeral_1h_input_tokens"), written)
    return Usage(
        input_tokens=_count(raw, "input_tokens"),
        cache_read_tokens=_count(raw, "cache_read_input_tokens"),
        cache_write_tokens=written - hour,
        cache_write_1h_tokens=hour,
        output_tokens=output - reasoning,
        reasoning_tokens=reasoning,
        web_searches=_count(raw.get("server_tool_use"), "web_search_requests"),
    )


def usage_to_anthropic(usage: Usage) -> dict[str, Any]:
    """The same counts as an Anthropic client expects them."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    counts: dict[str, Any] = {
        "input_tokens": usage.input_tokens + usage.audio_input_tokens,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.completion_tokens,
    }
    if usage.cache_write_1h_tokens:
        counts["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.web_searches:
        counts["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
    return counts


# -- Google's Gemini: caches are a part, thoughts come on top


def usage_from_gemini(raw: Any) -> Usage | None:
    """Gemini's counts: the cache is a part of the prompt, thoughts and tool prompts come on top. None: not said."""
    if not _says_any(raw, "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"):
        return None
    prompt, answer = _count(raw, "promptTokenCount"), _count(raw, "candidatesTokenCount")
    cached = min(_count(raw, "cachedContentTokenCount"), prompt)
    heard = min(_spoken(raw.get("promptTokensDetails")), prompt - cached)
    spoken = min(_spoken(raw.get("candidatesTokensDetails")), answer)
    return Usage(
        input_tokens=prompt - cached - heard + _count(raw, "toolUsePromptTokenCount"),
        cache_read_tokens=cached,
        audio_input_tokens=heard,
        output_tokens=answer - spoken,
        reasoning_tokens=_count(raw, "thoughtsTokenCount"),
        audio_output_tokens=spoken,
    )


def usage_to_gemini(usage: Usage) -> dict[str, Any]:
    """The same counts as a Gemini client expects them."""
    counts: dict[str, Any] = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.output_tokens + usage.audio_output_tokens,
        "totalTokenCount": usage.total_tokens,
    }
    if usage.cache_read_tokens:
        counts["cachedContentTokenCount"] = usage.cache_read_tokens
    if usage.reasoning_tokens:
        counts["thoughtsTokenCount"] = usage.reasoning_tokens
    return counts


def _spoken(details: Any) -> int:
    """Audio tokens in Gemini's counts by modality."""
    counts = details if isinstance(details, list) else []
    return sum(
        _count(one, "tokenCount") for one in counts if isinstance(one, Mapping) and one.get("modality") == "AUDIO"
    )


# -- Bedrock's Converse: caches come on top


def usage_from_bedrock(raw: Any) -> Usage | None:
    """Bedrock's counts: cached tokens come on top of `inputTokens`. None: not said."""
    if not _says_any(raw, "inputTokens", "outputTokens"):
        return None
    written = _count(raw, "cacheWriteInputTokens")
    details = raw.get("cacheDetails")
    hours = (
        [one for one in details if isinstance(one, Mapping) and one.get("ttl") == "1h"]
        if isinstance(details, list)
        else []
    )
    hour = min(sum(_count(one, "inputTokens") for one in hours), written)
    return Usage(
        input_tokens=_count(raw, "inputTokens"),
        cache_read_tokens=_count(raw, "cacheReadInputTokens"),
        cache_write_tokens=written - hour,
        cache_write_1h_tokens=hour,
        output_tokens=_count(raw, "outputTokens"),
    )


def merge_counts(known: dict[str, Any], more: Any) -> dict[str, Any]:
    """Counts that a stream tells in several places: a later one replaces, one that is absent or null leaves what is known."""
    if isinstance(more, Mapping):
        known |= {name: value for name, value in more.items() if value is not None}
    return known


def _says_any(raw: Any, *names: str) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(raw, Mapping) and any(_is_count(raw.get(name)) for name in names)


def _count(raw: Any, name: str) -> int:
    value = raw.get(name) if isinstance(raw, Mapping) else None
    return value if _is_count(value) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT
