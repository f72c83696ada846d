"""What the scripted upstream would bill, as vendors publish that they do: for what it generated, and for nothing else.

An answer that it sent to its end is billed by the counts in it (`told`). An error of whatever status, one in a 200 before any
content, a page instead of an answer, and a connection that ends before the answer begins are billed nothing. An answer that broke off, or was hung up on, or
whose counts make no sense is billed for its prompt and one token for each piece that was sent, which nobody is told.
"""

from typing import NamedTuple

from .dialect import Ask
from .script import Turn

_UNTOLD = frozenset(("no_usage", "wrong_usage", "malformed"))
_FREE = frozenset(("error_in_200", "empty", "html", "status", "reset", "stall"))

_FIRST_CONTENT = 2  # chunks: what opens an answer is one


class Bill(NamedTuple):
    """One answer. Tokens of the prompt are fresh, read from a cache or written to one; thoughts count among the output."""

    model: str
    told: bool
    fresh_tokens: int
    cached_tokens: int
    written_tokens: int
    output_tokens: int


def bill_of(turn: Turn, ask: Ask, *, pieces: int, whole: bool) -> Bill | None:
    """The bill for an answer of which so many pieces were sent; None: nothing is billed."""
    if ask.verb != "generate" or turn.raw is not None or turn.fault in _FREE or not pieces:
        return None
    if ask.stream and turn.fault == "error_midway" and turn.after_chunks < _FIRST_CONTENT:
        return None
    told = whole and turn.fault not in _UNTOLD
    if ask.stream:
        told = told and ask.counts and turn.fault != "error_midway"
    output = turn.completion_tokens if whole else pieces
    return Bill(ask.model, told, turn.fresh_tokens, turn.cached_tokens, turn.cache_write_tokens, output)
