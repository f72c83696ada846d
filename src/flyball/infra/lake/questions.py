"""DuckDB in this process, asked about lists of Parquet files and tables in memory.

Knows SQL, files and deadlines; knows no transaction log. Files are passed as lists, never as another library's data set:
libraries disagree on string types. DuckDB never loads or installs an extension, so it cannot reach the network.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
from pyarrow import parquet

from . import small_files
from .errors import LakeAwayError, QuestionError, QuestionTookTooLongError
from .id_index import IdIndex
from .schema import TableSchema

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # a table is what was given, never a variable of this program
    "memory_limit": "2GB",
    "threads": "4",
}
_UNTRUSTED_THREADS = "2"
_FETCHED = 64
_MOST_IDS = 100  # for which files are looked for


class Holding(NamedTuple):
    """Of a table's files those that hold one of these ids, of its `find_by`; and may hold rows that match the predicate, if any."""

    ids: Sequence[str]
    where: str | None = None


class Source(NamedTuple):
    """A table, and what lists its files now."""

    table: TableSchema
    files: Callable[[], list[str]]


class Questions:
    """One DuckDB per process; each question has a connection of its own."""

    def __init__(self, root: Path) -> None:
        self._spill = str(root / ".duckdb")
        self._lock = threading.Lock()
        self._base: duckdb.DuckDBPyConnection | None = None
        self._ids = IdIndex()

    def run(
        self,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any],
        sources: Sequence[Source],
        relations: Mapping[str, pa.Table],
        deadline_seconds: float,
    ) -> list[dict[str, Any]]:
        """Rows of a question of ours."""
        for last in (False, True):
            connection = self._connection()
            try:
                with _translated(sql), _deadline(connection, deadline_seconds):
                    _show(connection, sources, relations, keep=True)
                    return _rows(connection.execute(sql, parameters or None))
            except LakeAwayError:  # a file of the list was just replaced and deleted: list again
                if last:
                    raise
            finally:
                connection.close()
        raise AssertionError

    def holding(self, table: TableSchema, files: list[str], ids: Sequence[str]) -> list[str]:
        """The files that hold rows with one of the ids, as remembered; of what nothing is known yet the Bloom filters are asked.

        To show a table costs half a millisecond for each of its files.
        """
        if len(ids) > _MOST_IDS:
            return files
        (column,) = table.find_by
        held, unknown = self._ids.ask(column, files, ids)
        return held + self._probed(column, unknown, ids) if unknown else held

    def _probed(self, column: str, files: Sequence[str], ids: Sequence[str]) -> list[str]:
        names = ", ".join(map(_quoted, ids))
        sql = f"select distinct filename from {_reading(files, 'filename = true')} where {_name(column)} in ({names})"
        connection = self._connection()
        try:
            with _translated(sql):
                return [row[0] for row in connection.execute(sql).fetchall()]
        finally:
            connection.close()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._base is None:
                self._base = duckdb.connect(":memory:", config=_SETTINGS | {"temp_directory": self._spill})
            return self._base.cursor()


def run_untrusted(
    sql: str,
    tables: Sequence[tuple[TableSchema, list[str]]],
    relations: Mapping[str, pa.Table],
    deadline_seconds: float,
    most_rows: int,
) -> Iterator[dict[str, Any]]:
    """Rows of one SELECT that we did not write, in a DuckDB of its own that may open the listed files alone.

    Call it in a process that can be spared (`asked`): a question takes what memory and time it likes.
    """
    config = _SETTINGS | {"threads": _UNTRUSTED_THREADS, "temp_directory": "", "memory_limit": "1GB"}
    sources = [Source(table, partial(list, files)) for table, files in tables]
    connection = duckdb.connect(":memory:", config=config)
    try:
        with _translated(sql), _deadline(connection, deadline_seconds):
            statements = connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise QuestionError("only one SELECT is answered", next_step="ask with one SELECT (or WITH ... SELECT)")
            connection.execute("set allowed_paths = ?", [[path for _, files in tables for path in files]])
            _show(connection, sources, relations)
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
            yield from _some_rows(connection.execute(statements[0]), most_rows)
    finally:
        connection.close()


def _show(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    relations: Mapping[str, pa.Table],
    *,
    keep: bool = False,
) -> None:
    """Make each table and relation visible under its name on this connection; `keep` small files in memory."""
    for name, relation in relations.items():
        connection.register(name, relation)
    for table, list_files in sources:
        files, every = list_files(), ", ".join(_name(name) for name in table.arrow.names)
        small, large = small_files.apart(files) if keep else ((), files)
        parts = []
        if small or not large:
            connection.register(_kept(table), small_files.rows_of(table, small))
            parts.append(f"select {every} from {_name(_kept(table))}")
        if large:
            parts.append(_read(connection, table, large))
        select = " union all by name ".join(parts)
        connection.execute(f"create or replace temp view {_name(table.name)} as {select}")


def _read(connection: duckdb.DuckDBPyConnection, table: TableSchema, files: Sequence[str]) -> str:
    """What reads files; a column that none of them has yet is empty."""
    present = {name for path in files for name in _columns(path)}
    every = ", ".join(_name(name) for name in table.arrow.names if name in present)
    read = f"select {every} from {_reading(files)}"
    if present.issuperset(table.arrow.names):
        return read
    connection.register(_empty(table), table.arrow.empty_table())
    return f"select * from {_name(_empty(table))} union all by name {read}"


def _reading(files: Sequence[str], *options: str) -> str:
    paths = ", ".join(map(_quoted, files))
    # Bringing columns together by name makes DuckDB look into every file twice: only where files differ.
    differ = "true" if len({_columns(path) for path in files}) > 1 else "false"
    return (
        f"read_parquet({', '.join([f'[{paths}]', f'union_by_name = {differ}', 'hive_partitioning = false', *options])})"
    )


@lru_cache(maxsize=20_000)
def _columns(path: str) -> tuple[str, ...]:
    """The columns of a file, which never change."""
    try:
        return tuple(parquet.read_schema(path).names)
    except OSError as error:
        raise LakeAwayError(f"a table's file cannot be read: {error}", next_step="run `flyball doctor`") from error


def _kept(table: TableSchema) -> str:
    return f"flyball_kept_{table.name}"


def _empty(table: TableSchema) -> str:
    return f"flyball_empty_{table.name}"


def _rows(answer: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _some_rows(answer: duckdb.DuckDBPyConnection, most: int) -> Iterator[dict[str, Any]]:
    """At most so many, a few at a time, so that whoever reads may stop before all are in memory."""
    names = [column[0] for column in answer.description or ()]
    left = most
    while left > 0 and (rows := answer.fetchmany(min(left, _FETCHED))):
        left -= len(rows)
        yield from (dict(zip(names, row, strict=True)) for row in rows)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def _deadline(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise QuestionTookTooLongError(
            f"the question took longer than {seconds:g} s and was stopped",
            next_step="ask about less: a shorter time, fewer columns, a LIMIT",
        ) from error
    finally:
        timer.cancel()


@contextmanager
def _translated(sql: str) -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        raise LakeAwayError(f"a table's file cannot be read: {error}", next_step="run `flyball doctor`") from error
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        first = str(error).split("\n\n", 1)[0]
        if (
            "pytz" in first
        ):  # what DuckDB's Python face wants for a TIMESTAMP WITH TIME ZONE; its own words hold our paths
            first = "a timestamp with a time zone cannot be shown; cast it: `column::timestamp`"
        raise QuestionError(
            f"the question is not answered: {first}", next_step=f"correct the SQL: {' '.join(sql.split())[:200]}"
        ) from error
