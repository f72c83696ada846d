"""The shelf of scorers: each judges one answer by code. One file each, one line in the table below.

`get("hit_at_5")` finds one by name; `hit_at_<k>` exists for every k from 1 to 100.
"""

import re

from .exact import EXACT
from .hit_at_k import LARGEST_K, hit_at_k
from .protocol import Answered, Scorer
from .reciprocal_rank import RECIPROCAL_RANK
from .token_f1 import TOKEN_F1

__all__ = ["ALIASES", "SCORERS", "Answered", "Scorer", "get", "names"]

SCORERS: dict[str, Scorer] = {
    scorer.name: scorer for scorer in (hit_at_k(1), hit_at_k(5), RECIPROCAL_RANK, TOKEN_F1, EXACT)
}
ALIASES = {"mrr": "reciprocal_rank"}

_HIT_AT = re.compile(r"hit_at_([1-9][0-9]{0,2})")


def get(name: str) -> Scorer | None:
    """The scorer of this name, or None."""
    name = ALIASES.get(name, name)
    if name not in SCORERS and (match := _HIT_AT.fullmatch(name)) and int(match[1]) <= LARGEST_K:
        return hit_at_k(int(match[1]))
    return SCORERS.get(name)


def names() -> tuple[str, ...]:
    """What can be asked for, in words for an error message."""
    return (*SCORERS, "hit_at_<k>", *ALIASES)
