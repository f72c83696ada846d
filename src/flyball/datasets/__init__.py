"""A dataset is a name under which immutable versions of rows follow each other.

A version is known by its content hash, says what it was made from, under which licences its rows are, and what was
refused at import and why. The rows lie in the lake; a version is a list of parts, so adding a row copies nothing.
Verbs are imported by module: `flyball.datasets.service`.
"""

from .errors import DatasetNotFoundError, DatasetVersionNotFoundError
from .records import Card, Dataset, DatasetVersion, Declaration, Import, Parent, Part, Row

__all__ = [
    "Card",
    "Dataset",
    "DatasetNotFoundError",
    "DatasetVersion",
    "DatasetVersionNotFoundError",
    "Declaration",
    "Import",
    "Parent",
    "Part",
    "Row",
]
