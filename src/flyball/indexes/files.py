"""The files of an index version: a LanceDB table with full-text indexes, statistics, and a mark that they are whole.

Everything here is derived and may be deleted. A folder appears under its final name when it is complete. LanceDB is loaded
when files are first written or opened: the processes that know of builds are more than those that build (see `engines`).
"""

import shutil
from collections.abc import Iterable
from importlib import import_module
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from flyball.infra.layout import Layout

from .errors import IndexFilesMissingError
from .passages import PASSAGES, Tally
from .ranking import Statistics
from .records import IndexVersion

ENGINE = f"lancedb {version_of('lancedb')} bm25"
SEARCHED = {
    "names_terms": 1.5,
    "summary_terms": 2.0,
    "text_terms": 1.0,
}  # the columns that candidates come from, and their weight

_TABLE = "passages"
_STATISTICS = "statistics.json"


class Opened(NamedTuple):
    """An index version, ready to be searched."""

    table: Any
    statistics: Statistics


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Written last: what the folder holds."""

    hash: str
    documents: int
    chunks: int
    statistics: Statistics


def write(layout: Layout, version_id: str, batches: Iterable[pa.Table]) -> Mark:
    """Make the files of a version from its passages; those that are there already are replaced."""
    folder = layout.indexes / version_id
    beside = layout.indexes / f".{version_id}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(mode=0o700, parents=True)
    tally = Tally()

    def counted() -> Iterable[pa.RecordBatch]:
        for batch in batches:
            tally.add(batch)
            yield from batch.combine_chunks().to_batches()

    database = _connected(beside)
    table = database.create_table(_TABLE, pa.RecordBatchReader.from_batches(PASSAGES, counted()), schema=PASSAGES)
    for column in SEARCHED:
        table.create_index(column, config=_as_analysed())
    mark = Mark(hash=tally.hash, documents=tally.documents, chunks=tally.passages, statistics=tally.statistics())
    (beside / _STATISTICS).write_bytes(msgspec.json.encode(mark))
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    return mark


def remove(layout: Layout, version_id: str) -> None:
    """Delete the files of a version that nobody names."""
    shutil.rmtree(layout.indexes / version_id, ignore_errors=True)


def exist(layout: Layout, version: IndexVersion) -> bool:
    """Whether the files of a version are here and whole."""
    return _mark(layout, version.id) is not None


def open_(layout: Layout, version: IndexVersion) -> Opened:
    """The files of a version. Raises IndexFilesMissingError."""
    mark = _mark(layout, version.id)
    if mark is None:
        raise IndexFilesMissingError(version.name, version.version, "they are not on this machine")
    try:
        table = _connected(layout.indexes / version.id).open_table(_TABLE)
        found = table.count_rows()
    except (ValueError, OSError, RuntimeError) as error:
        raise IndexFilesMissingError(version.name, version.version, f"{error}".splitlines()[0][:200]) from error
    if found != version.chunks:
        reason = f"{found:,} passages where {version.chunks:,} should be"
        raise IndexFilesMissingError(version.name, version.version, reason)
    return Opened(table, mark.statistics)


def _mark(layout: Layout, version_id: str) -> Mark | None:
    try:
        return msgspec.json.decode((layout.indexes / version_id / _STATISTICS).read_bytes(), type=Mark)
    except (OSError, msgspec.MsgspecError):
        return None


def _connected(folder: Path) -> Any:
    return import_module("lancedb").connect(str(folder))


def _as_analysed() -> Any:
    """Terms as `analysis` made them: Lance splits at spaces and changes nothing."""
    return import_module("lancedb.index").FTS(
        base_tokenizer="whitespace",
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
        max_token_length=None,
    )
