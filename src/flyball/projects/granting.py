"""Nobody gives what they do not have: the rules behind roles, memberships, keys and sign-in links."""

from collections.abc import Iterable

from flyball.infra.context import Context
from flyball.infra.db.database import Connection

from . import role_store
from .errors import ExceedsOwnRightsError, LimitedKeyError, UnknownRoleError
from .roles import ROLES, exceeding


def refuse_more_than_own(ctx: Context, permissions: Iterable[str], deed: str) -> None:
    """Raise ExceedsOwnRightsError where the actor lacks one of the permissions; `deed` is what they wanted to do."""
    lacking = exceeding(permissions, ctx.actor.permissions)
    if lacking:
        raise ExceedsOwnRightsError(
            f"{ctx.actor.name} may not {deed}: that gives {', '.join(lacking[:5])}, which {ctx.actor.name} lacks",
            next_step="ask an owner of the project",
        )


def refuse_limited(ctx: Context, deed: str) -> None:
    """Raise LimitedKeyError where a key that expires, or has limits, would give somebody rights that have none of them.

    A person signs in from anywhere, calls everything that their role permits, and stays when the key has ended.
    """
    if ctx.actor.limited:
        raise LimitedKeyError(
            f"the key {ctx.actor.name} may not {deed}: it has an expiry or limits, and what it gave would have none",
            next_step="do it signed in, or at the server itself",
        )


async def permissions_of(connection: Connection, ctx: Context, role: str) -> frozenset[str]:
    """What a role of the project gives. Raises UnknownRoleError."""
    if role in ROLES:
        return ROLES[role]
    own = await role_store.get_role(connection, ctx.project, role)
    if own is None:
        known = [*ROLES, *(one.name for one in await role_store.list_roles(connection, ctx.project))]
        raise UnknownRoleError(f"there is no role {role!r:.60}", next_step=f"use one of {', '.join(known)}")
    return frozenset(own.permissions)
