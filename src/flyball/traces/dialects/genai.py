"""OpenTelemetry's conventions for generative AI, from their first names to those of the repository they moved to.

Old and new names never mean different things, so that all are understood, whatever a span's `schema_url` says.
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/registry/attributes/gen-ai.md
"""

from .dialect import Dialect

_OPERATIONS = {
    "chat": "llm",
    "completion": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "generate": "llm",
    "fetch_response": "llm",
    "embeddings": "embedding",
    "embedding": "embedding",
    "retrieval": "retrieval",
    "rerank": "reranker",
    "create_agent": "agent",
    "invoke_agent": "agent",
    "execute_tool": "tool",
    "invoke_workflow": "chain",
    "plan": "agent",
    "agent_step": "chain",  # the AI SDK's
    "search_memory": "retrieval",
    "create_memory": "memory",
    "update_memory": "memory",
    "upsert_memory": "memory",
    "delete_memory": "memory",
    "create_memory_store": "memory",
    "delete_memory_store": "memory",
    # LiteLLM says which of its functions was called.
    "acompletion": "llm",
    "atext_completion": "llm",
    "responses": "llm",
    "aresponses": "llm",
    "anthropic_messages": "llm",
    "aembedding": "embedding",
    "arerank": "reranker",
}

GENAI = Dialect(
    name="genai",
    title="OpenTelemetry GenAI",
    speaks=("gen_ai.",),
    kinds={"gen_ai.operation.name": _OPERATIONS},
    fields={
        "provider": ("gen_ai.provider.name", "gen_ai.system"),
        "model_requested": ("gen_ai.request.model",),
        "model_response": ("gen_ai.response.model",),
        "response_id": ("gen_ai.response.id",),
        "finish_reason": (
            "gen_ai.response.finish_reasons",
            "gen_ai.response.finish_reason",
            "anthropic.message.stop_reason",  # of the spans that Anthropic's own client makes
        ),
        "session_id": ("gen_ai.conversation.id",),
        "agent": ("gen_ai.agent.name",),
        "tool": ("gen_ai.tool.name",),
        "trace_name": ("gen_ai.workflow.name",),
        "prompt_name": ("gen_ai.prompt.name",),
        "prompt_version": ("gen_ai.prompt.version",),
        "first_token.seconds": (
            "gen_ai.response.time_to_first_chunk",
            "gen_ai.client.operation.time_to_first_chunk",
            "gen_ai.server.time_to_first_token",
        ),
        "tokens.input": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        "tokens.output": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        "tokens.total": ("gen_ai.usage.total_tokens",),
        "tokens.cache_read": (
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.input_cached_tokens",
        ),
        "tokens.cache_write": (
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
        ),
        "tokens.reasoning": (
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.output_reasoning_tokens",
        ),
        "tokens.audio_input": ("gen_ai.usage.audio.input_tokens", "gen_ai.usage.input_audio_tokens"),
        "tokens.audio_output": ("gen_ai.usage.audio.output_tokens", "gen_ai.usage.output_audio_tokens"),
        "cost.total": ("gen_ai.usage.cost",),
        "input.system": ("gen_ai.system_instructions",),
        "input.messages": ("gen_ai.input.messages", "gen_ai.prompt"),
        "output.messages": ("gen_ai.output.messages", "gen_ai.completion"),
        "input.text": (
            "gen_ai.tool.call.arguments",
            "gen_ai.retrieval.query.text",
            "gen_ai.memory.query.text",
        ),
        "output.text": ("gen_ai.tool.call.result", "gen_ai.retrieval.documents", "gen_ai.memory.records"),
    },
    gathered={
        "parameters": ("gen_ai.request.",),
        "tokens": ("gen_ai.usage.",),
        "input.indexed": ("gen_ai.prompt.",),
        "output.indexed": ("gen_ai.completion.",),
    },
)
