"""Proofs that failed, in the audit record: what they were for, never what was given, where people type passwords by mistake.

Where it came from is there as a commitment alone. Whoever gave something that is nobody's makes so many events and no
more; tries at what is somebody's are counted before they are judged.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.projects.records import Member

from .errors import SignInRefusedError
from .tries import OF_NOBODY, tries_of


class About(NamedTuple):
    """What a proof was for; an `id` of nothing: it is nobody's."""

    kind: str
    id: str = ""
    name: str = ""
    project: str = ""


def about(member: Member) -> About:
    """A member as what a proof was for."""
    return About("member", member.id, member.name, member.project)


async def record_refusal(ctx: Context, way: str, what: About, address: str = "") -> None:
    """Keep that a proof failed; `way` is what was given: a password, a link, a code."""
    if not what.id and not tries_of(ctx.db.across_projects()).counts(ctx.clock.monotonic_ns(), OF_NOBODY):
        return
    acting = ctx.within(what.project, ctx.actor) if what.project else ctx
    async with acting.db.transaction() as connection:
        await audit.record(
            connection,
            acting,
            action="sessions.refuse",
            object_kind=what.kind,
            object_id=what.id or "unknown",
            object_name=what.name,
            after={"way": way, "address": address},
        )


@asynccontextmanager
async def refusals_recorded(ctx: Context, way: str, what: About, address: str = "") -> AsyncIterator[None]:
    """A SignInRefusedError that leaves the block is kept. Enter it before the transaction, which has ended by then."""
    try:
        yield
    except SignInRefusedError:
        await record_refusal(ctx, way, what, address)
        raise
