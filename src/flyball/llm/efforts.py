"""How much to think, in words and in tokens: some providers want the one, some the other. One table for both ways.

Tokens are the middle of what the vendors publish; no vendor promises that a word means a number.
"""

# Word, and the tokens that it stands for. A budget means the word with the largest number that it reaches.
TOKENS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 65536}
SMALLEST = 1024  # the least that Anthropic takes
_FOR_THE_ANSWER = 1024  # tokens that a thought leaves to its answer, where there is room for both


def budget_of(effort: str, max_tokens: int | None) -> int:
    """The tokens for a word: 0 for "none", -1 (as the provider sees fit) for a word that is not known.

    `max_tokens` is what thought and answer may have together: a thought leaves room for its answer. Where there is not
    even room for the smallest thought, the budget is 0.
    """
    if effort == "none":
        return 0
    budget = TOKENS.get(effort, -1)
    if max_tokens is None or budget < 0:
        return budget
    budget = min(budget, max(max_tokens - _FOR_THE_ANSWER, SMALLEST))
    return budget if budget < max_tokens else 0


def word_for(effort: str, budget: int | None) -> str:
    """The word for a provider that is asked in words alone; empty: as it sees fit. No tokens are no thought, whatever the word."""
    if budget == 0:
        return "none"
    return effort or ("" if budget is None or budget < 0 else effort_of(budget))


def is_known(effort: str) -> bool:
    """Whether a word has a meaning here; none at all has one."""
    return effort in ("", "none") or effort in TOKENS


def effort_of(budget: int) -> str:
    """The word for a number of tokens: "none" for 0, "medium" where the provider is to see for itself."""
    if budget == 0:
        return "none"
    if budget < 0:
        return "medium"
    return next((word for word, tokens in reversed(TOKENS.items()) if tokens <= budget), "minimal")
