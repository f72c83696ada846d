"""Logfire and pydantic-ai: OpenTelemetry's names, with messages as one attribute or as the events of one.

https://github.com/pydantic/pydantic-ai/blob/main/pydantic_ai_slim/pydantic_ai/models/instrumented.py
"""

from .dialect import Dialect

LOGFIRE = Dialect(
    name="logfire",
    title="Logfire and pydantic-ai",
    speaks=("logfire.", "pydantic_ai."),
    scopes=("pydantic-ai", "logfire"),
    own_kinds={"agent_name": "agent"},
    fields={
        "tags": ("logfire.tags",),
        "cost.total": ("operation.cost",),
        "input.messages": ("pydantic_ai.all_messages",),
        "tokens.json": ("gen_ai.usage.raw",),  # as the provider counts
        "tokens.cache_read": (
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
            "gen_ai.usage.details.cached_tokens",
        ),
        "tokens.cache_write": (
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
        ),
        "tokens.reasoning": ("gen_ai.usage.details.reasoning_tokens",),
        "tokens.audio_input": ("gen_ai.usage.details.input_audio_tokens",),
        "tokens.audio_output": ("gen_ai.usage.details.output_audio_tokens",),
    },
    own={
        "agent": ("agent_name",),
        "model_requested": ("model_name",),
        "events": ("events", "all_messages_events"),
        "input.text": ("prompt",),
        "output.text": ("tool_response",),
        "input.json": ("request_data", "tool_arguments"),
        "output.json": ("final_result", "response_data"),
    },
)
