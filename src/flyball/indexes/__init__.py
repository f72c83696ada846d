"""A retrieval index over one dataset version: passages with their character offsets, found by words.

Derived: everything in it comes from the dataset version and the settings, so it can always be rebuilt. An embedder joins
later behind the same door. Verbs are imported by module: `flyball.indexes.service`, `flyball.indexes.retriever`.
"""

from .errors import IndexFilesMissingError, IndexNotBuiltError, IndexNotFoundError
from .records import Build, ChunkSettings, Index, IndexDeclaration, IndexSettings, IndexVersion, Passage

__all__ = [
    "Build",
    "ChunkSettings",
    "Index",
    "IndexDeclaration",
    "IndexFilesMissingError",
    "IndexNotBuiltError",
    "IndexNotFoundError",
    "IndexSettings",
    "IndexVersion",
    "Passage",
]
