"""What a table looks like. Rooms declare theirs; the lake makes the table at its first append.

A column may be added to a declaration at any time: rows written before read as NULL there. A column's type never changes.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from .errors import LakeSchemaError

Rows: TypeAlias = pa.Table | list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """A table's name, its Arrow columns, and how its rows lie in files.

    `partition_by`: each file holds one value of these columns, so that a question about one project opens no file of
    another. `sort_by`: the order of rows inside a file; both have their smallest and largest value per file in the
    log, by which files are left out. `find_by`: ids by which single rows are looked up; a Bloom filter of each lets a look-up
    skip what does not hold it. `plain`: columns in which values hardly repeat, so that no dictionary of them is tried. `unique`: what
    two rows never share; one that comes again goes when files are joined. `history_hours`: how long files that compaction replaced, and old versions, are kept.
    """

    name: str
    arrow: pa.Schema
    partition_by: tuple[str, ...] = ("project",)
    sort_by: tuple[str, ...] = ()
    find_by: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    history_hours: int = 168

    def fit(self, data: Rows) -> pa.Table:
        """The rows with this table's columns, types and order; a column that is not given is NULL.

        Raises:
            LakeSchemaError: a column that the table does not have, or a value that is not of the column's type.
        """
        try:
            if isinstance(data, list):
                unknown = {name for row in data for name in row} - set(self.arrow.names)
                self._refuse(unknown)
                return pa.Table.from_pylist(data, schema=self.arrow)
            self._refuse(set(data.column_names) - set(self.arrow.names))
            columns = [
                data[field.name].cast(field.type)
                if field.name in data.column_names
                else pa.nulls(data.num_rows, field.type)
                for field in self.arrow
            ]
            return pa.table(columns, schema=self.arrow)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise LakeSchemaError(f"rows do not fit the table {self.name}: {error}") from error

    def _refuse(self, unknown: set[str]) -> None:
        if unknown:
            raise LakeSchemaError(
                f"the table {self.name} has no column {', '.join(sorted(unknown))}",
                next_step="add the column to the table's declaration, or leave it out of the rows",
            )
