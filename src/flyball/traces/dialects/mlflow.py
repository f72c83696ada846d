"""MLflow: each of its attributes is JSON, a text in quotes. From 3.12 on it adds caches to the input where a provider does not.

https://github.com/mlflow/mlflow/blob/master/mlflow/tracing/constant.py
"""

from .dialect import Dialect

MLFLOW = Dialect(
    name="mlflow",
    title="MLflow",
    speaks=("mlflow.",),
    kinds={
        "mlflow.spanType": {
            "llm": "llm",
            "chat_model": "llm",
            "embedding": "embedding",
            "retriever": "retrieval",
            "reranker": "reranker",
            "tool": "tool",
            "agent": "agent",
            "chain": "chain",
            "workflow": "chain",
            "task": "chain",
            "parser": "chain",
            "memory": "memory",
            "guardrail": "guardrail",
            "evaluator": "evaluator",
        }
    },
    fields={
        "session_id": ("mlflow.trace.session",),
        "user_id": ("mlflow.trace.user",),
        "trace_name": ("mlflow.traceName",),
        "experiment_id": ("mlflow.experimentId",),
        "provider": ("mlflow.llm.provider",),
        "model_response": ("mlflow.llm.model",),
        "tokens.json": ("mlflow.chat.tokenUsage",),
        "cost.json": ("mlflow.llm.cost",),
        "input.json": ("mlflow.spanInputs",),
        "output.json": ("mlflow.spanOutputs",),
    },
    gathered={"metadata": ("mlflow.traceTag.",)},
)
