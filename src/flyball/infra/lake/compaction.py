"""Join a table's small files into few, leave out rows that stand in them twice, and delete what nothing needs any more.

Knows files, sizes and retention. The rows stay the same rows: the transaction says that it changes no data, and versions
within the retention keep reading the files that they named.
"""

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError

from . import parquet
from .places import Place
from .removal import removed
from .schema import TableSchema

_LARGEST_BYTES = 32 * 1024 * 1024
_LARGEST_ROWS = 100_000
_SMALL_BYTES = 4 * 1024 * 1024
_SMALL_ROWS = parquet.ROWS_PER_GROUP // 2  # readers gain little from joining more, and writers pay for all of it
_MOST_COPIES = 20 * 1024**3  # bytes of a table in a bucket that are kept here as well
_LEAST_FREE = 512 * 1024 * 1024  # bytes: what is joined stands there twice for a while


class Compacted(NamedTuple):
    """What a compaction did: files joined, files made of them, old files deleted."""

    joined: int
    made: int
    deleted: int


class Extent(NamedTuple):
    """How much a table holds, as its log tells, and how many of its files wait to be joined."""

    rows: int
    bytes: int
    files: int
    small: int


def measure(table: TableSchema, delta: DeltaTable) -> Extent:
    """What the newest version holds."""
    files = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    return Extent(
        rows=sum(file["num_records"] for file in files),
        bytes=sum(file["size_bytes"] for file in files),
        files=len(files),
        small=sum(len(bin_) for bin_ in _bins(table, files)),
    )


def compact(table: TableSchema, delta: DeltaTable, place: Place, keep_hours: float) -> Compacted:
    """Join, then delete files that are older than `keep_hours` and in no version that is kept."""
    joined = made = 0
    has_room = shutil.disk_usage(place.folder).free >= _LEAST_FREE
    files = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    for small in _bins(table, files) if has_room else ():  # on a disk that fills up, deleting is what helps
        if not _join(table, delta, place, small):
            break  # another process is compacting this table
        joined, made = joined + len(small), made + 1
    hours = max(0, int(keep_hours))
    delta.update_incremental()
    deleted = delta.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False, full=True)
    if deleted:
        delta.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True)
        place.forget(Path(path).name for path in deleted)
    place.trim(_MOST_COPIES)
    return Compacted(joined=joined, made=made, deleted=len(deleted))


def _bins(table: TableSchema, files: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Groups of at least two small files that hold the same values of `partition_by`."""
    by_value: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (file["modification_time"], file["path"])):
        if file["size_bytes"] < _SMALL_BYTES and file["num_records"] < _SMALL_ROWS:
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


def _join(table: TableSchema, delta: DeltaTable, place: Place, small: list[dict[str, Any]]) -> bool:
    if table.sort_by:  # files mostly follow each other, and rows in order need not be sorted
        small = sorted(small, key=lambda file: file.get(f"min.{table.sort_by[0]}") or 0)
    paths = place.fetch(file["path"] for file in small)
    # One thread is enough: nobody waits for it, and all the others have something to do.
    rows = once(table, pa.concat_tables(table.fit(parquet.read(path, threads=False)) for path in paths))
    added = [parquet.write(table, place.folder, part, changes_data=False) for part in parquet.split(table, rows)]
    place.publish(added)
    taken_out = [removed(file, changes_data=False) for file in small]
    before = delta.version()
    try:
        delta.create_write_transaction([*added, *taken_out], mode="append", schema=Schema.from_arrow(table.arrow))
    except CommitFailedError:
        place.discard(added)
        return False
    place.settle(range(before + 1, delta.version() + 1))
    return True


def once(table: TableSchema, rows: pa.Table) -> pa.Table:
    """The rows without those whose `unique` columns say what an earlier row has said."""
    if not table.unique or pc.count_distinct(rows[table.unique[-1]]).as_py() == rows.num_rows:  # as is nearly always
        return rows
    keys = rows.select(list(table.unique)).append_column("at", pa.array(range(rows.num_rows), pa.int64()))
    firsts = keys.group_by(list(table.unique)).aggregate([("at", "min")])
    if firsts.num_rows == rows.num_rows:
        return rows
    return rows.take(firsts["at_min"].combine_chunks().sort())
