"""Why an answer ended, in the words of `llm.messages.StopReason`, whatever a provider or a library calls it."""

_WORDS = {
    "stop": ("stop", "end_turn", "end", "eos", "eos_token", "complete", "completed", "finish", "finished"),
    "max_tokens": ("max_tokens", "length", "max_output_tokens", "token_limit", "incomplete"),
    "stop_sequence": ("stop_sequence",),
    "tool_calls": ("tool_calls", "tool_call", "tool_use", "tool-calls", "function_call", "function_calls"),
    "content_filter": (
        "content_filter", "content-filter", "content_filtered", "guardrail_intervened", "safety", "blocklist",
        "prohibited_content", "spii", "recitation", "image_safety",
    ),
    "refusal": ("refusal",),
    "pause": ("pause", "pause_turn"),
    "context": ("model_context_window_exceeded", "context_length_exceeded"),
}  # fmt: skip
_OURS = {theirs: ours for ours, names in _WORDS.items() for theirs in names}


def reason_of(said: str) -> str:
    """Our word; one that we do not know keeps its own. Google's client says `FinishReason.STOP`."""
    return _OURS.get(said.rpartition(".")[2].lower(), said)
