"""What is said of a file that was let in."""

from typing import Literal, TypeAlias

import msgspec

Format: TypeAlias = Literal["safetensors", "gguf", "zip", "json", "text"]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is understood as a whole. `data_types` counts tensors by their type; `notes` are for people."""

    format: Format
    bytes: int
    tensors: int = 0
    parameters: int = 0
    data_types: dict[str, int] = {}
    notes: tuple[str, ...] = ()
