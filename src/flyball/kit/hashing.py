"""Content hashes: the name by which flyball knows every immutable thing."""

import hashlib
from typing import Any

import msgspec
import rfc8785


def content_hash(value: Any) -> str:
    """`sha256:<64 hex>` of the value's canonical JSON (RFC 8785). Structs, dicts, lists and scalars are accepted."""
    return bytes_hash(canonical_json(value))


def bytes_hash(data: bytes) -> str:
    """`sha256:<64 hex>` of the bytes themselves."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value, so that equal values have equal bytes (RFC 8785)."""
    return rfc8785.dumps(msgspec.to_builtins(value, str_keys=True))


def short(hash_: str) -> str:
    """The first 12 digits, for tables: enough to recognise, never used to look up."""
    return hash_.removeprefix("sha256:")[:12]
