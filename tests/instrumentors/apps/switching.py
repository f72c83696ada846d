"""How each library is switched on that brings its own tracing, where that takes more than an instrumentor. Knows no scene.

Where a library makes its own provider of spans, what it sends goes to the same address, and the scenes' spans go with it.
"""

import os
import sys
from collections.abc import Callable

import telling


def pydantic_ai() -> None:
    from pydantic_ai import Agent, InstrumentationSettings

    Agent.instrument_all(InstrumentationSettings(tracer_provider=telling.provider))


def litellm_callback() -> None:
    import litellm

    litellm.callbacks = ["otel"]


def mlflow() -> None:
    """Into everybody's provider, to which it adds what sends. Without metrics, for which its small package lacks a module."""
    os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT") + "/v1/traces"
    os.environ["MLFLOW_USE_DEFAULT_TRACER_PROVIDER"] = "false"
    telling.sending.clear()
    os.environ |= {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    if sys.argv[1].endswith("-genai"):
        os.environ["MLFLOW_ENABLE_OTEL_GENAI_SEMCONV"] = "true"
    import mlflow

    mlflow.tracing.enable()
    getattr(mlflow, sys.argv[1].split("-")[1]).autolog()


def langsmith() -> None:
    """By OpenTelemetry alone. LangChain asks for it by itself, OpenAI's client is wrapped."""
    os.environ |= {
        "LANGSMITH_TRACING": "true", "LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true",
        "LANGSMITH_API_KEY": "none", "LANGCHAIN_REVISION_ID": "none", "LANGSMITH_ENDPOINT": "http://127.0.0.1:9",
    }  # fmt: skip
    import openai
    from langsmith.run_trees import get_cached_client
    from langsmith.wrappers import wrap_openai

    telling.before_closing.append(lambda: get_cached_client().flush())
    if sys.argv[1] == "langsmith-openai":
        plain = openai.OpenAI
        openai.OpenAI = lambda **given: wrap_openai(plain(**given))


def logfire() -> None:
    """It brings its own provider, which sends where the environment says."""
    import logfire

    logfire.configure(send_to_logfire=False, console=False, service_name=os.environ["OTEL_SERVICE_NAME"])
    getattr(logfire, f"instrument_{sys.argv[1].split('-')[1]}")()


def langfuse() -> None:
    """By a provider of its own, and an exporter that sends where all the others do."""
    import langfuse.openai
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider

    client = langfuse.Langfuse(
        public_key="pk-lf-none", secret_key="sk-lf-none", base_url="http://127.0.0.1:9",  # noqa: S106 -- nobody's
        tracer_provider=TracerProvider(resource=telling.provider.resource), span_exporter=OTLPSpanExporter(),
    )  # fmt: skip
    telling.before_closing.append(client.flush)


SWITCHES: dict[str, Callable[[], None]] = {
    "pydantic-ai": pydantic_ai,
    "litellm": litellm_callback,
    "mlflow": mlflow,
    "langsmith": langsmith,
    "logfire": logfire,
    "langfuse": langfuse,
}
