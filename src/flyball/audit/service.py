"""The verbs of the audit record: append an event inside the caller's transaction, note a sensitive read, list, show."""

import secrets
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection
from flyball.kit.paging import Page, decode_cursor, encode_cursor, page_size

from . import store
from .chain import chained, commitment
from .errors import EventNotFoundError, TimeUnreadableError
from .records import Event, Wanted

READS_COUNT_FOR_NS = 3_600 * 1_000_000_000  # one event for what somebody reads again within the hour
_METHODS = {"local": "local socket", "key": "key", "system": "system"}


async def record(
    connection: Connection,
    ctx: Context,
    *,
    action: str,
    object_kind: str,
    object_id: str,
    before: Any = None,
    after: Any = None,
    object_name: str = "",
) -> Event:
    """Append an event to the project's chain, in the caller's transaction: it is there exactly if the change is.

    Give `before` and `after` as the records themselves; only salted commitments to them are kept, and the name of the
    object where one of them is the object. Call it as the last thing in the transaction: from here to its end, the
    project's other changes wait.
    """
    seq, previous = await store.lock_head(connection, ctx.project)
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
        auth_method=auth_method(ctx.actor),
        object_name=object_name or _name(object_id, after) or _name(object_id, before),
    )
    await store.append(connection, event, chained(previous, event), salt)
    return event


async def record_read(
    ctx: Context, *, action: str, object_kind: str, object_id: str, object_name: str = "", each_time: bool = False
) -> Event | None:
    """Append an event for the reading of something sensitive, in a transaction of its own; await it before you answer.

    The same actor reading the same object again within an hour makes no further event (None then), unless `each_time`.
    """
    told = {"action": action, "object_kind": object_kind, "object_id": object_id, "object_name": object_name}
    if not each_time:
        return await record_once(ctx, **told)
    async with ctx.db.transaction() as connection:
        return await record(connection, ctx, **told)


async def record_once(
    ctx: Context, *, action: str, object_kind: str, object_id: str, object_name: str = ""
) -> Event | None:
    """Append an event in a transaction of its own; None where the same actor did the same to the same within an hour."""
    since_ns = ctx.clock.now_ns() - READS_COUNT_FOR_NS
    done = (ctx.actor.id, action, object_kind, object_id)
    async with ctx.db.connection() as connection:
        if await store.done_since(connection, done, project=ctx.project, since_ns=since_ns):
            return None
    async with ctx.db.transaction() as connection:
        await store.lock_head(connection, ctx.project)  # of two at one moment the second sees the first
        if await store.done_since(connection, done, project=ctx.project, since_ns=since_ns):
            return None
        return await record(
            connection, ctx, action=action, object_kind=object_kind, object_id=object_id, object_name=object_name
        )


def auth_method(actor: Actor) -> str:
    """How the actor proved who they are, as an event says it."""
    return actor.auth_method or _METHODS.get(actor.kind, "")


async def list_events(
    ctx: Context, cursor: str = "", limit: int | None = None, *, wanted: Wanted | None = None
) -> Page[Event]:
    """The project's events, newest first, narrowed where asked."""
    size = page_size(limit)
    before = decode_cursor(cursor, int)[0] if cursor else None
    async with ctx.db.connection() as connection:
        found = await store.newest(connection, ctx.project, before_seq=before, most=size + 1, wanted=wanted)
    more = len(found) > size
    return Page(items=tuple(found[:size]), next=encode_cursor(found[size - 1].seq) if more else None)


async def show_event(ctx: Context, seq: int) -> Event:
    """One event, by its number.

    Raises:
        EventNotFoundError: there is none, or it was pruned.
    """
    async with ctx.db.connection() as connection:
        found = await store.find(connection, ctx.project, seq) if 0 < seq < 2**63 else None
    if found is None:
        raise EventNotFoundError(
            f"the chain of {ctx.project} has no event {seq}, or keeps it no longer",
            next_step="flyball audit list",
        )
    return found


def time_of(text: str, *, whole_day: bool = False) -> int:
    """Nanoseconds since the epoch of `2026-11-21` or `2026-11-21T13:00:00+01:00`, in UTC where no offset is given; 0 of nothing.

    With `whole_day` a date stands for its end.
    """
    if not text:
        return 0
    more = 86_400 if whole_day and len(text) == len("2026-11-21") else 0
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return (int(found.timestamp()) + more) * 1_000_000_000
    except (ValueError, OverflowError):
        raise TimeUnreadableError(
            f"{text!r:.60} is neither a date nor a time",
            next_step="write it as 2026-11-21 or 2026-11-21T13:00:00+01:00",
        ) from None


def _name(object_id: str, content: Any) -> str:
    """The name of the object, where this is the object and has one."""
    name = getattr(content, "name", "") if getattr(content, "id", None) == object_id else ""
    return name if isinstance(name, str) else ""


@cache
def _boot_id() -> str:
    """Which start of the machine the monotonic time belongs to."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"
