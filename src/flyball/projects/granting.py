"""Nobody gives what they do not have: the rules behind roles, memberships, keys and sign-in links."""

from collections.abc import Iterable

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection

from . import key_store, owner_store, role_store, store
from .errors import ExceedsOwnRightsError, LimitedKeyError, UnknownRoleError
from .roles import ROLES, cut, exceeding


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


async def rights_now(connection: Connection, project: str, actor_id: str) -> frozenset[str]:
    """What somebody may do in a project now who did something there earlier, by their id; nothing where they are gone."""
    if actor_id.startswith(("local:", "system:")):
        return frozenset({"*"})
    member = await store.get_member_by_id(connection, project, actor_id)
    if member is not None:
        return frozenset(member.permissions)
    key = await key_store.get_key(connection, project, actor_id)
    if key is None or key.id != actor_id or key.revoked_ns is not None:  # it could bear an id as its name
        return frozenset()
    if key.member is None:
        return frozenset(key.permissions)
    member = await store.get_member_by_id(connection, project, key.member)
    return cut(key.permissions, frozenset(member.permissions)) if member else frozenset()


async def could_give(connection: Connection, ctx: Context, role: str, actor_id: str) -> bool:
    """Whether somebody could give a role of the project now, as it is now, by their id."""
    try:
        permissions = await permissions_of(connection, ctx, role)
    except UnknownRoleError:
        return False
    return not exceeding(permissions, await rights_now(connection, ctx.project, actor_id))


async def void_gifts(connection: Connection, ctx: Context, member_id: str, *, project: str = "") -> int:
    """Revoke a person's open invitations that they could not make any more; how many there were. Their links for others end.

    In one project, or in all, which takes a connection that sees them. In the transaction that takes rights away.
    """
    now_ns, voided = ctx.clock.now_ns(), 0
    await owner_store.discard_links_by(connection, member_id, now_ns)
    for gift in await owner_store.open_gifts(connection, member_id, project):
        inside = ctx.within(gift.project, ctx.actor)
        if await could_give(connection, inside, gift.role, gift.giver):
            continue
        await owner_store.revoke_gift(connection, gift, now_ns)
        voided += 1
        await audit.record(connection, inside, action="invitations.revoke", object_kind="invitation", object_id=gift.id)
    return voided


async def permissions_of(connection: Connection, ctx: Context, role: str) -> frozenset[str]:
    """What a role of the project gives. Raises UnknownRoleError."""
    if role in ROLES:
        return ROLES[role]
    own = await role_store.get_role(connection, ctx.project, role)
    if own is None:
        known = [*ROLES, *(one.name for one in await role_store.list_roles(connection, ctx.project))]
        raise UnknownRoleError(f"there is no role {role!r:.60}", next_step=f"use one of {', '.join(known)}")
    return frozenset(own.permissions)
