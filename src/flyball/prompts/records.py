"""A prompt's immutable version, its source byte for byte and the hash by which it is known; and what rendering one gives."""

from typing import Literal

import msgspec

from flyball.kit.hashing import bytes_hash


class RenderedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a prompt whose variables have been filled in."""

    role: Literal["system", "user", "assistant"]
    content: str


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version of a prompt. The newest version of a name is in force."""

    id: str
    project: str
    name: str
    version: int
    hash: str
    path: str  # beside flyball.yaml, so that an export writes the file back
    source: str
    created_ns: int
    created_by: str


def source_hash(source: str) -> str:
    """The hash by which a version with this source is known."""
    return bytes_hash(source.encode())
