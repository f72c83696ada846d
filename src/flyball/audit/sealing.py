"""Signing where a chain stands: on demand, and in the background once enough has happened or enough time has passed.

Nothing is signed that was not checked: the events since the last checkpoint are walked first, and a chain that is broken
keeps its last good checkpoint. A checkpoint is in the database, then in the data directory, then with the sinks.
"""

import asyncio
import logging
from typing import NamedTuple

import psycopg

from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection
from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import FlyballError

from . import checkpoints, store
from .chain import FIRST, Marked, merkle_root
from .checkpoints import Stood
from .errors import ChainBrokenError
from .noted import last_noted, note
from .records import Finding, Head, SignedCheckpoint
from .signing import is_signed, signing_key
from .verifying import lines_of, trusted_keys, walk_between

LOOK_SECONDS = 5.0

logger = logging.getLogger("flyball.audit")


class _Seen(NamedTuple):
    """The last checkpoint of a project, and since when events wait for the next one (monotonic, so no clock's jump counts)."""

    seq: int
    since_ns: int


async def seal(ctx: Context) -> SignedCheckpoint | None:
    """Sign where the project's chain stands now; the newest checkpoint where nothing happened since. None: the chain is empty.

    Raises:
        ChainBrokenError: what happened since the last checkpoint does not verify, so it is not signed.
    """
    async with ctx.db.transaction() as connection:
        await store.lock_checkpoints(connection, ctx.project)
        signed = await _seal(connection, ctx)
    await note_new(ctx)
    return signed


async def note_new(ctx: Context) -> int:
    """Write checkpoints that the data directory does not have yet into its file, of every project; how many."""
    noted = await asyncio.to_thread(last_noted, ctx.layout)
    new: list[SignedCheckpoint] = []
    async with ctx.db.across_projects().connection() as connection:
        for project in await store.heads(connection):
            new += [each.read() for each in await store.checkpoints(connection, project, after=noted.get(project, 0))]
    return await asyncio.to_thread(note, ctx.layout, new)


class Sealer:
    """Signs every project's chain, for the life of the control process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._seen: dict[str, _Seen] = {}

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            try:
                await self.look()
            except (FlyballError, psycopg.Error, OSError) as error:
                logger.warning("the audit record was not signed and is tried again: %s", error)
            await asyncio.sleep(min(LOOK_SECONDS, self._ctx.settings.audit_checkpoint_seconds))

    async def look(self) -> int:
        """Sign the chains for which it is time; how many. One that is broken is told of and does not keep others from theirs."""
        async with self._ctx.db.across_projects().connection() as connection:
            heads = await store.heads(connection)
            signed = {project: await store.last_checkpoint(connection, project, "checkpoint") for project in heads}
        made = 0
        for project, seq in heads.items():
            last = signed[project]
            if self._is_time(project, seq, last.seq if last else 0):
                try:
                    await seal(self._ctx.within(project, Actor(id="system:control", kind="system", name="control")))
                    made += 1
                except ChainBrokenError as error:
                    logger.warning("%s", error)
        return made

    def _is_time(self, project: str, seq: int, covered: int) -> bool:
        now_ns = self._ctx.clock.monotonic_ns()
        seen = self._seen.get(project)
        if seen is None or seen.seq != covered or seq == covered:
            seen = self._seen[project] = _Seen(covered, now_ns)
        waiting = seq - covered
        settings = self._ctx.settings
        patience_ns = int(settings.audit_checkpoint_seconds * NANOSECONDS)
        return waiting >= settings.audit_checkpoint_events or (waiting > 0 and now_ns - seen.since_ns >= patience_ns)


async def _seal(connection: Connection, ctx: Context) -> SignedCheckpoint | None:
    last = await store.last_checkpoint(connection, ctx.project)
    covering = await store.last_checkpoint(connection, ctx.project, "checkpoint")
    base = _end_of(ctx, covering)
    head = await store.head(connection, ctx.project)
    if head.seq < base.seq:
        raise broken(ctx, f"its end was cut off: a checkpoint knows event {base.seq}")
    if head.seq == base.seq:
        return covering.read() if covering else None
    stood = await _walked(connection, ctx, base, head)
    key = signing_key(ctx.layout)
    body, signature = checkpoints.make(key, ctx.project, last, stood, at_ns=ctx.clock.now_ns())
    number = last.number + 1 if last else 1
    await store.add_checkpoint(connection, ctx.project, number, body, signature)
    return Marked(number, body.decode(), signature.hex()).read()


def _end_of(ctx: Context, last: Marked | None) -> Head:
    """The event that the last checkpoint stands at; it has to be one of ours, or nothing is built on it."""
    if last is None:
        return Head(seq=0, hash=FIRST.hex())
    said = last.read().checkpoint
    if said.key not in trusted_keys(ctx) or not is_signed(last.body.encode(), last.signature, said.key):
        raise broken(ctx, f"checkpoint {said.number} is not signed by a key that is trusted")
    return Head(seq=said.seq, hash=said.hash)


async def _walked(connection: Connection, ctx: Context, base: Head, head: Head) -> Stood:
    """The events since the last checkpoint, checked."""
    walk, finding = await walk_between(connection, ctx.project, base, up_to=head.seq)
    finding = finding or walk.end(head.seq, head.hash, said_by="the head of the chain")
    if isinstance(finding, Finding):
        raise broken(ctx, finding.said)
    hashes = [
        bytes.fromhex(line[9:73].decode())
        async for lines in lines_of(connection, ctx.project, base.seq, head.seq)
        for line in lines
    ]
    event = await store.find(connection, ctx.project, head.seq)
    return Stood(
        kind="checkpoint",
        first=base.seq + 1,
        seq=head.seq,
        hash=bytes.fromhex(head.hash),
        root=(await asyncio.to_thread(merkle_root, hashes)).hex(),
        event_ns=event.at_ns if event else 0,
    )


def broken(ctx: Context, what: str) -> ChainBrokenError:
    """The refusal to build on a chain that does not verify."""
    return ChainBrokenError(
        f"the audit chain of {ctx.project} is broken and is not signed: {what}",
        next_step="flyball audit verify; then find out who changed the database, and keep a copy of it as it is",
    )
