"""How a vendor, or one of its models, departs from its dialect: facts as data, read from the catalog's TOML.

Dialects ask these when they word a request; nothing here does anything.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec


class Quirks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults are the dialect's own rules. Each field says which dialect asks it."""

    # OpenAI Chat Completions and whatever is compatible with it
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    developer_role: bool = False  # else `developer` messages become `system`
    drop: tuple[str, ...] = ()  # top-level fields that the vendor refuses or ignores; also for relayed bodies
    rename: Mapping[str, str] = {}  # top-level fields under another name; also for relayed bodies
    reasoning_field: Literal["reasoning_content", "reasoning", ""] = (
        "reasoning_content"  # empty: thoughts are not taken back
    )
    reasoning_details: bool = False  # thoughts go back with their signatures, as OpenRouter words them
    cache_points: Literal["cache_control", "prompt_cache_breakpoint", ""] = (
        ""  # how parts are marked; empty: not at all
    )
    stream_usage: Literal["stream_options", "always"] = "stream_options"
    tool_choice_required: Literal["required", "any"] = "required"
    tool_call_ids: Literal["", "alphanumeric9"] = ""
    strict_tools: bool = True
    json_schema: bool = True  # response_format json_schema; else only json_object
    alternating_roles: bool = False  # consecutive turns of one role are merged
    # every dialect
    temperature_max: float | None = None  # a higher one is dropped to nothing and named, never clamped in silence
    most_stops: int | None = None
    sampling: bool = True  # temperature, top_p and top_k are taken
    # Anthropic Messages (and Claude on Bedrock); `none` is asked by Responses too
    default_max_tokens: int = 4096  # where the caller gives none and the dialect demands one
    thinking: Literal["enabled", "adaptive", "none"] = "enabled"
    thinking_off: bool = True  # can be turned off
    unsigned_thoughts: bool = False  # thoughts are taken back without a signature; also in relayed bodies
    prefill: bool = True  # the last turn may be the assistant's
    # Gemini
    thinking_by: Literal["budget", "level", "none"] = "budget"
    schemas: Literal["json", "openapi"] = "json"  # of tools and answers: JSON Schema as it is, or Gemini's older subset
