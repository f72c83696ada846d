"""The arithmetic of the chain: canonical events and their lines, hashes, Merkle roots, salted commitments. Pure.

Canonical is RFC 8785. Our events are flat, their names sorted below and their numbers small integers, so msgspec's encoder
writes the same bytes as a general one at a hundredth of the cost; a test holds the two together.
"""

import hashlib
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Self

import msgspec

from .records import Checkpoint, Event, SignedCheckpoint

FIRST = sha256(b"flyball audit").digest()  # what the first event of every chain is chained to
PREFIX = len('{"hash":"') + 64 + len('","event":')  # of a line, before the bytes that its hash covers
_CHILDREN = 16  # of a node of the Merkle tree: a fifteenth of the hashing that two would cost
_ENCODER = msgspec.json.Encoder(order="sorted")


class _Canonical(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An event's fields in the order of their names. Nanoseconds are text, since a JSON number holds them only to 2^53.

    What came later than the first chains is left out where there is none, as it was then.
    """

    action: str
    actor_id: str
    actor_kind: str
    actor_name: str
    after: str | None
    at_ns: str
    before: str | None
    boot_id: str
    mono_ns: str
    object_id: str
    object_kind: str
    project: str
    request_id: str
    seq: int
    auth_method: str = ""
    object_name: str = ""


_READER = msgspec.json.Decoder(_Canonical)


def chained(previous: bytes, event: Event) -> bytes:
    """The event's hash: SHA-256 of the hash before it and the event's canonical JSON without its own hash."""
    return sha256(previous + canonical(event)).digest()


def canonical(event: Event) -> bytes:
    """RFC 8785 bytes of the event without its hash."""
    fields = {
        name: getattr(event, name) for name in _Canonical.__struct_fields__ if name not in ("at_ns", "mono_ns")
    } | {"at_ns": str(event.at_ns), "mono_ns": str(event.mono_ns)}
    return _ENCODER.encode(_Canonical(**fields))


def read(text: bytes | str, hash_: bytes) -> Event:
    """The event that canonical JSON says. Raises msgspec.MsgspecError or ValueError for what is none."""
    found = _READER.decode(text)
    fields = {name: getattr(found, name) for name in _Canonical.__struct_fields__}
    return Event(**(fields | {"at_ns": int(found.at_ns), "mono_ns": int(found.mono_ns), "hash": hash_.hex()}))


def line(text: bytes, hash_: bytes) -> bytes:
    """An event as one line of an export, without its end: the hash, and the bytes that it covers as they are."""
    return b'{"hash":"%b","event":%b}' % (hash_.hex().encode(), text)


class Lines:
    """Events that follow each other, as lines of an export."""

    closing = "}}"  # of the event and of the line

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.lines = self.texts = lines

    def __len__(self) -> int:
        return len(self.lines)

    def part(self, begin: int, end: int | None = None) -> Self:
        """Some of them."""
        return type(self)(self.lines[begin:end])

    def bodies(self) -> Sequence[bytes]:
        """The bytes that their hashes cover, if these are lines of an export at all."""
        return [line[PREFIX:-1] for line in self.lines]

    def carry(self, hashes: Sequence[bytes]) -> bool:
        """Whether every line begins with its hash of these, and with nothing else."""
        between = '","event":{"hash":"'
        expected = '{"hash":"' + b"".join(hashes).hex("|", 32).replace("|", between) + '","event":'
        return b"".join([line[:PREFIX] for line in self.lines]) == expected.encode()


class Kept:
    """Events that follow each other, as a database keeps them: their bytes, and their hashes of 32 bytes joined."""

    closing = "}"

    def __init__(self, texts: Sequence[bytes], hashes: bytes) -> None:
        self.texts = texts
        self.hashes = hashes

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, begin: int, end: int | None = None) -> Self:
        """Some of them."""
        return type(self)(self.texts[begin:end], self.hashes[begin * 32 : None if end is None else end * 32])

    def bodies(self) -> Sequence[bytes]:
        """The bytes that their hashes cover."""
        return self.texts

    def carry(self, hashes: Sequence[bytes]) -> bool:
        """Whether these are the hashes that are kept with them."""
        return b"".join(hashes) == self.hashes

    @property
    def lines(self) -> Sequence[bytes]:
        """The same as lines of an export."""
        return [line(text, self.hashes[at * 32 : at * 32 + 32]) for at, text in enumerate(self.texts)]


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """The root over events' hashes. A node is SHA-256 of the byte 1 and up to sixteen children.

    No event can pass for a node: what is hashed of one is longer than 32 bytes before its brace, and begins differently.
    """
    level = list(hashes)
    while len(level) > 1:
        joined = [b"".join(level[at : at + _CHILDREN]) for at in range(0, len(level), _CHILDREN)]
        level = [sha256(b"\1" + each).digest() for each in joined]
    return level[0]


def checkpoint_body(checkpoint: Checkpoint) -> bytes:
    """The canonical JSON that is signed."""
    fields = msgspec.structs.asdict(checkpoint)
    return _ENCODER.encode(fields | {"at_ns": str(checkpoint.at_ns), "event_ns": str(checkpoint.event_ns)})


def checkpoint_line(signed: SignedCheckpoint) -> bytes:
    """A checkpoint as one line of an export, without its end."""
    return b'{"checkpoint":%b,"signature":"%b"}' % (checkpoint_body(signed.checkpoint), signed.signature.encode())


def read_checkpoint(body: bytes | str, signature: str) -> SignedCheckpoint:
    """The checkpoint that canonical JSON says. Raises msgspec.MsgspecError, TypeError or ValueError for what is none."""
    fields = msgspec.json.decode(body, type=dict[str, Any])
    fields |= {"at_ns": int(fields["at_ns"]), "event_ns": int(fields["event_ns"])}
    return SignedCheckpoint(checkpoint=msgspec.convert(fields, Checkpoint), signature=signature)


class Marked(NamedTuple):
    """A checkpoint as it is kept: the bytes that are signed, and the signature."""

    number: int
    body: str
    signature: str

    @property
    def seq(self) -> int:
        """The event at which it stands."""
        return self.read().checkpoint.seq

    def read(self) -> SignedCheckpoint:
        """What it says."""
        return read_checkpoint(self.body, self.signature)


def commitment(salt: bytes, side: str, content: Any) -> str | None:
    """SHA-256 of salt, side and content, hexadecimal; None where there is no content.

    Whoever has the salt and the content can show that this is what was there; with the salt destroyed, nothing can.
    """
    if content is None:
        return None
    data = msgspec.json.encode(content, order="deterministic")
    return hashlib.sha256(salt + side.encode() + b"\0" + data).hexdigest()
