"""OpenInference: Arize's conventions, which Phoenix and some forty instrumentors speak.

https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from .dialect import Dialect

OPENINFERENCE = Dialect(
    name="openinference",
    title="OpenInference",
    speaks=("openinference.", "llm.", "embedding.", "reranker.", "retrieval.documents"),
    scopes=("openinference.",),
    kinds={
        "openinference.span.kind": {
            "llm": "llm",
            "embedding": "embedding",
            "chain": "chain",
            "retriever": "retrieval",
            "reranker": "reranker",
            "tool": "tool",
            "agent": "agent",
            "guardrail": "guardrail",
            "evaluator": "evaluator",
            "prompt": "prompt",
        }
    },
    fields={
        "provider": ("llm.provider", "llm.system"),
        "model_requested": ("llm.request.model_name",),
        "model_response": (
            "llm.response.model_name",
            "llm.model_name",
            "embedding.model_name",
            "reranker.model_name",
        ),
        "parameters": ("llm.invocation_parameters", "embedding.invocation_parameters"),
        "finish_reason": ("llm.finish_reasons", "llm.finish_reason"),
        "prompt_name": ("prompt.id",),
        "prompt_version": ("llm.prompt_template.version",),
        "agent": ("agent.name",),
        "tool": ("tool.name",),
        "metadata": ("metadata",),
        "tokens.input": ("llm.token_count.prompt",),
        "tokens.output": ("llm.token_count.completion",),
        "tokens.total": ("llm.token_count.total",),
        "tokens.cache_read": (
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
        ),
        "tokens.cache_write": ("llm.token_count.prompt_details.cache_write",),
        "tokens.audio_input": ("llm.token_count.prompt_details.audio",),
        "tokens.reasoning": ("llm.token_count.completion_details.reasoning",),
        "tokens.audio_output": ("llm.token_count.completion_details.audio",),
        "cost.total": ("llm.cost.total",),
        "cost.input": ("llm.cost.prompt",),
        "cost.output": ("llm.cost.completion",),
        "input.text": ("input.value", "reranker.query"),
        "output.text": ("output.value",),
    },
    gathered={
        "tokens": ("llm.token_count.",),
        "input.indexed": ("llm.input_messages.",),
        "output.indexed": ("llm.output_messages.",),
        "input.documents": ("reranker.input_documents.",),
        "output.documents": ("retrieval.documents.", "reranker.output_documents."),
    },
)
