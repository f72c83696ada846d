"""What a process counts of its own work, in memory: sums that only grow, levels as they are now, the newest words.

Counting is an addition to a dict: no lock, no disk, nothing to wait for. Knows names and numbers; knows neither what they
mean nor who reads them. One thread counts under one name.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Counted(NamedTuple):
    """A sum or a level: its name, of what ("": of nothing in particular), and the number."""

    name: str
    of: str
    number: float


class Tally:
    """The figures of one process since it started."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], float] = {}
        self._levels: dict[tuple[str, str], float] = {}
        self._words: dict[str, str] = {}

    def count(self, name: str, amount: float = 1, *, of: str = "") -> None:
        """So much more of something."""
        key = (name, of)
        self._sums[key] = self._sums.get(key, 0) + amount

    def total(self, name: str, number: float, *, of: str = "") -> None:
        """A sum that somebody else keeps, as it is now."""
        self._sums[name, of] = number

    def level(self, name: str, number: float, *, of: str = "") -> None:
        """How much of something there is now."""
        self._levels[name, of] = number

    def say(self, name: str, words: str) -> None:
        """What is to be told of something, instead of what was told before."""
        self._words[name] = words

    def sums(self) -> Iterator[Counted]:
        """Every sum."""
        return (Counted(name, of, number) for (name, of), number in list(self._sums.items()))

    def levels(self) -> Iterator[Counted]:
        """Every level."""
        return (Counted(name, of, number) for (name, of), number in list(self._levels.items()))

    def words(self) -> dict[str, str]:
        """Every word, by name."""
        return dict(self._words)
