"""Langfuse: what its SDKs write on spans from version 3 on.

https://github.com/langfuse/langfuse/blob/main/packages/shared/src/server/otel/attributes.ts
"""

from .dialect import Dialect

LANGFUSE = Dialect(
    name="langfuse",
    title="Langfuse",
    speaks=("langfuse.",),
    scopes=("langfuse",),
    kinds={
        # A `span` is whatever else it tells: old SDKs call generations so as well.
        "langfuse.observation.type": {
            "generation": "llm",
            "embedding": "embedding",
            "agent": "agent",
            "tool": "tool",
            "chain": "chain",
            "retriever": "retrieval",
            "evaluator": "evaluator",
            "guardrail": "guardrail",
            "event": "event",
        }
    },
    fields={
        "session_id": ("langfuse.session.id", "langfuse.trace.metadata.langfuse_session_id"),
        "user_id": ("langfuse.user.id", "langfuse.trace.metadata.langfuse_user_id"),
        "trace_name": ("langfuse.trace.name",),
        "tags": ("langfuse.trace.tags", "langfuse.tags", "langfuse.trace.metadata.langfuse_tags"),
        "environment": ("langfuse.environment",),
        "version": ("langfuse.release", "langfuse.version"),
        "model_response": ("langfuse.observation.model.name",),
        "parameters": ("langfuse.observation.model.parameters",),
        "prompt_name": ("langfuse.observation.prompt.name",),
        "prompt_version": ("langfuse.observation.prompt.version",),
        "finish_reason": ("langfuse.observation.metadata.finish_reason",),
        "level": ("langfuse.observation.level",),
        "error": ("langfuse.observation.status_message",),
        "first_token.at": ("langfuse.observation.completion_start_time",),
        "tokens.json": ("langfuse.observation.usage_details",),
        "cost.details": ("langfuse.observation.cost_details",),
        "metadata": ("langfuse.observation.metadata", "langfuse.trace.metadata", "langfuse.metadata"),
        "experiment_id": ("langfuse.experiment.id",),
        "item_id": ("langfuse.experiment.item.id",),
        "item_version": ("langfuse.experiment.item.version",),
        "input.messages": ("langfuse.observation.input", "langfuse.trace.input"),
        "output.messages": ("langfuse.observation.output", "langfuse.trace.output"),
    },
    gathered={"metadata": ("langfuse.observation.metadata.", "langfuse.trace.metadata.", "langfuse.metadata.")},
    additive={"*": "parts"},  # its buckets exclude each other
)
