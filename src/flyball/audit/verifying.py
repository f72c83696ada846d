"""Checking a project's whole chain where it is kept: events, checkpoints, and what was noted beside the database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from weakref import WeakKeyDictionary

from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Database

from . import store
from .chain import FIRST, Marked
from .checking import Mark, Walk, known_marks
from .checkpoints import Judged, judge
from .noted import noted_checkpoints
from .records import Finding, Head, Verification, Verified
from .signing import signing_key

_VERIFIED: WeakKeyDictionary[Database, dict[str, Verified]] = WeakKeyDictionary()
BLOCK = 1_000  # events that are fetched and checked in one go: between two the loop goes round


async def verify(ctx: Context, expected: Head | None = None) -> Verification:
    """Walk the whole chain from its beginning and say whether it holds.

    Checked against: the hash of every event before, every checkpoint's signature by a key that this server trusts, the
    checkpoints that were noted in the data directory, and `expected`, a head that was noted elsewhere earlier.
    """
    found = await _verify(ctx, expected)
    if expected is None:  # else it may be the note that is wrong
        verified = Verified(at_ns=ctx.clock.now_ns(), finding=found.finding)
        _VERIFIED.setdefault(ctx.db.across_projects(), {})[ctx.project] = verified
    return found


def last_verified(ctx: Context) -> Verified | None:
    """The last check of the project's whole chain by this process."""
    return _VERIFIED.get(ctx.db.across_projects(), {}).get(ctx.project)


async def _verify(ctx: Context, expected: Head | None) -> Verification:
    async with ctx.db.transaction() as connection:
        await connection.execute("set transaction isolation level repeatable read, read only")
        head = await store.head(connection, ctx.project)
        row = await store.checkpoints(connection, ctx.project)
        judged = await asyncio.to_thread(_judge, ctx, row)
        if isinstance(judged, Finding):
            return _broken(ctx, head, judged, events=0, checkpoints=len(row))
        marks = known_marks(judged.marks, judged.base, expected)
        if isinstance(marks, Finding):
            return _broken(ctx, head, marks, events=0, checkpoints=len(row))
        walk, finding = await _walk(connection, ctx.project, judged.base, marks, head)
    events = walk.seq - walk.began
    if finding is not None:
        return _broken(ctx, head, finding, events=events, checkpoints=len(row))
    return Verification(
        ok=True,
        project=ctx.project,
        events=events,
        begins_at=walk.began + 1,
        head=head,
        checkpoints=len(row),
        signed_up_to=judged.signed_up_to,
        keys=judged.keys,
    )


async def walk_between(
    connection: Connection, project: str, base: Head, *, up_to: int, marks: list[Mark] | None = None
) -> tuple[Walk, Finding | None]:
    """A walk over a stretch of a chain, from behind `base` to event `up_to`.

    The next block is asked for before this one is checked, which takes a millisecond and a half and stays on the loop:
    in a thread it costs a third more, since every read of the socket then waits for the interpreter's lock.
    """
    walk = Walk(project, seq=base.seq, previous=bytes.fromhex(base.hash), marks=marks or ())
    ahead = asyncio.ensure_future(store.block(connection, project, base.seq, min(base.seq + BLOCK, up_to)))
    try:
        while (block := await ahead) is not None:
            if finding := await _misnumbered(connection, project, walk, block):
                return walk, finding
            ahead = asyncio.ensure_future(store.block(connection, project, block.last, min(block.last + BLOCK, up_to)))
            await asyncio.sleep(0)  # so that the question is on its way
            if finding := walk.take(block.events):
                return walk, finding
    finally:
        await asyncio.wait([ahead])
    return walk, None


async def _walk(
    connection: Connection, project: str, base: Head, marks: list[Mark], head: Head
) -> tuple[Walk, Finding | None]:
    """The whole chain, also what lies behind a gap in its numbers or behind its head."""
    first = await store.first_after(connection, project, 0)
    if base.seq and first is not None and first <= base.seq:
        return Walk(project, seq=base.seq), Finding(
            fault="order", seq=first, said=f"event {first} is there, though a signature says that it was pruned"
        )
    last = await _last(connection, project, head)
    walk, finding = await walk_between(connection, project, base, up_to=last, marks=marks)
    if finding is None:
        following = await store.first_after(connection, project, walk.seq)
        if following is not None and following > walk.seq + 1:
            gone = walk.seq + 1
            words = f"event {gone} is" if following == gone + 1 else f"events {gone} to {following - 1} are"
            finding = Finding(fault="gap", seq=gone, said=f"{words} missing")
    return walk, finding or walk.end(
        max(head.seq, base.seq), head.hash if head.seq else FIRST.hex(), said_by="the head of the chain"
    )


async def _last(connection: Connection, project: str, head: Head) -> int:
    newest = await store.newest_number(connection, project)
    return max(newest, head.seq)


async def _misnumbered(connection: Connection, project: str, walk: Walk, block: store.Block) -> Finding | None:
    """Whether the numbers under which events are kept leave one out, whatever the events say of themselves."""
    if block.first == walk.seq + 1 and block.last - block.first + 1 == len(block.events):
        return None
    missing = walk.seq + 1
    if block.first == missing:
        missing = await store.first_missing(connection, project, walk.seq, block.last)
    finding = walk.take(block.events.part(0, missing - walk.seq - 1))
    return finding or Finding(fault="gap", seq=missing, said=f"event {missing} is missing")


def _judge(ctx: Context, row: list[Marked]) -> Judged | Finding:
    """The checkpoints by themselves, and against those that were noted in the data directory."""
    noted = noted_checkpoints(ctx.layout, ctx.project)
    kept = {each.number: each for each in row}
    for each in noted:
        if each.number not in kept:
            return Finding(
                fault="truncation",
                seq=each.seq,
                said=f"checkpoint {each.number} (event {each.seq}) was noted in the data directory and is not in the database",
            )
        if (each.body, each.signature) != (kept[each.number].body, kept[each.number].signature):
            return Finding(
                fault="checkpoint",
                seq=each.seq,
                said=f"checkpoint {each.number} (event {each.seq}) was noted in the data directory with another content",
            )
    return judge(ctx.project, row, trusted_keys(ctx) if row else ())


def trusted_keys(ctx: Context) -> frozenset[str]:
    """Whose signatures count here: this data directory's key, and those of FLYBALL_AUDIT_TRUSTED_KEYS."""
    further = (key.strip().lower() for key in ctx.settings.audit_trusted_keys.split(","))
    return frozenset({signing_key(ctx.layout).public, *(key for key in further if key)})


def _broken(ctx: Context, head: Head, finding: Finding, *, events: int, checkpoints: int) -> Verification:
    missing = finding.fault in ("gap", "truncation")
    return Verification(
        ok=False,
        project=ctx.project,
        events=events,
        head=head,
        fault=finding.fault,
        finding=finding.said,
        gap=finding.seq if missing else None,
        broken_at=None if missing else finding.seq,
        checkpoints=checkpoints,
    )


async def lines_of(connection: Connection, project: str, after_seq: int, up_to: int) -> AsyncIterator[Sequence[bytes]]:
    """The events of a stretch as lines of an export, many at a time."""
    while after_seq < up_to and (
        block := await store.block(connection, project, after_seq, min(after_seq + BLOCK, up_to))
    ):
        yield block.events.lines
        after_seq = block.last
