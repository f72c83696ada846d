"""Delta tables under one folder, or one prefix of a bucket: exactly-once appends, versions, compaction; questions over them through DuckDB.

Knows tables, files and transactions; knows not what rows mean. An append is one Delta transaction that carries its
writer's name and number: the same number again is recognised and changes nothing, whoever repeats it and whenever.
Methods block: an async caller uses `asyncio.to_thread`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from flyball.kit.errors import InvalidInputError

from . import asking, compaction, parquet, removal
from .compaction import Compacted, Extent
from .errors import LakeAwayError, LakeVersionError
from .handles import Handles
from .maintenance import alone
from .places import BucketPlace, FolderPlace, Place
from .questions import Holding, Questions, Source
from .removal import Rewriting, Rewritten
from .schema import Rows, TableSchema

_TRIES = 10
_S3 = "s3://"


class Lake:
    """The tables of one installation."""

    def __init__(self, root_url: str, *, copies: Path | None = None) -> None:
        """`copies` is the folder for copies of a bucket's files, without which tables cannot lie in one."""
        self.root_url = root_url
        self._root = _local_folder(root_url, copies)
        self._places: dict[str, Place] = {}
        self._questions = Questions(self._root)
        self._reading = Handles(self._place)
        self._writing = Handles(self._place)

    def append(
        self, table: TableSchema, data: Rows | Callable[[], Iterable[Rows]], *, writer: str, sequence: int
    ) -> bool:
        """Add rows as transaction `sequence` of `writer`. False: that one, or a later one of this writer, is there already.

        Numbers of one writer must grow. On return True the rows are on the disk and visible to everyone. What is too much for
        the memory is given as a function that makes it piece by piece: while one is written the next is made, and no more are held.

        Raises:
            LakeSchemaError: rows that do not fit.
            LakeAwayError: the folder cannot be written; nothing of the rows is visible, and the call may be repeated.
        """
        fitted = None if callable(data) else table.fit(data)

        def pieces() -> Iterator[pa.Table]:
            yield from (map(table.fit, data()) if callable(data) else [fitted])

        with self._writing.lock, _failing(table, "written"):
            for _ in range(_TRIES):
                transaction = Transaction(writer, sequence)
                try:
                    delta = self._writing.open_or_create(table)
                    if _holds(delta, transaction):
                        return False
                    self._append_once(table, delta, pieces(), transaction)
                except CommitFailedError:  # somebody else was first: with this number, or with a change of the table
                    self._writing.forget(table)
                else:
                    return True
            raise LakeAwayError(
                f"the table {table.name} could not be written in {_TRIES} tries: too many writers at once",
                next_step="repeat it; nothing was written",
            )

    def rehearse(self, table: TableSchema, data: Callable[[], Iterable[Rows]]) -> None:
        """Do with rows all that `append` does, but write nothing; raises where they can never be written."""
        for rows in map(table.fit, data()):
            for part in parquet.split(table, rows):
                parquet.rehearse(table, part)

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
        return [str(self._place(table).folder / name) for name in self._names(table, version, where)]

    def fetched(self, table: TableSchema, *, version: int | None = None, where: str | None = None) -> list[str]:
        """The same paths, with their files there, wherever the table lies."""
        with _failing(table, "read"):
            return [str(path) for path in self._place(table).fetch(self._names(table, version, where))]

    def added(self, table: TableSchema, known: AbstractSet[str]) -> list[str]:
        """The paths of files that are not known from `files` yet, with the files there."""
        new = [name for name in self._names(table, None, None) if str(self._place(table).folder / name) not in known]
        with _failing(table, "read"):
            return [str(path) for path in self._place(table).fetch(new)]

    def _names(self, table: TableSchema, version: int | None, where: str | None) -> list[str]:
        with self._reading.lock, _failing(table, "read"):
            delta = self._reading.open(table) if version is None else self._open_at(table, version)
            uris = [] if delta is None else delta.file_uris(file_pruning_predicate=where)
            return [str(uri).rsplit("/", 1)[-1] for uri in uris]

    def _place(self, table: TableSchema) -> Place:
        place = self._places.get(table.name)
        if place is None:
            folder = self._root / table.name
            url = f"{self.root_url.rstrip('/')}/{table.name}"
            place = BucketPlace(url, folder) if self.root_url.startswith(_S3) else FolderPlace(folder)
            self._places[table.name] = place
        return place

    def extent(self, table: TableSchema) -> Extent:
        """How much the table holds, and how many of its files wait to be joined. Nobody waits for this look."""
        with _failing(table, "read"):
            delta = Handles(self._place).open(table)
            return Extent(0, 0, 0, 0) if delta is None else compaction.measure(table, delta)

    def newest(self, table: TableSchema, columns: Sequence[str], *, most: int) -> Iterator[pa.Table]:
        """Some columns of the newest rows by the table's order, file by file, the newest first, until there are so many."""
        with self._reading.lock, _failing(table, "read"):
            delta = self._reading.open(table)
            files = [] if delta is None else pa.table(delta.get_add_actions(flatten=True)).to_pylist()
        place, rows = self._place(table), 0
        for file in sorted(files, key=lambda file: file.get(f"max.{table.sort_by[0]}") or 0, reverse=True):
            if rows >= most:
                return
            with _failing(table, "read"):
                found = parquet.read(place.fetch([file["path"]])[0], columns)
            rows += found.num_rows
            yield found

    def query(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        tables: Iterable[TableSchema] = (),
        versions: Mapping[str, int] | None = None,
        where: Mapping[str, str | Holding] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
        deadline_seconds: float = 30.0,
    ) -> list[dict[str, Any]]:
        """Rows of a question in DuckDB's SQL (`?` or `$name`); each table is seen under its name, empty where nothing is.

        `versions` and `where` are by table name, as in `files`; a question about a few ids says which (`Holding`). `relations` are further tables, in memory.
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
                files=self.fetched(table, where=(where or {}).get(table.name)),
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
        with _failing(table, "compacted"), alone(self._root, table, wait=False) as mine:
            delta = Handles(self._place).open(table) if mine else None  # its own: neither readers nor writers wait
            if delta is None:
                return Compacted(joined=0, made=0, deleted=0)
            keep = table.history_hours if keep_hours is None else keep_hours
            return compaction.compact(table, delta, self._place(table), keep)

    def drop_before(self, table: TableSchema, project: str, before: int) -> list[str]:
        """Take out the project's files in which every row lies before a value of the table's order; their paths.

        Readers see the rows no more; the files are deleted when nothing that began earlier can read them any more.
        """
        with _failing(table, "cleaned up"), alone(self._root, table):
            delta, place = Handles(self._place).open(table), self._place(table)
            while delta is not None and (files := removal.files_before(table, delta, project, before)):
                paths = place.fetch(file["path"] for file in files)
                if removal.drop(table, delta, place, files):
                    return [str(path) for path in paths]
                delta.update_incremental()
            return []

    def rewrite(self, table: TableSchema, wanted: Rewriting) -> Rewritten:
        """Take out, or change, the rows of a project that are affected, by writing their files again."""
        with _failing(table, "written again"), alone(self._root, table):
            delta = Handles(self._place).open(table)
            if delta is None:
                return Rewritten(0, 0)
            return removal.rewrite(table, delta, self._place(table), wanted)

    def purge(self, table: TableSchema) -> int:
        """Delete every file that is no part of the table any more, at once; how many. Who is reading an old version is cut off."""
        with _failing(table, "purged"), alone(self._root, table):
            delta = Handles(self._place).open(table)
            if delta is None:
                return 0
            deleted = delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=False)
            self._place(table).forget(Path(path).name for path in deleted)
            return len(deleted)

    def _append_once(
        self, table: TableSchema, delta: DeltaTable, pieces: Iterable[pa.Table], transaction: Transaction
    ) -> None:
        place, before = self._place(table), delta.version()
        written: list[AddAction] = []
        try:
            parquet.write_all(table, place.folder, pieces, written)
            place.publish(written)
            delta.create_write_transaction(
                [*written],
                mode="append",
                schema=Schema.from_arrow(table.arrow),
                commit_properties=CommitProperties(app_transactions=[transaction]),
            )
        except CommitFailedError:
            place.discard(written)
            raise
        except BaseException:  # -- whatever stops it, no file may be left that nobody names
            self._writing.forget(table)
            if not self._named_by_log(table, transaction):
                place.discard(written)
            raise
        place.settle(range(before + 1, delta.version() + 1))

    def _named_by_log(self, table: TableSchema, transaction: Transaction) -> bool:
        """After an unclear failure: whether the log came to name the files. When in doubt, yes."""
        try:
            delta = self._writing.open(table)
            return delta is not None and _holds(delta, transaction)
        except (DeltaError, OSError):
            return True

    def _open_at(self, table: TableSchema, version: int) -> DeltaTable:
        try:
            place = self._place(table)
            return DeltaTable(place.url, version=version, storage_options=place.options)
        except DeltaError as error:
            raise LakeVersionError(
                f"the table {table.name} has no version {version} any more, or not yet",
                next_step=f"ask for a version of the last {table.history_hours} hours, up to {self.version(table)}",
            ) from error

    def _source(self, table: TableSchema, versions: Mapping[str, int], where: Mapping[str, str | Holding]) -> Source:
        version, narrowed = versions.get(table.name), where.get(table.name)
        holding = narrowed if isinstance(narrowed, Holding) else None
        predicate = narrowed.where if isinstance(narrowed, Holding) else narrowed

        def files() -> list[str]:
            found = self.fetched(table, version=version, where=predicate)
            return self._questions.holding(table, found, holding.ids) if holding else found

        return Source(table, files)


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


def _local_folder(root_url: str, copies: Path | None) -> Path:
    """The folder in which files lie, or in which their copies do."""
    if root_url.startswith(_S3) and copies is not None:
        return copies.resolve()
    parts = urlsplit(root_url)
    if parts.scheme not in {"", "file"}:
        raise InvalidInputError(
            f"tables at {root_url!r}: only a local folder and a bucket that speaks S3 work in this version",
            next_step="leave FLYBALL_LAKE_URL empty, or set it to file:///a/folder or s3://a-bucket/a/prefix",
        )
    return Path(unquote(parts.path)).resolve()
