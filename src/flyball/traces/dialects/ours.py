"""Our own names, for whoever sends spans by OTLP and wants to say what only we ask for.

What a span says of functions, variants and releases is no evidence, and is not asked for.
"""

from .dialect import Dialect

_KINDS = (
    "llm",
    "embedding",
    "retrieval",
    "reranker",
    "tool",
    "agent",
    "chain",
    "guardrail",
    "evaluator",
    "prompt",
    "memory",
    "event",
)
_FIELDS = (
    "session_id",
    "user_id",
    "trace_name",
    "tags",
    "environment",
    "version",
    "provider",
    "model_requested",
    "model_response",
    "prompt_name",
    "prompt_version",
    "experiment_id",
    "item_id",
    "item_version",
    "agent",
    "tool",
    "metadata",
    "parameters",
)

OURS = Dialect(
    name="flyball",
    title="flyball",
    speaks=("flyball.",),
    kinds={"flyball.kind": {kind: kind for kind in _KINDS}},
    fields={
        **{field: (f"flyball.{field}",) for field in _FIELDS},
        "tokens.json": ("flyball.usage",),
        "cost.total": ("flyball.cost_usd",),
        "input.messages": ("flyball.input",),
        "output.messages": ("flyball.output",),
    },
    gathered={"metadata": ("flyball.metadata.",)},
    additive={"*": "parts"},  # our buckets exclude each other
)
