"""LiteLLM and its proxy: OpenTelemetry's names, with what the proxy knows of its caller and of the price.

The span `litellm_request` has all of it; `raw_gen_ai_request` below it repeats what was sent, under no name that counts.
Caches and reasoning are counted in the metadata alone, as Python writes a table.
https://github.com/BerriAI/litellm/blob/main/litellm/integrations/opentelemetry.py
"""

from .dialect import Dialect

LITELLM = Dialect(
    name="litellm",
    title="LiteLLM",
    speaks=("litellm.", "gen_ai.cost."),
    scopes=("litellm",),
    fields={
        "cost.total": ("gen_ai.cost.total_cost",),
        "cost.input": ("gen_ai.cost.input_cost",),
        "cost.output": ("gen_ai.cost.output_cost",),
    },
    own={
        "user_id": ("llm.user", "metadata.user_api_key_end_user_id", "metadata.user_api_key_user_id"),
        "session_id": ("metadata.session_id", "metadata.requester_metadata.session_id"),
        "cost.json": ("hidden_params",),
        "tokens.json": ("metadata.usage_object",),
    },
    own_gathered={"metadata": ("metadata.",)},
)
