"""Which files hold which ids, remembered as hashes: to open a file costs a third of a millisecond, to look here a thousandth.

Files never change, so what was read of one stays true. Knows files and one column of each; knows no question. It may name a file
that does not hold the id (two hashes in 2^61 are alike), and never leaves out one that does.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from . import parquet
from .errors import LakeAwayError

_MOST_IDS = 8_000_000  # of all files together, eight bytes each
_FILE = 64  # ids: what a file takes besides, its path above all, so that very many small ones have an end too
_MOST_READ = 16  # files of one look-up; who asks first after a start does not wait until all are read

_Hashes: TypeAlias = npt.NDArray[np.int64]


class IdIndex:
    """The ids of a process's files. For any thread."""

    def __init__(self, most: int = _MOST_IDS) -> None:
        self._most = most
        self._held = 0
        # By path and column, the one asked last at the end.
        self._known: OrderedDict[tuple[str, str], _Hashes] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, column: str, files: Sequence[str], ids: Sequence[str]) -> tuple[list[str], list[str]]:
        """The files that hold one of the ids, and those of which nothing is known yet. Some of these are read meanwhile.

        Raises LakeAwayError where a file cannot be read.
        """
        known = {path: hashes for path in files if (hashes := self._recall(path, column)) is not None}
        unknown = [path for path in files if path not in known]
        for path in unknown[:_MOST_READ]:
            known[path] = self._keep(path, column, _read(path, column))
        wanted = np.array([hash(id_) for id_ in ids], np.int64)
        return [path for path, hashes in known.items() if _meet(hashes, wanted)], unknown[_MOST_READ:]

    def _recall(self, path: str, column: str) -> _Hashes | None:
        with self._lock:
            hashes = self._known.get((path, column))
            if hashes is not None:
                self._known.move_to_end((path, column))
            return hashes

    def _keep(self, path: str, column: str, hashes: _Hashes) -> _Hashes:
        with self._lock:
            if (path, column) not in self._known:
                self._known[path, column] = hashes
                self._held += hashes.size + _FILE
            while self._held > self._most and self._known:
                _, oldest = self._known.popitem(last=False)
                self._held -= oldest.size + _FILE
        return hashes


def _meet(hashes: _Hashes, wanted: _Hashes) -> bool:
    if not hashes.size:
        return False
    places = hashes.searchsorted(wanted)
    places[places == hashes.size] = 0
    return bool((hashes[places] == wanted).any())


def _read(path: str, column: str) -> _Hashes:
    try:
        rows = parquet.read(Path(path), [column], threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise LakeAwayError(f"a table's file cannot be read: {error}", next_step="run `flyball doctor`") from error
    if column not in rows.column_names:  # the column is younger than the file
        return np.empty(0, np.int64)
    found = pc.unique(rows[column]).to_pylist()
    return np.sort(np.fromiter(map(hash, found), np.int64, len(found)))
