"""Delta tables under one folder: exactly-once appends, versions, compaction; questions over them through DuckDB.

Knows tables, files and transactions; knows not what rows mean. An append is one Delta transaction that carries its
writer's name and number: the same number again is recognised and changes nothing, whoever repeats it and whenever.
Methods block: an async caller uses `asyncio.to_thread`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from flyball.kit.errors import InvalidInputError

from . import asking, compaction, parquet
from .compaction import Compacted
from .errors import LakeAwayError, LakeVersionError
from .handles import Handles
from .questions import Questions, Source
from .schema import Rows, TableSchema

_TRIES = 10


class Lake:
    """The tables of one installation."""

    def __init__(self, root_url: str) -> None:
        self.root_url = root_url
        self._root = _local_folder(root_url)
        self._questions = Questions(self._root)
        self._reading = Handles(self._root)
        self._writing = Handles(self._root)

    def append(self, table: TableSchema, data: Rows, *, writer: str, sequence: int) -> bool:
        """Add rows as transaction `sequence` of `writer`. False: that one, or a later one of this writer, is there already.

        Numbers of one writer must grow. On return True the rows are on the disk and visible to everyone.

        Raises:
            LakeSchemaError: rows that do not fit.
            LakeAwayError: the folder cannot be written; nothing of the rows is visible, and the call may be repeated.
        """
        rows = table.fit(data)
        with self._writing.lock, _failing(table, "written"):
            for _ in range(_TRIES):
                transaction = Transaction(writer, sequence)
                try:
                    delta = self._writing.open_or_create(table)
                    if _holds(delta, transaction):
                        return False
                    self._append_once(table, delta, rows, transaction)
                except CommitFailedError:  # somebody else was first: with this number, or with a change of the table
                    self._writing.forget(table)
                else:
                    return True
            raise LakeAwayError(
                f"the table {table.name} could not be written in {_TRIES} tries: too many writers at once",
                next_step="repeat it; nothing was written",
            )

    def version(self, table: TableSchema) -> int | None:
        """The table's newest version; None where nothing was ever appended."""
        with self._reading.lock, _failing(table, "read"):
            delta = self._reading.open(table)
            return None if delta is None else int(delta.version())

    def last_sequence(self, table: TableSchema, writer: str) -> int | None:
        """The number of the writer's last append."""
        with self._reading.lock, _failing(table, "read"):
            delta = self._reading.open(table)
            found = None if delta is None else delta.transaction_version(writer)
            return None if found is None else int(found)

    def files(self, table: TableSchema, *, version: int | None = None, where: str | None = None) -> list[str]:
        """The paths of the table's Parquet files, at a version if given.

        `where` is an SQL predicate over `partition_by` and `sort_by` columns ("project = 'default' and start_ns >= 5"); it
        leaves out files that cannot hold a matching row, and keeps every file that may.
        """
        with self._reading.lock, _failing(table, "read"):
            delta = self._reading.open(table) if version is None else self._open_at(table, version)
            return [] if delta is None else [str(path) for path in delta.file_uris(file_pruning_predicate=where)]

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        tables: Iterable[TableSchema] = (),
        versions: Mapping[str, int] | None = None,
        where: Mapping[str, str] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
        deadline_seconds: float = 30.0,
    ) -> list[dict[str, Any]]:
        """Rows of a question in DuckDB's SQL (`?` or `$name`); each table is seen under its name, empty where nothing is.

        `versions` and `where` are by table name, as in `files`. `relations` are further tables, in memory.
        For SQL that we wrote; what a person typed goes to `ask`.
        """
        sources = [self._source(table, versions or {}, where or {}) for table in tables]
        return self._questions.run(sql, parameters, sources, relations or {}, deadline_seconds)

    def ask(
        self,
        sql: str,
        *,
        tables: Iterable[TableSchema] = (),
        where: Mapping[str, str] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
        deadline_seconds: float = 30.0,
        most_rows: int = 10_000,
    ) -> list[dict[str, Any]]:
        """Rows of one SELECT that a person typed: it reads these tables' files and nothing else, and writes nothing.

        What it may see is what the given files hold: keep other projects out by `where`.
        """
        named = [
            asking.Named(
                name=table.name,
                schema=table.arrow.serialize().to_pybytes(),
                files=self.files(table, where=(where or {}).get(table.name)),
            )
            for table in tables
        ]
        packed = {name: asking.packed(relation) for name, relation in (relations or {}).items()}
        order = asking.Order(
            sql=sql,
            tables=named,
            relations=[(name, len(data)) for name, data in packed.items()],
            deadline_seconds=deadline_seconds,
            most_rows=most_rows,
        )
        return asking.ask(order, list(packed.values()))

    def compact(self, table: TableSchema, *, keep_hours: float | None = None) -> Compacted:
        """Join small files into few, then delete files that no version of the last `keep_hours` needs.

        Readers are not disturbed: files that were replaced stay for `keep_hours` (the table's `history_hours` unless given).
        """
        with _failing(table, "compacted"):
            delta = Handles(self._root).open(table)  # its own handle: neither readers nor writers wait
            if delta is None:
                return Compacted(joined=0, made=0, deleted=0)
            keep = table.history_hours if keep_hours is None else keep_hours
            return compaction.compact(table, delta, self._reading.folder(table), keep)

    def _append_once(self, table: TableSchema, delta: DeltaTable, rows: pa.Table, transaction: Transaction) -> None:
        folder, before = self._writing.folder(table), delta.version()
        written: list[AddAction] = []
        try:
            written.extend(parquet.write(table, folder, part) for part in parquet.split(table, rows))
            parquet.sync_folder(folder)
            delta.create_write_transaction(
                [*written],
                mode="append",
                schema=Schema.from_arrow(table.arrow),
                commit_properties=CommitProperties(app_transactions=[transaction]),
            )
        except CommitFailedError:
            parquet.remove(folder, written)
            raise
        except BaseException:  # -- whatever stops it, no file may be left that nobody names
            self._writing.forget(table)
            if not self._named_by_log(table, transaction):
                parquet.remove(folder, written)
            raise
        parquet.sync_log(folder, range(before + 1, delta.version() + 1))

    def _named_by_log(self, table: TableSchema, transaction: Transaction) -> bool:
        """After an unclear failure: whether the log came to name the files. When in doubt, yes."""
        try:
            delta = self._writing.open(table)
            return delta is not None and _holds(delta, transaction)
        except (DeltaError, OSError):
            return True

    def _open_at(self, table: TableSchema, version: int) -> DeltaTable:
        try:
            return DeltaTable(str(self._reading.folder(table)), version=version)
        except DeltaError as error:
            raise LakeVersionError(
                f"the table {table.name} has no version {version} any more, or not yet",
                next_step=f"ask for a version of the last {table.history_hours} hours, up to {self.version(table)}",
            ) from error

    def _source(self, table: TableSchema, versions: Mapping[str, int], where: Mapping[str, str]) -> Source:
        version, predicate = versions.get(table.name), where.get(table.name)
        return Source(table, lambda: self.files(table, version=version, where=predicate))


def _holds(delta: DeltaTable, transaction: Transaction) -> bool:
    """Whether the table has this transaction of its writer, or a later one."""
    last = delta.transaction_version(transaction.app_id)
    return last is not None and last >= transaction.version


@contextmanager
def _failing(table: TableSchema, deed: str) -> Iterator[None]:
    try:
        yield
    except (OSError, DeltaError) as error:
        raise LakeAwayError(
            f"the table {table.name} cannot be {deed}: {error}",
            next_step="free space or correct FLYBALL_LAKE_URL, then repeat; `flyball doctor` shows both",
        ) from error


def _local_folder(root_url: str) -> Path:
    parts = urlsplit(root_url)
    if parts.scheme not in {"", "file"}:
        raise InvalidInputError(
            f"tables at {root_url!r}: only a local folder works in this version",
            next_step="leave FLYBALL_LAKE_URL empty, or set it to file:///a/folder",
        )
    return Path(unquote(parts.path)).resolve()
