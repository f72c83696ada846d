"""One Parquet file of a table: written whole, on the disk before anyone is told, with what the log says about it.

Knows files and their statistics; knows no transaction.
"""

import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from flyball.kit.durable import sync

from .schema import TableSchema

ROWS_PER_GROUP = 16_384


def split(table: TableSchema, data: pa.Table) -> list[pa.Table]:
    """The rows apart by their values of `partition_by`, each part sorted by `sort_by`."""
    parts = [data]
    if table.partition_by:
        values = data.group_by(list(table.partition_by)).aggregate([]).to_pylist()
        parts = [data] if len(values) == 1 else [_matching(table, data, tuple(each.values())) for each in values]
    return [_sorted(table, part) for part in parts if part.num_rows]


def write(table: TableSchema, folder: Path, data: pa.Table, *, changes_data: bool = True) -> AddAction:
    """Write one part as a new file and make sure that it is on the disk. On failure nothing is left."""
    path = folder / f"part-{secrets.token_hex(16)}.parquet"
    try:
        with path.open("xb") as file:
            # Arrow writes by itself: through Python's file each page is copied, and waits for the interpreter.
            with pa.OSFile(str(path), "wb") as written:
                _encode(table, data, written)
            os.fsync(file.fileno())
    except BaseException:  # -- whatever stops it, no half file may be left
        path.unlink(missing_ok=True)
        raise
    status = path.stat()
    return AddAction(
        path=path.name,
        size=status.st_size,
        partition_values={},
        modification_time=status.st_mtime_ns // 1_000_000,
        data_change=changes_data,
        stats=_statistics(data, (*table.partition_by, *table.sort_by)),
    )


def write_all(table: TableSchema, folder: Path, pieces: Iterable[pa.Table], written: list[AddAction]) -> None:
    """Write every piece; while one is packed and on its way to the disk, beside the interpreter, the next is made already.

    `written` gets each file when it is on the disk, also of pieces before one that fails; no more are written after that.
    """

    def write_parts(rows: pa.Table) -> None:
        # Part by part: those before one that fails are in it.
        written.extend(write(table, folder, part) for part in split(table, rows))

    with _Beside(write_parts) as beside:
        for rows in pieces:
            beside.write(rows)


class _Beside:
    """Writes one piece at a time in a thread of its own; where none can be had, here."""

    def __init__(self, write_parts: Callable[[pa.Table], None]) -> None:
        self._write_parts = write_parts
        self._thread: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="parquet")
        self._last: Future[None] | None = None

    def write(self, rows: pa.Table) -> None:
        """Begin with a piece, once the one before is written."""
        self._finish()
        if self._thread is not None:
            try:
                self._last = self._thread.submit(self._write_parts, rows)
            except RuntimeError:  # there are no more threads, or the interpreter is about to end
                self._thread.shutdown(cancel_futures=True)  # it may have kept the piece for later
                self._thread = None
        if self._thread is None:
            self._write_parts(rows)

    def _finish(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self._thread is not None:
            self._thread.shutdown()
        try:
            self._finish()
        except BaseException as first:  # -- whatever it was, it came before what else went wrong
            raise first from error


def rehearse(table: TableSchema, data: pa.Table) -> None:
    """Make the file and its statistics, and keep neither."""
    _encode(table, data, pa.MockOutputStream())
    _statistics(data, (*table.partition_by, *table.sort_by))


def _encode(table: TableSchema, data: pa.Table, file: Any) -> None:
    pq.write_table(
        data,
        file,
        compression="zstd",
        row_group_size=ROWS_PER_GROUP,
        use_dictionary=[name for name in data.column_names if name not in table.plain],
        bloom_filter_options={name: _bloom(data) for name in table.find_by} or None,
    )


def read(path: Path, columns: Sequence[str] | None = None, *, threads: bool = True) -> pa.Table:
    """A file's rows, or some columns of them; columns that are younger than the file are left out."""
    file = pq.ParquetFile(path)
    held = file.schema_arrow.names
    wanted = [name for name in held if columns is None or name in columns]
    return file.read(columns=wanted, use_threads=threads)


def _bloom(data: pa.Table) -> dict[str, float]:
    return {"ndv": max(1, min(data.num_rows, ROWS_PER_GROUP)), "fpp": 0.01}


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder are on the disk."""
    sync(folder)


def sync_log(folder: Path, versions: Iterable[int]) -> None:
    """Make sure that the transactions that made these versions are on the disk."""
    log = folder / "_delta_log"
    for version in versions:
        sync(log / f"{version:020d}.json")
    sync(log)


def remove(folder: Path, actions: Iterable[AddAction]) -> None:
    """Take back files that no transaction came to name."""
    for action in actions:
        (folder / action.path).unlink(missing_ok=True)


def _sorted(table: TableSchema, data: pa.Table) -> pa.Table:
    """In the table's order; what lies in order already, as rows mostly do, is not copied."""
    if not table.sort_by:
        return data
    (first, *more) = table.sort_by
    column = data[first].combine_chunks()
    if not more and column.null_count == 0 and pc.all(pc.greater_equal(column[1:], column[:-1])).as_py() is not False:
        return data
    return data.combine_chunks().sort_by([(name, "ascending") for name in table.sort_by])


def _matching(table: TableSchema, data: pa.Table, values: tuple[Any, ...]) -> pa.Table:
    for name, value in zip(table.partition_by, values, strict=True):
        column = data[name]
        data = data.filter(pc.is_null(column) if value is None else pc.equal(column, value))
    return data


def _statistics(data: pa.Table, columns: tuple[str, ...]) -> str:
    smallest, largest, nulls = {}, {}, {}
    for name in columns:
        found = pc.min_max(data[name]).as_py()
        nulls[name] = data[name].null_count
        if found["min"] is not None:
            smallest[name], largest[name] = found["min"], found["max"]
    return msgspec.json.encode(
        {"numRecords": data.num_rows, "minValues": smallest, "maxValues": largest, "nullCount": nulls}
    ).decode()
