"""`python run.py INSTRUMENTOR`: one instrumentor switched on, its library's scenes played, everything sent by OTLP."""

import importlib
import sys

import telling
from switching import SWITCHES

INSTRUMENTORS = {
    "openinference-openai": ("openinference.instrumentation.openai:OpenAIInstrumentor", "openai_calls"),
    "openinference-anthropic": ("openinference.instrumentation.anthropic:AnthropicInstrumentor", "anthropic_calls"),
    "openinference-langchain": ("openinference.instrumentation.langchain:LangChainInstrumentor", "langchain_calls"),
    "openinference-llama-index": ("openinference.instrumentation.llama_index:LlamaIndexInstrumentor", "llama_index_calls"),
    "openinference-litellm": ("openinference.instrumentation.litellm:LiteLLMInstrumentor", "litellm_calls"),
    "openinference-google": ("openinference.instrumentation.google_genai:GoogleGenAIInstrumentor", "google_calls"),
    "openllmetry-openai": ("opentelemetry.instrumentation.openai:OpenAIInstrumentor", "openai_calls"),
    "openllmetry-anthropic": ("opentelemetry.instrumentation.anthropic:AnthropicInstrumentor", "anthropic_calls"),
    "openllmetry-langchain": ("opentelemetry.instrumentation.langchain:LangchainInstrumentor", "langchain_calls"),
    "openllmetry-llama-index": (
        "opentelemetry.instrumentation.llamaindex:LlamaIndexInstrumentor opentelemetry.instrumentation.openai:OpenAIInstrumentor",
        "llama_index_calls"),
    "openllmetry-google": (
        "opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor", "google_calls"),
    "opentelemetry-openai": ("opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor", "openai_calls"),
    "pydantic-ai": ("", "pydantic_ai_calls"),
    "litellm-callback": ("", "litellm_calls"),
    "litellm-callback-genai": ("", "litellm_calls"),
    "mlflow-openai": ("", "openai_calls"),
    "mlflow-openai-genai": ("", "openai_calls"),
    "mlflow-anthropic": ("", "anthropic_calls"),
    "mlflow-langchain": ("", "langchain_calls"),
    "langsmith-openai": ("", "openai_calls"),
    "langsmith-langchain": ("", "langchain_calls"),
    "logfire-openai": ("", "openai_calls"),
    "logfire-anthropic": ("", "anthropic_calls"),
    "langfuse-openai": ("", "openai_calls"),
    "livekit": ("", "livekit_calls"),
}  # fmt: skip


def main() -> None:
    """Instrument first, then import what is instrumented."""
    name = sys.argv[1]
    paths, scenes = INSTRUMENTORS[name]
    for path in paths.split():
        module, _, kind = path.partition(":")
        made = getattr(importlib.import_module(module), kind)()
        arguments = {"logger_provider": telling.logs} if name.startswith("opentelemetry") else {}
        made.instrument(tracer_provider=telling.provider, **arguments)
    switch = SWITCHES.get(name) or SWITCHES.get(name.partition("-")[0])
    if switch is not None:
        switch()
    telling.play(*importlib.import_module(scenes).SCENES)


if __name__ == "__main__":
    main()
