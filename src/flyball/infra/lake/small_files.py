"""Small files, kept in memory: a table's newest rows lie in many, and opening each for every question is most of the work.

Knows files, which never change; knows no question. A file counts as small by its size on the disk, and few are kept.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from .errors import LakeAwayError
from .schema import TableSchema

_SMALL = 64 * 1024
_FILES_KEPT = 128  # more than a table has before its small files are joined


def apart(files: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The small ones, and the others."""
    return tuple(path for path in files if _is_small(path)), tuple(path for path in files if not _is_small(path))


def rows_of(table: TableSchema, files: tuple[str, ...]) -> pa.Table:
    """The rows of small files; a column that a file lacks is empty there."""
    parts = [_rows(path) for path in files]
    together = pa.concat_tables([table.arrow.empty_table(), *parts], promote_options="default")
    return together.select(table.arrow.names)


@lru_cache(maxsize=20_000)
def _is_small(path: str) -> bool:
    try:
        return Path(path).stat().st_size <= _SMALL
    except OSError as error:
        raise _away(error) from error


@lru_cache(maxsize=_FILES_KEPT)
def _rows(path: str) -> pa.Table:
    try:
        return parquet.ParquetFile(path).read()
    except (OSError, pa.ArrowInvalid) as error:
        raise _away(error) from error


def _away(error: Exception) -> LakeAwayError:
    return LakeAwayError(f"a table's file cannot be read: {error}", next_step="run `flyball doctor`")
