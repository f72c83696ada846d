"""Who answers models' calls, by the names that our catalog has, whatever a dialect calls them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_NAMES = {
    "openai": ("openai",),
    "azure-openai": ("azure.ai.openai", "az.ai.openai", "azure_openai", "azure", "azure-openai"),
    "azure-inference": ("azure.ai.inference", "az.ai.inference", "azure_ai"),
    "anthropic": ("anthropic",),
    "bedrock": ("aws.bedrock", "aws_bedrock", "bedrock", "amazon-bedrock", "amazon_bedrock", "bedrock_converse"),
    "gemini": ("gcp.gemini", "gcp.gen_ai", "gemini", "google", "google_genai", "google.generative-ai", "google-gla"),
    "vertex": ("gcp.vertex_ai", "vertex_ai", "vertexai", "google_vertexai", "google.vertex", "google-vertex", "vertex"),
    "mistral": ("mistral_ai", "mistralai", "mistral"),
    "xai": ("x_ai", "xai"),
    "cohere": ("cohere", "cohere_chat"),
    "deepseek": ("deepseek",),
    "fireworks": ("fireworks_ai", "fireworks"),
    "groq": ("groq",),
    "ollama": ("ollama", "ollama_chat"),
    "openrouter": ("openrouter",),
    "perplexity": ("perplexity",),
    "together": ("together_ai", "togetherai", "together"),
    "watsonx": ("ibm.watsonx.ai", "watsonx"),
}
_OURS = {theirs: ours for ours, names in _NAMES.items() for theirs in names}


@lru_cache(maxsize=1_000)
def provider_of(said: str) -> str:
    """Our name for a provider; the AI SDK's `openai.responses` is one of its APIs. One that we do not know keeps its own."""
    name = said.strip().lower()
    known = _OURS.get(name)
    if known is None:
        whole, _, _ = name.rpartition(".")
        known = _OURS.get(whole) or _OURS.get(name.partition(".")[0])
    return known or said


def models_of(told: Mapping[str, Any]) -> dict[str, str]:
    """The model that a call asked for and the one that answered, without the provider before their names (`openai/gpt-4o`).

    Where a dialect has a single name for both, it is that of both.
    """
    asked, answered = told.get("model_requested", ""), told.get("model_response", "")
    provider = told.get("provider", "")
    return {
        "model_requested": _without(provider, asked or answered),
        "model_response": _without(provider, answered),
    }


def _without(provider: str, model: str) -> str:
    whose, slash, name = model.partition("/")
    return name if slash and provider and _OURS.get(whose.lower()) == provider else model
