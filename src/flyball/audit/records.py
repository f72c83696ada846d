"""An event of the audit record, what its chain is signed with, and what checking found. Knows nothing of how they are kept."""

from typing import Literal

import msgspec

Kind = Literal["checkpoint", "pruned"]
Fault = Literal["gap", "edit", "order", "truncation", "checkpoint", "signature", "format"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which object. `before` and `after` are commitments to the content, never the content.

    `auth_method` is how the actor proved who they are; empty in events from before it was recorded. `hash` covers all
    other fields and the hash of the event before this one. `object_name` is what people called the object then, where it
    has a name besides its id.
    """

    seq: int
    project: str
    at_ns: int
    mono_ns: int
    boot_id: str
    actor_id: str
    actor_kind: str
    actor_name: str
    action: str
    object_kind: str
    object_id: str
    before: str | None = None
    after: str | None = None
    request_id: str = ""
    auth_method: str = ""
    object_name: str = ""
    hash: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the chain, or a place in it: an event's number and hash."""

    seq: int
    hash: str


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chain stood. `root` is the Merkle root over the events `first` to `seq`, `hash` that of event `seq`.

    Of kind `pruned` it stands for the events up to `seq`, which are kept no longer; `root` is empty then. `event_ns` is
    when event `seq` happened, `previous` the SHA-256 of the checkpoint before it, `key` the public key that signs.
    """

    project: str
    number: int
    kind: Kind
    first: int
    seq: int
    hash: str
    root: str
    event_ns: int
    at_ns: int
    previous: str
    key: str


class SignedCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint and its Ed25519 signature, hexadecimal, over its canonical JSON."""

    checkpoint: Checkpoint
    signature: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of events is narrowed to; what is empty or 0 does not count. `actor` and `object_id` are a name or an id."""

    actor: str = ""
    action: str = ""
    object_kind: str = ""
    object_id: str = ""
    from_ns: int = 0
    until_ns: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What does not fit, in plain words. `seq` is the event (or the first of those) that it is about."""

    fault: Fault
    seq: int
    said: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What checking a whole chain found. `ok` only if every event is there, in order, unchanged, and every signature holds.

    `broken_at` is the first event that does not fit, `gap` the first number that is missing. `begins_at` is above 1 where
    older events were pruned, which a signature says. `signed_up_to` is the last event that a checkpoint covers, `keys` who
    signed. Who owns the database and the data directory could make everything anew: note `head`, or the checkpoints that
    are streamed, elsewhere, and check against them.
    """

    ok: bool
    project: str
    events: int
    begins_at: int = 1
    head: Head
    broken_at: int | None = None
    gap: int | None = None
    fault: Fault | None = None
    finding: str = ""
    checkpoints: int = 0
    signed_up_to: int = 0
    keys: tuple[str, ...] = ()


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What retention gave up: how many events, and up to which. `days` is how long events are kept, 0 for ever."""

    days: int
    events: int
    up_to: int


class SinkState(msgspec.Struct, frozen=True, kw_only=True):
    """A sink of the settings and how far it has come with a project. `behind` is how many events it has yet to take."""

    name: str
    seq: int
    behind: int
    sent_ns: int | None = None
    failed_ns: int | None = None
    failure: str = ""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """That the whole chain was checked, when, and what was wrong with it; empty where it held."""

    at_ns: int
    finding: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How the record stands: its end, what is signed of it by which key, how long it is kept, and where it is sent.

    `unsigned_since_ns` is when the first event happened that no checkpoint covers; None where there is none, or where it is
    missing. `verified` is the last check of the whole chain since flyball started.
    """

    head: Head
    begins_at: int
    key: str
    checkpoints: int
    latest: SignedCheckpoint | None
    retention_days: int
    sinks: tuple[SinkState, ...]
    unsigned_since_ns: int | None = None
    verified: Verified | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event in words: who, what they did, to what. `href` is the page of the object, where it has one."""

    event: Event
    sentence: str
    deed: str
    href: str = ""
