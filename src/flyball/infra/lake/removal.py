"""Take rows out of a table for good, or change them: whole files that are too old, and files that are written again.

Knows files and statistics; knows not why. Appends go on meanwhile; where compaction was faster with a file, the deed is begun
again on what it made. What was taken out is on the disk until the files are vacuumed, and readers see it no more.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from . import parquet
from .places import Place
from .schema import TableSchema

Affected: TypeAlias = Callable[[pa.Table], pa.Array]  # of rows: true where a row is to go, or to change
Change: TypeAlias = Callable[[pa.Table], pa.Table | None]  # rows that are affected as they shall be; None: without them

_TRIES = 10


class Rewriting(NamedTuple):
    """What is to be written again: whose rows, which of them by some columns, and what they become."""

    project: str
    columns: tuple[str, ...]
    affected: Affected
    change: Change
    since: int | None = None  # of the table's order; older files are left alone


class Rewritten(NamedTuple):
    """What went or changed: rows, and files that are no part of the table any more."""

    rows: int
    files: int


def files_before(table: TableSchema, delta: DeltaTable, project: str, before: int) -> list[dict[str, Any]]:
    """The project's files in which every row lies before a value of the table's order."""
    last = f"max.{table.sort_by[0]}"
    return [file for file in _of_project(table, delta, project) if file.get(last) is not None and file[last] < before]


def drop(table: TableSchema, delta: DeltaTable, place: Place, files: list[dict[str, Any]]) -> bool:
    """Take whole files out, in one transaction; False where another one has changed them meanwhile."""
    return _commit(table, delta, place, [], files)


def rewrite(table: TableSchema, delta: DeltaTable, place: Place, wanted: Rewriting) -> Rewritten:
    """Write the files again that hold an affected row; the others stay."""
    rows = files = 0
    for _ in range(_TRIES):
        delta.update_incremental()
        conflict = False
        for file in _of_project(table, delta, wanted.project):
            if wanted.since is not None and (file.get(f"max.{table.sort_by[0]}") or wanted.since) < wanted.since:
                continue
            (path,) = place.fetch([file["path"]])
            some = pc.sum(wanted.affected(table.fit(parquet.read(path, wanted.columns)))).as_py() or 0
            if not some:
                continue
            if _again(table, delta, place, file, wanted):
                rows, files = rows + some, files + 1
            else:
                conflict = True
        if not conflict:
            break
    return Rewritten(rows, files)


def removed(file: dict[str, Any], *, changes_data: bool) -> RemoveAction:
    """The action that takes a file out."""
    return RemoveAction(
        path=file["path"],
        data_change=changes_data,
        deletion_timestamp=time.time_ns() // 1_000_000,  # of the file system's world, as modification times are
        size=file["size_bytes"],
        partition_values={},
    )


def _of_project(table: TableSchema, delta: DeltaTable, project: str) -> list[dict[str, Any]]:
    of_project = f"max.{table.partition_by[0]}"
    return [
        file for file in pa.table(delta.get_add_actions(flatten=True)).to_pylist() if file.get(of_project) == project
    ]


def _again(table: TableSchema, delta: DeltaTable, place: Place, file: dict[str, Any], wanted: Rewriting) -> bool:
    (path,) = place.fetch([file["path"]])
    whole = table.fit(parquet.read(path))
    affected = pc.fill_null(wanted.affected(whole), fill_value=False)
    changed = wanted.change(whole.filter(affected))
    left = whole.filter(pc.invert(affected))
    rows = left if changed is None else pa.concat_tables([left, table.fit(changed)])
    added = [parquet.write(table, place.folder, part) for part in parquet.split(table, rows)]
    place.publish(added)
    return _commit(table, delta, place, added, [file])


def _commit(
    table: TableSchema, delta: DeltaTable, place: Place, added: list[AddAction], taken_out: list[dict[str, Any]]
) -> bool:
    before = delta.version()
    try:
        delta.create_write_transaction(
            [*added, *(removed(file, changes_data=True) for file in taken_out)],
            mode="append",
            schema=Schema.from_arrow(table.arrow),
        )
    except CommitFailedError:
        place.discard(added)
        return False
    place.settle(range(before + 1, delta.version() + 1))
    return True
