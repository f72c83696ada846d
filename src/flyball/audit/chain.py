"""The arithmetic of the chain: canonical events, hashes, salted commitments. Pure; knows no database."""

import hashlib
from typing import Any

import msgspec

from flyball.kit.hashing import canonical_json

from .records import Event

FIRST = hashlib.sha256(b"flyball audit").digest()  # what the first event is chained to


def chained(previous: bytes, event: Event) -> bytes:
    """The event's hash: SHA-256 of the hash before it and the event's canonical JSON without its own hash."""
    return hashlib.sha256(previous + canonical(event)).digest()


def canonical(event: Event) -> bytes:
    """RFC 8785 bytes. Nanoseconds are written as text, since a JSON number holds them only to 2^53."""
    fields = msgspec.structs.asdict(event)
    del fields["hash"]
    return canonical_json(fields | {"at_ns": str(event.at_ns), "mono_ns": str(event.mono_ns)})


def commitment(salt: bytes, side: str, content: Any) -> str | None:
    """SHA-256 of salt, side and content, hexadecimal; None where there is no content.

    Whoever has the salt and the content can show that this is what was there; with the salt destroyed, nothing can.
    """
    if content is None:
        return None
    data = msgspec.json.encode(content, order="deterministic")
    return hashlib.sha256(salt + side.encode() + b"\0" + data).hexdigest()
