"""What Claude demands of sampling and thinking wherever it is asked, at Anthropic or at Bedrock. Knows no dialect's names."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .looking import Body, number


class Sampling(NamedTuple):
    """The fields that depend on each other."""

    max_tokens: float | None
    temperature: float | None
    top_p: float | None
    top_k: Any
    forced: bool  # a tool has to be called


def complaints(thinking: Body, sampling: Sampling) -> Iterator[str]:
    """What is wrong with asking for thoughts like this."""
    if thinking.get("type") not in ("enabled", "adaptive"):
        return
    if thinking["type"] == "enabled":
        yield from _budget(number(thinking, "budget_tokens"), sampling.max_tokens)
    if sampling.temperature not in (None, 1):
        yield "`temperature` may only be set to 1 when thinking is enabled."
    if sampling.top_k is not None:
        yield "`top_k` must be unset when thinking is enabled."
    if sampling.top_p is not None and sampling.top_p < 0.95:
        yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
    if sampling.forced:
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _budget(budget: float | None, most: float | None) -> Iterator[str]:
    if budget is None:
        yield "thinking.enabled.budget_tokens: Field required"
    elif budget < 1024:
        yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    elif most is not None and budget >= most:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."
