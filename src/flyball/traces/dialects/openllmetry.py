"""OpenLLMetry, and Traceloop's own names: what its instrumentors write beside, or before, OpenTelemetry's conventions.

https://github.com/traceloop/openllmetry/tree/main/packages/opentelemetry-semantic-conventions-ai
"""

from .dialect import Dialect

_PROPERTIES = "traceloop.association.properties."

OPENLLMETRY = Dialect(
    name="openllmetry",
    title="OpenLLMetry / Traceloop",
    speaks=("traceloop.", "llm.request.type", "llm.usage.", "llm.is_streaming"),
    kinds={
        "llm.request.type": {
            "chat": "llm",
            "completion": "llm",
            "embedding": "embedding",
            "rerank": "reranker",
        },
        "traceloop.span.kind": {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"},
    },
    fields={
        "user_id": (_PROPERTIES + "user_id", "llm.user"),
        "session_id": (
            _PROPERTIES + "session_id",
            _PROPERTIES + "thread_id",
            _PROPERTIES + "chat_id",
            "traceloop.correlation.id",
        ),
        "trace_name": ("traceloop.workflow.name",),
        "version": ("traceloop.entity.version",),
        "prompt_name": ("traceloop.prompt.key",),
        "prompt_version": ("traceloop.prompt.version",),
        "finish_reason": ("llm.response.finish_reason", "llm.response.stop_reason"),
        "tokens.total": ("llm.usage.total_tokens",),
        "tokens.input": ("llm.usage.prompt_tokens",),
        "tokens.output": ("llm.usage.completion_tokens",),
        "input.text": ("traceloop.entity.input", "mcp.request.argument"),
        "output.text": ("traceloop.entity.output", "mcp.response.value"),
    },
    gathered={"metadata": (_PROPERTIES,), "tokens": ("llm.usage.",)},
)
