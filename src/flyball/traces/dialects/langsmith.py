"""LangSmith's exporter: OpenTelemetry's names, with inputs and outputs of LangChain as JSON in `gen_ai.prompt`.

What it calls a session is a project, and the name of a trace is that of each of its runs; conversations are told by its
metadata. Details of counts come as Python writes tables; what LangChain counted stands in the metadata too.
https://github.com/langchain-ai/langsmith-sdk/blob/main/python/langsmith/_internal/otel/_otel_exporter.py
"""

from .dialect import Dialect

_METADATA = "langsmith.metadata."

LANGSMITH = Dialect(
    name="langsmith",
    title="LangSmith",
    speaks=("langsmith.",),
    scopes=("langsmith",),
    kinds={
        "langsmith.span.kind": {
            "llm": "llm",
            "chain": "chain",
            "tool": "tool",
            "retriever": "retrieval",
            "embedding": "embedding",
            "prompt": "prompt",
            "parser": "chain",
        }
    },
    fields={
        "session_id": (_METADATA + "session_id", _METADATA + "thread_id", _METADATA + "conversation_id"),
        "user_id": (_METADATA + "user_id",),
        "tags": ("langsmith.span.tags",),
        "model_requested": (_METADATA + "ls_model_name",),
        "provider": (_METADATA + "ls_provider",),
        "tokens.json": (_METADATA + "usage_metadata",),
        "tokens.input_details": ("gen_ai.usage.input_token_details",),
        "tokens.output_details": ("gen_ai.usage.output_token_details",),
    },
    gathered={"metadata": (_METADATA,)},
)
