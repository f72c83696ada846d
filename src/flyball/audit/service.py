"""The verbs of the audit record: append an event inside the caller's transaction, list, check the whole chain."""

import secrets
from functools import cache
from pathlib import Path
from typing import Any

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import store
from .chain import FIRST, chained, commitment
from .records import Event, Head, Verification

_CHUNK = 500  # some milliseconds of arithmetic between two turns of the event loop


async def record(
    connection: Connection,
    ctx: Context,
    *,
    action: str,
    object_kind: str,
    object_id: str,
    before: Any = None,
    after: Any = None,
) -> Event:
    """Append an event to the chain, in the caller's transaction: it is there exactly if the change is.

    Give `before` and `after` as the records themselves; only salted commitments to them are kept. Call it as the last
    thing in the transaction: from here to its end, other changes wait.
    """
    seq, previous = await store.lock_head(connection)
    salt = secrets.token_bytes(16)
    event = Event(
        seq=seq + 1,
        project=ctx.project,
        at_ns=ctx.clock.now_ns(),
        mono_ns=ctx.clock.monotonic_ns(),
        boot_id=_boot_id(),
        actor_id=ctx.actor.id,
        actor_kind=ctx.actor.kind,
        actor_name=ctx.actor.name,
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        before=commitment(salt, "before", before),
        after=commitment(salt, "after", after),
        request_id=ctx.request_id,
    )
    await store.append(connection, event, chained(previous, event), salt)
    return event


async def list_events(
    ctx: Context, cursor: str = "", limit: int | None = None, *, object_kind: str = "", object_id: str = ""
) -> Page[Event]:
    """The project's events, newest first; those of one kind or one object where asked."""
    size = page_size(limit)
    before = decode_cursor(cursor, int)[0] if cursor else None
    async with ctx.db.connection() as connection:
        found = await store.newest(
            connection, ctx.project, before_seq=before, most=size + 1, object_kind=object_kind, object_id=object_id
        )
    more = len(found) > size
    return Page(items=tuple(found[:size]), next=encode_cursor(found[size - 1].seq) if more else None)


async def verify(ctx: Context, expected: Head | None = None) -> Verification:
    """Walk the whole chain from its start and say whether it holds.

    `expected` is a head that was noted elsewhere earlier: the chain must still pass through it.
    """
    async with ctx.db.transaction() as connection:
        await connection.execute("set transaction isolation level repeatable read, read only")
        head = await store.head(connection)
        seq, previous = 0, FIRST
        while events := await store.following(connection, seq, _CHUNK):
            for event, carried in events:
                if event.seq != seq + 1:
                    return _broken(head, seq, gap=seq + 1, finding=f"event {seq + 1} is missing")
                if chained(previous, event) != carried:
                    return _broken(head, seq, broken_at=event.seq, finding=f"event {event.seq} does not fit the chain")
                seq, previous = event.seq, carried
                if expected and expected.seq == seq and expected.hash != carried.hex():
                    return _broken(head, seq, broken_at=seq, finding=f"event {seq} is not the one that was noted")
    if seq < max(head.seq, expected.seq if expected else 0):
        return _broken(head, seq, gap=seq + 1, finding=f"events from {seq + 1} on are missing")
    if (seq, previous.hex()) != (head.seq, head.hash):
        return _broken(head, seq, broken_at=seq, finding="the head of the chain is not its last event")
    return Verification(ok=True, events=seq, head=head)


def _broken(
    head: Head, events: int, *, finding: str, broken_at: int | None = None, gap: int | None = None
) -> Verification:
    return Verification(ok=False, events=events, head=head, finding=finding, broken_at=broken_at, gap=gap)


@cache
def _boot_id() -> str:
    """Which start of the machine the monotonic time belongs to."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
