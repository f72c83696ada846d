"""The HTTP face of members: parse, one verb, answer."""

import msgspec

from flyball.surface.http import AUTHENTICATED, ContextDep, Router

from . import members
from .records import Member

router = Router("/api", tag="projects")


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who the caller is, and what they may do."""

    id: str
    kind: str
    name: str
    project: str
    permissions: tuple[str, ...]


class Members(msgspec.Struct, frozen=True, kw_only=True):
    """The project's members."""

    items: tuple[Member, ...]


@router.get("/members", permission="members.read", returns=Members)
async def list_members(ctx: ContextDep) -> Members:
    """The project's members by name."""
    return Members(items=await members.list_members(ctx))


@router.get("/me", permission=AUTHENTICATED, returns=Me)
async def show_me(ctx: ContextDep) -> Me:
    """Who the caller is."""
    actor = ctx.actor
    return Me(
        id=actor.id,
        kind=actor.kind,
        name=actor.name,
        project=ctx.project,
        permissions=tuple(sorted(actor.permissions)),
    )
