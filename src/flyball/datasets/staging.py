"""Rows on their way from a source into the lake: numbered Arrow files and a manifest, written last, in one folder.

Knows files; knows neither sources nor the lake. A folder with a manifest is whole.
"""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from .records import LONGEST_LIST, Card, Duplicate, Kind, Refusal
from .rows import STAGED, first_hash, made_of, next_hash, to_columns
from .sources.found import Fact, Found

BATCH_ROWS = 2000
BATCH_CHARACTERS = 8_000_000
_MANIFEST = "manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What was collected."""

    kind: Kind
    hash: str
    rows: int
    batches: int
    licences: dict[str, int]
    splits: dict[str, int]
    card: Card


class Stage:
    """Takes what a source yields; `close` writes the manifest."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self._folder = folder
        self._kind = kind
        self._hash = first_hash(kind)
        self._batch: list[dict[str, Any]] = []
        self._characters = 0
        self._batches = 0
        self._seen: dict[str, tuple[str, int]] = {}  # content -> the row that has it, and its batch
        self._again: dict[str, list[str]] = {}  # row -> further locations
        self._touched: set[int] = set()
        self._refused = 0
        self._refusals: list[Refusal] = []
        self._facts: dict[str, Any] = {}
        self._counts: dict[str, Counter[str]] = {"licence": Counter(), "split": Counter(), "kind": Counter()}
        self.rows = 0

    def take(self, item: Found | Refusal | Fact) -> None:
        """Keep one item."""
        if isinstance(item, Fact):
            self._facts[item.name] = item.value
        elif isinstance(item, Refusal):
            self._refused += 1
            if len(self._refusals) < LONGEST_LIST:
                self._refusals.append(item)
        else:
            self._row(item)

    def close(self) -> Manifest:
        """Write what is left, the further locations, and the manifest."""
        self._flush()
        for number in sorted(self._touched):
            self._rewrite(number)
        duplicates = [Duplicate(row_id=row_id, locations=tuple(more)) for row_id, more in self._again.items()]
        card = Card(
            facts=self._facts,
            counts=dict(sorted(self._counts["kind"].items())),
            refused=self._refused,
            refusals=tuple(self._refusals),
            duplicates=sum(len(duplicate.locations) for duplicate in duplicates),
            duplicated=tuple(duplicates[:LONGEST_LIST]),
        )
        manifest = Manifest(
            kind=self._kind,
            hash=self._hash,
            rows=self.rows,
            batches=self._batches,
            licences=dict(sorted(self._counts["licence"].items())),
            splits=dict(sorted(self._counts["split"].items())),
            card=card,
        )
        beside = self._folder / f".{_MANIFEST}"
        beside.write_bytes(msgspec.json.encode(manifest))
        beside.replace(self._folder / _MANIFEST)
        return manifest

    def _row(self, found: Found) -> None:
        row = made_of(found, self.rows)
        content = row.document_hash if self._kind == "documents" else row.row_id
        known = self._seen.get(content)
        if known is not None:
            first, batch = known
            self._again.setdefault(first, []).extend(row.locations)
            self._touched.add(batch)
            return
        self._seen[content] = (row.row_id, self._batches)
        self._hash = next_hash(self._hash, row.hash)
        self._counts["licence"][row.licence] += 1
        self._counts["split"][row.split] += 1
        self._counts["kind"][str(row.data.get("kind", "row")) if self._kind == "documents" else "row"] += 1
        self._batch.append(to_columns(row))
        self._characters += len(row.text)
        self.rows += 1
        if len(self._batch) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            _write(self._folder, self._batches, pa.Table.from_pylist(self._batch, schema=STAGED))
            self._batch, self._characters = [], 0
            self._batches += 1

    def _rewrite(self, number: int) -> None:
        """Add the further locations of the batch's rows."""
        columns = read_batch(self._folder, number).to_pylist()
        for row in columns:
            if more := self._again.get(row["row_id"]):
                row["locations"] = msgspec.json.encode(msgspec.json.decode(row["locations"]) + more).decode()
        _write(self._folder, number, pa.Table.from_pylist(columns, schema=STAGED))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a whole stage; None where there is none."""
    try:
        return msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def read_batch(folder: Path, number: int) -> pa.Table:
    """One batch of rows."""
    with pa.OSFile(str(_path(folder, number))) as file:
        return pa.ipc.open_file(file).read_all()


def clear(folder: Path) -> None:
    """Remove a stage, whole or not."""
    shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path, number: int, table: pa.Table) -> None:
    beside = _path(folder, number).with_suffix(".part")
    with pa.OSFile(str(beside), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    beside.replace(_path(folder, number))


def _path(folder: Path, number: int) -> Path:
    return folder / f"batch-{number:06}.arrow"
