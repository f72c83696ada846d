"""Retention: the beginning of a chain is given up once it is older than the setting says, and never younger than 180 days.

What is given up is not missing: a signed statement takes its place, from which the chain verifies on. It is made, the events
are deleted and the deed is recorded in one transaction, and the database lets no other deletion through.
"""

import asyncio
import logging

import psycopg

from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection, fetch_one
from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import FlyballError
from flyball.settings import Settings

from . import checkpoints, service, store
from .chain import FIRST
from .checkpoints import FLOOR_DAYS, Stood
from .errors import ClockDoubtedError, RetentionTooShortError
from .records import Event, Head, Pruned
from .sealing import broken, note_new, seal
from .signing import signing_key
from .verifying import walk_between

MOST_EVENTS = 50_000  # given up in one transaction
_LOOK_SECONDS = 3_600.0
_DOUBT_NS = 3_600 * NANOSECONDS
_DAY_NS = 86_400 * NANOSECONDS

logger = logging.getLogger("flyball.audit")


def retention_days(settings: Settings) -> int:
    """How long events are kept; 0 for ever.

    Raises:
        RetentionTooShortError: it is below the floor.
    """
    days = settings.audit_retention_days
    if days != 0 and days < FLOOR_DAYS:
        raise RetentionTooShortError(
            f"FLYBALL_AUDIT_RETENTION_DAYS={days} is less than the {FLOOR_DAYS} days that an audit record is kept at least",
            next_step=f"set it to {FLOOR_DAYS} or more, or to 0, which keeps everything",
        )
    return days


async def prune(ctx: Context) -> Pruned:
    """Give up what is older than the setting says, up to the last checkpoint before it.

    Raises:
        RetentionTooShortError: the setting is below the floor.
        ClockDoubtedError: this machine's clock and the database's disagree, so that nobody knows what is old.
        ChainBrokenError: what is to be given up does not verify; it stays, as evidence.
    """
    days = retention_days(ctx.settings)
    given_up, up_to = 0, 0
    if days:
        await seal(ctx)
        while (more := await _prune_some(ctx, days)) is not None:
            up_to = more.up_to
            given_up += more.events
    return Pruned(days=days, events=given_up, up_to=up_to)


class Pruner:
    """Prunes every project's chain, for the life of the control process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._offset_ns = ctx.clock.now_ns() - ctx.clock.monotonic_ns()

    async def run(self) -> None:
        """Look every hour until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except (FlyballError, psycopg.Error, OSError) as error:
                logger.warning("the audit record was not pruned and is tried again: %s", error)

    async def look(self) -> None:
        """Prune where there is something to prune.

        Raises:
            ClockDoubtedError: the wall clock has jumped since this process began.
        """
        if not retention_days(self._ctx.settings):
            return
        offset_ns = self._ctx.clock.now_ns() - self._ctx.clock.monotonic_ns()
        if abs(offset_ns - self._offset_ns) > _DOUBT_NS:
            raise ClockDoubtedError(
                "the clock has jumped by more than an hour since flyball started; nothing is pruned",
                next_step="check the machine's clock (`timedatectl`), then start flyball again",
            )
        async with self._ctx.db.across_projects().connection() as connection:
            projects = list(await store.heads(connection))
        for project in projects:
            await prune(self._ctx.within(project, Actor(id="system:control", kind="system", name="control")))


async def _prune_some(ctx: Context, days: int) -> Pruned | None:
    """One step; None where nothing is left to give up."""
    cutoff_ns = ctx.clock.now_ns() - days * _DAY_NS
    async with ctx.db.transaction() as connection:
        await store.lock_checkpoints(connection, ctx.project)
        base = await _base(connection, ctx.project)
        younger = await store.first_younger(connection, ctx.project, cutoff_ns)
        up_to = min((younger or await store.newest_number(connection, ctx.project) + 1) - 1, base.seq + MOST_EVENTS)
        place = await _place(connection, ctx, base, up_to)
        if place is None:
            return None
        await _refuse_doubted_clock(connection, ctx)
        await _sign(connection, ctx, base, place)
        events = await store.drop_events(connection, ctx.project, place.seq)
        given_up = Pruned(days=days, events=events, up_to=place.seq)
        await service.record(
            connection, ctx, action="audit.prune", object_kind="audit_event", object_id=str(place.seq), after=given_up
        )
    await note_new(ctx)
    return given_up


async def _base(connection: Connection, project: str) -> Head:
    """Where the chain begins now."""
    last = await store.last_checkpoint(connection, project, "pruned")
    if last is None:
        return Head(seq=0, hash=FIRST.hex())
    said = last.read().checkpoint
    return Head(seq=said.seq, hash=said.hash)


async def _place(connection: Connection, ctx: Context, base: Head, up_to: int) -> Event | None:
    """The last event of what is given up: one at which a checkpoint stands, with everything before it in order."""
    seq = await store.checkpoint_before(connection, ctx.project, above=base.seq, up_to=up_to)
    if seq is None:
        return None
    _, finding = await walk_between(connection, ctx.project, base, up_to=seq)
    event = await store.find(connection, ctx.project, seq)
    if finding is not None or event is None:
        raise broken(ctx, finding.said if finding else f"event {seq} is missing")
    return event


async def _sign(connection: Connection, ctx: Context, base: Head, place: Event) -> None:
    stood = Stood("pruned", base.seq + 1, place.seq, bytes.fromhex(place.hash), "", place.at_ns)
    before = await store.last_checkpoint(connection, ctx.project)
    now_ns = ctx.clock.now_ns()
    body, signature = checkpoints.make(signing_key(ctx.layout), ctx.project, before, stood, at_ns=now_ns)
    await store.add_checkpoint(connection, ctx.project, before.number + 1 if before else 1, body, signature)


async def _refuse_doubted_clock(connection: Connection, ctx: Context) -> None:
    """A clock that is days ahead would make everything old: the database's has to agree."""
    row = await fetch_one(connection, "select (extract(epoch from clock_timestamp()) * 1000)::bigint as ms")
    theirs_ns = row["ms"] * 1_000_000 if row else 0
    if abs(ctx.clock.now_ns() - theirs_ns) > _DOUBT_NS:
        raise ClockDoubtedError(
            "the clocks of this machine and of the database are more than an hour apart; nothing is pruned",
            next_step="set both by NTP (`timedatectl`), then `flyball audit prune`",
        )
