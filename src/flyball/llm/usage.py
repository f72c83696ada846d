"""Tokens, in buckets that exclude each other, so that a price times a bucket is never counted twice.

Providers count differently (OpenAI's cached tokens are a part of the prompt's, Anthropic's come on top): each dialect
says here what it means. An absent count is None as a whole; an explicit zero is zero.
"""

from collections.abc import Mapping
from typing import Any, TypeGuard

import msgspec

_LARGEST_COUNT = 10**12  # tokens of one call; a larger count is no count


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one call used. The buckets do not overlap: their sum is the total."""

    input_tokens: int = 0  # neither read from nor written to a cache
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0  # without reasoning
    reasoning_tokens: int = 0
    estimated: bool = False  # counted by us because the provider did not say

    @property
    def prompt_tokens(self) -> int:
        """Everything that went in."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def completion_tokens(self) -> int:
        """Everything that came out, reasoning included."""
        return self.output_tokens + self.reasoning_tokens

    @property
    def total_tokens(self) -> int:
        """Everything."""
        return self.prompt_tokens + self.completion_tokens


def usage_from_openai(raw: Any) -> Usage | None:
    """OpenAI's counts: cached tokens are a part of the prompt's, reasoning a part of the completion's. None: not said."""
    if not isinstance(raw, Mapping) or not any(
        _is_count(raw.get(name)) for name in ("prompt_tokens", "completion_tokens")
    ):
        return None
    prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    cached = min(_count(raw.get("prompt_tokens_details"), "cached_tokens"), prompt)
    reasoning = min(_count(raw.get("completion_tokens_details"), "reasoning_tokens"), completion)
    return Usage(
        input_tokens=prompt - cached,
        cache_read_tokens=cached,
        output_tokens=completion - reasoning,
        reasoning_tokens=reasoning,
    )


def usage_to_openai(usage: Usage) -> dict[str, Any]:
    """The same counts as an OpenAI client expects them."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def _count(raw: Any, name: str) -> int:
    value = raw.get(name) if isinstance(raw, Mapping) else None
    return value if _is_count(value) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT
