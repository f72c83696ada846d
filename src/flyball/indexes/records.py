"""What an index, its versions and a passage are. Light (msgspec alone).

Knows neither the engine that searches (`retriever`) nor how text is cut (`chunking`).
"""

from typing import Annotated

import msgspec


class ChunkSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How documents are cut: passages end at headings, paragraphs and code blocks, and have about `size` characters."""

    size: Annotated[int, msgspec.Meta(ge=200, le=20_000)] = 1200
    overlap: Annotated[int, msgspec.Meta(ge=0, le=2_000)] = 0


class IndexDeclaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an index is built from, and how."""

    dataset: str
    chunk: ChunkSettings = ChunkSettings()


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which index versions follow each other."""

    id: str
    project: str
    name: str
    declaration: IndexDeclaration
    created_ns: int
    created_by: str


class IndexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides, with the dataset, which passage is found: part of the index version's hash."""

    chunk: ChunkSettings
    engine: str
    analysis: int
    ranking: int


class IndexVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A built index: immutable and derived. Its files may be lost and are rebuilt from the dataset version."""

    id: str
    project: str
    index_id: str
    name: str
    version: int
    hash: str
    dataset: str
    dataset_version_id: str
    dataset_version: int
    dataset_hash: str
    settings: IndexSettings
    documents: int
    chunks: int
    run_id: str = ""
    created_ns: int
    created_by: str


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a document that a search found: `text` is the document's text from `start` to `end`."""

    chunk_id: str
    document_id: str
    title: str
    source: str
    licence: str
    document_hash: str
    start: int
    end: int
    text: str
    score: float


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """How a build ended: the run's result. `changed` is False where the newest version was made of the same already."""

    index: str
    version_id: str
    version: int
    hash: str
    documents: int
    chunks: int
    changed: bool
    message: str
