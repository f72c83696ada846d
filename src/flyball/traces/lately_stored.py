"""Which spans the table has lately got, so that one that is sent again, in whatever request, is not stored again.

Keeps a hash per span in memory: 8 bytes each, for the newest few million. That a hash is not here is proof; that it is here
is a question to the table. Knows keys; knows no table. Not for several threads at once.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

MOST = 4_000_000  # spans that are remembered; at 20,000 a second those of more than three minutes
_LEVELS = 8  # sorted arrays to look into, before they are made one
_Hashes = npt.NDArray[np.int64]


class LatelyStored:
    """Hashes of keys, the oldest of them given up first."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._levels: list[_Hashes] = []  # each sorted; the oldest first

    def __len__(self) -> int:
        return sum(len(level) for level in self._levels)

    def maybe(self, hashes: _Hashes) -> npt.NDArray[np.bool_]:
        """Which of the hashes are here."""
        found = np.zeros(len(hashes), dtype=np.bool_)
        for level in self._levels:
            places = np.searchsorted(level, hashes)
            places[places == len(level)] = 0
            found |= level[places] == hashes
        return found

    def add(self, hashes: _Hashes) -> None:
        """Remember these; forget the oldest where they are too many."""
        if not len(hashes):
            return
        self._levels.append(np.sort(hashes))
        while len(self._levels) > 1 and len(self) - len(self._levels[0]) >= self._most:
            self._levels.pop(0)
        if len(self._levels) > _LEVELS:
            self._join()

    def _join(self) -> None:
        """The newest small levels become one; large ones stay, so that the oldest can be given up one by one."""
        largest = self._most // 4
        young: list[_Hashes] = []
        while self._levels and len(self._levels[-1]) < largest:
            young.append(self._levels.pop())
        if young:
            self._levels.append(np.sort(np.concatenate(young)))


def hashes_of(keys: Iterable[tuple[str, str, str]]) -> _Hashes:
    """A hash for each (project, trace id, span id); good for this process alone."""
    return np.fromiter(map(hash, keys), dtype=np.int64)
