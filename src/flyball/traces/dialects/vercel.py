"""Vercel's AI SDK: `ai.*`, beside which stand names of OpenTelemetry on the spans that call a model.

https://github.com/vercel/ai/blob/main/packages/ai/src/telemetry
"""

from .dialect import Dialect

_CALLS = ("generateText.doGenerate", "streamText.doStream", "generateObject.doGenerate", "streamObject.doStream")
_WHOLE = ("generateText", "streamText", "generateObject", "streamObject", "embed", "embedMany", "rerank")

VERCEL = Dialect(
    name="vercel",
    title="Vercel AI SDK",
    speaks=("ai.",),
    scopes=("ai",),
    kinds={
        # What has a `do` in its name calls a model; what stands around it repeats its usage.
        "ai.operationId": {
            **{f"ai.{name.lower()}": "llm" for name in _CALLS},
            **{f"ai.{name.lower()}": "chain" for name in _WHOLE},
            "ai.embed.doembed": "embedding",
            "ai.embedmany.doembed": "embedding",
            "ai.rerank.dorerank": "reranker",
            "ai.toolcall": "tool",
        }
    },
    fields={
        "provider": ("ai.model.provider",),
        "model_requested": ("ai.model.id",),
        "model_response": ("ai.response.model",),
        "response_id": ("ai.response.id",),
        "finish_reason": ("ai.response.finishReason", "ai.finishReason"),
        "tool": ("ai.toolCall.name",),
        "trace_name": ("ai.telemetry.functionId",),
        "user_id": ("ai.telemetry.metadata.userId",),
        "session_id": ("ai.telemetry.metadata.sessionId",),
        "tags": ("ai.telemetry.metadata.tags",),
        "first_token.milliseconds": ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"),
        "tokens.uncached": ("ai.usage.inputTokenDetails.noCacheTokens",),
        "tokens.input": ("ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
        "tokens.output": ("ai.usage.outputTokens", "ai.usage.completionTokens"),
        "tokens.total": ("ai.usage.totalTokens",),
        "tokens.cache_read": ("ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens"),
        "tokens.cache_write": ("ai.usage.inputTokenDetails.cacheWriteTokens",),
        "tokens.reasoning": ("ai.usage.outputTokenDetails.reasoningTokens", "ai.usage.reasoningTokens"),
        "tokens.metadata": ("ai.response.providerMetadata",),
        "input.json": ("ai.prompt.messages", "ai.prompt", "ai.toolCall.args", "ai.value", "ai.values"),
        "output.json": (
            "ai.response.text",
            "ai.response.object",
            "ai.result.text",
            "ai.result.object",
            "ai.toolCall.result",
        ),
        "output.calls": ("ai.response.toolCalls", "ai.result.toolCalls"),
    },
    gathered={
        "metadata": ("ai.telemetry.metadata.",),
        "parameters": ("ai.settings.",),
        "tokens": ("ai.usage.",),
    },
    # Up to version 5, it passes on what these providers count.
    additive={"anthropic": "caches", "bedrock": "caches"},
)
