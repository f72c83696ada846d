"""What a scorer is given and what it gives back. Pure: no clock, no network, no noun of the rooms above."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as scorers see it.

    `retrieved` is the ranking of documents behind the answer, best first, each document once, by its title.
    """

    text: str = ""
    output: Any = None
    retrieved: tuple[str, ...] = ()


Row = Mapping[str, Any]
Judge = Callable[[Answered, Row], float | None]


class Scorer(msgspec.Struct, frozen=True, kw_only=True):
    """A way to judge one answer against one dataset row.

    `judge` returns a number from `lowest` (0) to `highest` (1), or None where the row lacks the reference that the
    scorer needs: such an item is *not applicable* and is left out for every variant. A number that is not finite is an
    error of the scorer, never a score.
    """

    name: str
    help: str
    needs: str
    binary: bool
    judge: Judge
    lowest: float = 0.0
    highest: float = 1.0


def texts(value: Any) -> tuple[str, ...] | None:
    """A reference that may be written as one text or as a list of accepted texts; None where there is none."""
    if value is None:
        return None
    values = value if isinstance(value, list | tuple) else (value,)
    return tuple(str(item) for item in values) or None
