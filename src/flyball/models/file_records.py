"""A file of weights that was let in. Known by its hash; its name is for people."""

from typing import Literal

import msgspec


class FilePart(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an archive."""

    path: str
    hash: str
    format: str
    bytes: int


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or the files of an archive. `hash` names its bytes among the blobs; of an archive those of the list of its `files`."""

    hash: str
    name: str
    format: Literal["safetensors", "gguf", "archive"]
    bytes: int
    tensors: int
    parameters: int
    files: tuple[FilePart, ...] = ()
    notes: tuple[str, ...] = ()
    created_ns: int
    created_by: str
