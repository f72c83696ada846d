"""The HTTP face of an organisation's owners: parse, one verb, answer."""

import msgspec

from flyball.surface.http import ContextDep, Router

from . import owners
from .records import Owner

router = Router("/api", tag="projects")


class Owners(msgspec.Struct, frozen=True, kw_only=True):
    """An organisation's owners."""

    items: tuple[Owner, ...]


@router.get("/owners", permission="organisations.read", returns=Owners)
async def list_owners(ctx: ContextDep) -> Owners:
    """The owners of the current project's organisation, by name."""
    return Owners(items=await owners.list_owners(ctx))


@router.put("/owners/{name}", permission="organisations.write", returns=Owner)
async def add_owner(ctx: ContextDep, name: str) -> Owner:
    """Make a person of the organisation an owner of it and so of every project; for its owners."""
    return await owners.add_owner(ctx, name)


@router.delete("/owners/{name}", permission="organisations.write", returns=Owner)
async def remove_owner(ctx: ContextDep, name: str) -> Owner:
    """Leave an owner their roles in projects alone; for the organisation's owners. The last one stays."""
    return await owners.remove_owner(ctx, name)
