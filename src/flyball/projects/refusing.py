"""Refusals that the audit record is told of: of keys that are known and do not work, and of callers who lack a permission.

One event for a key and a reason, or for an actor and a permission, an hour: a program that tries again and again fills no record.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from flyball.audit import service as audit
from flyball.infra.context import Actor, Context
from flyball.kit.ending import end

from . import key_refusals
from .key_refusals import Reason, Refused

_PAUSE_SECONDS = 5.0
_MOST = 500
_DAY_NS = 86_400 * 1_000_000_000
HOW: Mapping[Reason, str] = {"expired": "expired key", "revoked": "revoked key", "elsewhere": "key from elsewhere"}

logger = logging.getLogger("flyball.keys")


async def record_missing_permission(ctx: Context, permission: str) -> None:
    """Tell the record that a member or a key was refused for lack of a permission."""
    if ctx.actor.kind in ("member", "key"):
        await audit.record_once(ctx, action="permissions.refuse", object_kind="permission", object_id=permission)


async def record_refused_keys(ctx: Context) -> int:
    """Tell the record of each key's project what processes have noted; how many events."""
    async with ctx.db.across_projects().connection() as connection:
        await key_refusals.forget(connection, ctx.clock.now_ns() - _DAY_NS)
        found = await key_refusals.waiting(connection, _MOST)
    return sum([await _record(ctx, refused) for refused in found])


async def _record(ctx: Context, refused: Refused) -> bool:
    how = HOW[refused.reason]
    stranger = Actor(
        id="anonymous", kind="anonymous", name="anonymous", permissions=frozenset(), auth_method=how
    )  # who has it may not be who it was made for
    acting = ctx.within(refused.project, stranger)
    async with acting.db.transaction() as connection:
        if not await key_refusals.take(connection, refused):
            return False
        await audit.record(
            connection,
            acting,
            action="keys.refuse",
            object_kind="key",
            object_id=refused.key,
            object_name=refused.name,
            after={"reason": refused.reason, "address": refused.address, "at_ns": refused.at_ns},
        )
    where = refused.address or "an address that is not known"
    logger.warning("the key %r (%s) of %s was refused: %s, %s", refused.name, refused.key, refused.project, how, where)
    return True


@asynccontextmanager
async def recording_refused_keys(ctx: Context) -> AsyncIterator[None]:
    """Inside the block, the record is told every few seconds."""
    running = asyncio.create_task(_keep_recording(ctx))
    try:
        yield
    finally:
        await end(running)


async def _keep_recording(ctx: Context) -> None:
    while True:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            await record_refused_keys(ctx)
        except Exception:  # -- the door of a task that nobody awaits: it must neither end nor fail in silence
            logger.exception("refusals of keys are not in the audit record yet, and are tried again")
