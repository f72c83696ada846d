"""How a row is hashed, how hashes of rows become the hash of a version, and how a row lies in the lake.

A version's hash is a chain over its rows, so that adding rows needs no look at those that are there.
"""

import hashlib
from typing import Any

import msgspec
import pyarrow as pa

from flyball.infra.lake.schema import TableSchema
from flyball.kit.hashing import bytes_hash

from .records import Kind, Row
from .sources.found import Found

DATASET_ROWS = TableSchema(
    name="dataset_rows",
    arrow=pa.schema(
        [
            ("project", pa.string()),
            ("dataset_id", pa.string()),
            ("part_id", pa.string()),
            ("position", pa.int64()),
            ("row_id", pa.string()),
            ("split", pa.string()),
            ("title", pa.string()),
            ("text", pa.string()),
            ("data", pa.string()),  # JSON
            ("source", pa.string()),
            ("locations", pa.string()),  # JSON: every place where this content was found
            ("licence", pa.string()),
            ("document_hash", pa.string()),
            ("hash", pa.string()),
            ("lineage", pa.string()),  # JSON: what the row was made from
        ]
    ),
    partition_by=("project", "dataset_id"),
    sort_by=("part_id", "position"),
)

_JSON = {"data": dict[str, Any], "locations": tuple[str, ...], "lineage": dict[str, Any]}
STAGED = pa.schema([DATASET_ROWS.arrow.field(name) for name in Row.__struct_fields__])


def made_of(found: Found, position: int, lineage: dict[str, Any] | None = None) -> Row:
    """The row that a source's find becomes."""
    said = (found.row_id, found.split, found.title, found.text, found.data, found.source, found.licence)
    return Row(
        row_id=found.row_id,
        position=position,
        split=found.split,
        title=found.title,
        text=found.text,
        data=found.data,
        source=found.source,
        locations=(found.location or found.source,),
        licence=found.licence,
        document_hash=bytes_hash(found.text.encode()),
        hash=bytes_hash(msgspec.json.encode(said, order="sorted")),
        lineage=lineage or {},
    )


def first_hash(kind: Kind) -> str:
    """Where the chain of a version begins."""
    return bytes_hash(f"flyball dataset of {kind}".encode())


def next_hash(previous: str, row_hash: str) -> str:
    """The version's hash after one more row."""
    return "sha256:" + hashlib.sha256(f"{previous}\n{row_hash}".encode()).hexdigest()


def to_columns(row: Row) -> dict[str, Any]:
    """The row as the lake keeps it, without the columns that name its part."""
    columns: dict[str, Any] = msgspec.to_builtins(row)
    return columns | {name: msgspec.json.encode(columns[name]).decode() for name in _JSON}


def from_columns(columns: dict[str, Any]) -> Row:
    """The row that the lake kept."""
    decoded = {name: msgspec.json.decode(columns[name], type=shape) for name, shape in _JSON.items()}
    return msgspec.convert({**columns, **decoded}, Row)
