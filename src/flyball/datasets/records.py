"""What a dataset, its versions and its rows are. Light (msgspec alone): commands and other rooms speak these shapes.

Knows neither where rows are kept (`tables`) nor how they are collected (`sources/`).
"""

from typing import Annotated, Any, Literal

import msgspec

Kind = Literal["documents", "rows"]
SourceName = Literal["stdlib", "folder", "jsonl"]

UNKNOWN_LICENCE = "LicenseRef-unknown"
DEFAULT_SPLIT = "all"

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]


class Declaration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an import takes a dataset from.

    `location` is a path on the machine where flyball runs, or `blob:sha256:...` for a file whose bytes were captured.
    `licence` is the SPDX identifier of what a folder or file holds; rows may name their own.
    """

    source: SourceName
    location: str = ""
    licence: str = ""

    @property
    def kind(self) -> Kind:
        """What such a source makes: documents, or rows of JSON."""
        return "rows" if self.source == "jsonl" else "documents"


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which versions follow each other."""

    id: str
    project: str
    name: str
    kind: Kind
    declaration: Declaration | None
    created_ns: int
    created_by: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A set of rows in the lake. A version is a list of parts, so adding one row copies nothing."""

    id: str
    rows: int


class Parent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a version was made from."""

    kind: Literal["dataset_version", "trace"]
    id: str
    hash: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was not imported, and why. `reason` is stable, `detail` is for people."""

    location: str
    reason: str
    detail: str


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """Content that was found more than once: it is one row, which lists every location."""

    row_id: str
    locations: tuple[str, ...]


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a reader of the dataset should know. Counts are complete; the two lists stop at `LONGEST_LIST`."""

    summary: str = ""
    facts: dict[str, Any] = {}
    counts: dict[str, int] = {}
    refused: int = 0
    refusals: tuple[Refusal, ...] = ()
    duplicates: int = 0
    duplicated: tuple[Duplicate, ...] = ()


LONGEST_LIST = 5000


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable rows under a hash. `hash` depends on the rows and their order alone, not on when or by whom."""

    id: str
    project: str
    dataset_id: str
    dataset: str
    kind: Kind
    version: int
    hash: str
    rows: int
    parts: tuple[Part, ...]
    parents: tuple[Parent, ...]
    source: Declaration | None
    licences: dict[str, int]
    splits: dict[str, int]
    card: Card
    run_id: str = ""
    created_ns: int
    created_by: str

    @property
    def title(self) -> str:
        """What people call it: the dataset and the number."""
        return f"{self.dataset} {self.version}"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Of a document, `text` is what offsets count in and `document_hash` its hash; `data` is the rest.

    `hash` covers what the row says (id, split, title, text, data, source, licence), not where else it was found, nor when.
    """

    row_id: str
    position: int
    split: str
    title: str
    text: str
    data: dict[str, Any]
    source: str
    locations: tuple[str, ...]
    licence: str
    document_hash: str
    hash: str
    lineage: dict[str, Any]


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """How an import ended: the run's result. `changed` is False where the newest version has this content already."""

    dataset: str
    version_id: str
    version: int
    hash: str
    rows: int
    changed: bool
    refused: int
    duplicates: int
    message: str
