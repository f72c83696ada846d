"""How fast sums grow that processes tell of: over the last minute, and since the last look, whoever was started anew meanwhile.

Pure: looks in, rates out. A process that was not there at the last look counts from nothing; one that was there at the first
look counts from then on.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from flyball.infra.processes.vitals import Vitals
from flyball.kit.clock import NANOSECONDS

Key: TypeAlias = tuple[str, str]  # the name of a sum, and of what it is

_WINDOW_NS = 60 * NANOSECONDS


class _Look(NamedTuple):
    at_ns: int
    grown: Mapping[Key, float]


class Growth:
    """What was grown since the first look, of all processes together."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int, str, str], float] | None = None
        self._grown: dict[Key, float] = {}
        self._looks: deque[_Look] = deque()

    def look(self, vitals: Sequence[Vitals], now_ns: int) -> dict[Key, float]:
        """Take the sums of a look; by how much each has grown since the one before."""
        seen = {(one.role, one.started_ns, each.name, each.of): each.number for one in vitals for each in one.sums}
        since: dict[Key, float] = {}
        if self._last is not None:
            for (role, started_ns, name, of), number in seen.items():
                by = number - self._last.get((role, started_ns, name, of), 0.0)
                since[name, of] = since.get((name, of), 0.0) + max(0.0, by)
        self._last = seen
        self._grown = {
            key: self._grown.get(key, 0.0) + since.get(key, 0.0) for key in self._grown.keys() | since.keys()
        }
        self._looks.append(_Look(now_ns, self._grown))
        while len(self._looks) > 2 and self._looks[1].at_ns <= now_ns - _WINDOW_NS:
            self._looks.popleft()
        return since

    def per_second(self, name: str, of: str | None = None) -> float:
        """The rate over the last minute, or over what there is of it."""
        if len(self._looks) < 2:
            return 0.0
        first, last = self._looks[0], self._looks[-1]
        seconds = (last.at_ns - first.at_ns) / NANOSECONDS
        if seconds <= 0:
            return 0.0
        by = sum(
            number - first.grown.get(key, 0.0)
            for key, number in last.grown.items()
            if key[0] == name and of in (None, key[1])
        )
        return by / seconds
