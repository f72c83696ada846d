"""An event of the audit record, and what checking the chain found. Knows nothing of how they are kept."""

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which object. `before` and `after` are commitments to the content, never the content.

    `hash` covers all other fields and the hash of the event before this one.
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
    hash: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the chain: the last event's number and hash."""

    seq: int
    hash: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What checking the whole chain found. `ok` only if every event is there, in order, and unchanged.

    `broken_at` is the first event that does not fit, `gap` the first number that is missing. An administrator of the
    database could rebuild the chain from the start: note `head` elsewhere from time to time, and check against it.
    """

    ok: bool
    events: int
    broken_at: int | None = None
    gap: int | None = None
    head: Head
    finding: str = ""
