"""Join a table's small files into few, and delete what nothing needs any more.

Knows files, sizes and retention. The rows stay the same rows: the transaction says that it changes no data, and versions
within the retention keep reading the files that they named.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import RemoveAction

from . import parquet
from .schema import TableSchema

_LARGEST_BYTES = 32 * 1024 * 1024
_LARGEST_ROWS = 100_000


class Compacted(NamedTuple):
    """What a compaction did: files joined, files made of them, old files deleted."""

    joined: int
    made: int
    deleted: int


def compact(table: TableSchema, delta: DeltaTable, folder: Path, keep_hours: float) -> Compacted:
    """Join, then delete files that are older than `keep_hours` and in no version that is kept."""
    joined = made = 0
    for small in _bins(table, delta):
        if not _join(table, delta, folder, small):
            break  # another process is compacting this table
        joined, made = joined + len(small), made + 1
    hours = max(0, int(keep_hours))
    delta.update_incremental()
    deleted = delta.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False, full=True)
    if deleted:
        delta.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True)
    return Compacted(joined=joined, made=made, deleted=len(deleted))


def _bins(table: TableSchema, delta: DeltaTable) -> list[list[dict[str, Any]]]:
    """Groups of at least two small files that hold the same values of `partition_by`."""
    files = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    by_value: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (file["modification_time"], file["path"])):
        if file["size_bytes"] < _LARGEST_BYTES // 2 and file["num_records"] < _LARGEST_ROWS // 2:
            by_value[tuple(file.get(f"min.{name}") for name in table.partition_by)].append(file)
    bins: list[list[dict[str, Any]]] = []
    for group in by_value.values():
        size, rows, current = 0, 0, list[dict[str, Any]]()
        for file in group:
            if current and (size + file["size_bytes"] > _LARGEST_BYTES or rows + file["num_records"] > _LARGEST_ROWS):
                bins.append(current)
                size, rows, current = 0, 0, []
            current.append(file)
            size, rows = size + file["size_bytes"], rows + file["num_records"]
        bins.append(current)
    return [some for some in bins if len(some) > 1]


def _join(table: TableSchema, delta: DeltaTable, folder: Path, small: list[dict[str, Any]]) -> bool:
    rows = pa.concat_tables(table.fit(pq.read_table(folder / file["path"], partitioning=None)) for file in small)
    added = [parquet.write(table, folder, part, changes_data=False) for part in parquet.split(table, rows)]
    parquet.sync_folder(folder)
    removed = [
        RemoveAction(
            path=file["path"],
            data_change=False,
            deletion_timestamp=added[0].modification_time,
            size=file["size_bytes"],
            partition_values={},
        )
        for file in small
    ]
    before = delta.version()
    try:
        delta.create_write_transaction([*added, *removed], mode="append", schema=Schema.from_arrow(table.arrow))
    except CommitFailedError:
        parquet.remove(folder, added)
        return False
    parquet.sync_log(folder, range(before + 1, delta.version() + 1))
    return True
