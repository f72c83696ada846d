"""The verbs of members: who belongs to the project, in which role. How people prove who they are is another room's."""

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.ids import new_id
from flyball.kit.names import name_key

from . import store
from .errors import InvalidNameError, LastOwnerError, MemberNotFoundError, NameTakenError, UnknownRoleError
from .granting import permissions_of, refuse_limited, refuse_more_than_own, void_gifts
from .records import Member
from .tenants import check_name, taken

_LONGEST_EMAIL = 254


async def list_members(ctx: Context) -> tuple[Member, ...]:
    """The project's members by name."""
    async with ctx.db.connection() as connection:
        return tuple(await store.list_members(connection, ctx.project))


async def add_member(ctx: Context, name: str, role: str, email: str = "") -> Member:
    """Let a person of the organisation into the project, or somebody new, who then signs in by a link.

    Raises:
        InvalidNameError: the name or the e-mail address cannot be one.
        UnknownRoleError, ExceedsOwnRightsError: the role is not there, or gives more than the actor has.
        NameTakenError: they are a member already, or the name looks like that of somebody elsewhere.
    """
    check_name("a member", name)
    check_email(email)
    now_ns = ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        permissions = await giveable(connection, ctx, role)
        project = await store.get_project(connection, ctx.project)
        if project is None:
            raise MemberNotFoundError("this project is not in use any more")
        key = name_key(name)
        if await store.get_member(connection, ctx.project, key) is not None:
            raise NameTakenError(f"{name!r} is a member already", next_step=f"`flyball members set-role {name} {role}`")
        known = await store.person(connection, key)
        if known is not None and known.organisation != project.organisation:
            raise taken("member", name)
        member = Member(
            id=known.id if known else new_id("mem", now_ns),
            organisation=project.organisation,
            project=ctx.project,
            name=known.name if known else name,
            role=role,
            permissions=tuple(sorted(permissions)),
            email=email,
            has_password=bool(known and known.verifier),
            created_ns=now_ns,
        )
        if known is None and not await store.insert_member(connection, member, key):
            raise taken("member", name)
        await store.set_membership(connection, member, ctx.actor.id, now_ns)
        await _record(connection, ctx, "members.add", member, after=member)
    return member


async def set_role(ctx: Context, name: str, role: str) -> Member:
    """Give a member another role, at once.

    Raises:
        MemberNotFoundError: nobody here has this name.
        UnknownRoleError, ExceedsOwnRightsError: the role is not there, or it, or theirs now, gives more than the actor has.
        LastOwnerError: nobody else is an owner.
    """
    async with ctx.db.transaction() as connection:
        permissions = await giveable(connection, ctx, role)
        member = await _changeable(connection, ctx, name, f"change the role of {name}")
        if role != "owner":
            await _keep_an_owner(connection, ctx, member)
        after = msgspec.structs.replace(member, role=role, permissions=tuple(sorted(permissions)))
        await store.set_membership(connection, after, ctx.actor.id, ctx.clock.now_ns())
        await void_gifts(connection, ctx, member.id, project=ctx.project)
        await _record(connection, ctx, "members.set_role", member, before=member, after=after)
    return after


async def remove_member(ctx: Context, name: str) -> Member:
    """Take a member's role in the project away: their sessions here end, their personal keys are refused.

    Raises MemberNotFoundError, ExceedsOwnRightsError, LastOwnerError.
    """
    async with ctx.db.transaction() as connection:
        member = await _changeable(connection, ctx, name, f"remove {name}")
        await _keep_an_owner(connection, ctx, member)
        await store.delete_membership(connection, ctx.project, member.id)
        await store.end_sessions_in(connection, ctx.project, member.id, ctx.clock.now_ns())
        await void_gifts(connection, ctx, member.id, project=ctx.project)
        await _record(connection, ctx, "members.remove", member, before=member)
    return member


async def giveable(connection: Connection, ctx: Context, role: str) -> frozenset[str]:
    """What a role gives a member, where the actor may give it. Raises UnknownRoleError, ExceedsOwnRightsError, LimitedKeyError."""
    refuse_limited(ctx, f"give the role {role}")
    if role == "application":
        raise UnknownRoleError(
            "the role application is for keys", next_step="give a member viewer, or a role of your own"
        )
    permissions = await permissions_of(connection, ctx, role)
    refuse_more_than_own(ctx, permissions, f"give the role {role}")
    return permissions


async def _changeable(connection: Connection, ctx: Context, name: str, deed: str) -> Member:
    member = await store.get_member(connection, ctx.project, name_key(name))
    if member is None:
        raise MemberNotFoundError(
            f"this project has no member named {name!r:.100}", next_step="`flyball members list` shows them"
        )
    refuse_more_than_own(ctx, member.permissions, deed)
    return member


async def _keep_an_owner(connection: Connection, ctx: Context, member: Member) -> None:
    """An organisation's owner is one in every project of it; anybody else may go if another owner stays."""
    owners = await store.lock_owners(connection, ctx.project)
    if member.owner:
        raise LastOwnerError(
            f"{member.name} is an owner of the organisation, and so of every project of it",
            next_step=f"`flyball organisations remove-owner '{member.name}'` leaves them their roles in projects alone",
        )
    if owners == [member.id]:
        raise LastOwnerError(
            f"{member.name} is the project's only owner", next_step="make somebody else an owner first"
        )


async def _record(
    connection: Connection,
    ctx: Context,
    action: str,
    member: Member,
    *,
    before: Member | None = None,
    after: Member | None = None,
) -> None:
    await notify(connection, SNAPSHOT)  # personal keys give what their member's role gives
    await audit.record(
        connection, ctx, action=action, object_kind="member", object_id=member.id, before=before, after=after
    )


def check_email(email: str) -> None:
    """Raise InvalidNameError where a text is neither empty nor an e-mail address."""
    local, at, host = email.partition("@")
    sound = at and local and "." in host and email.isprintable() and " " not in email and "@" not in host
    if email and (not sound or len(email) > _LONGEST_EMAIL):
        raise InvalidNameError(f"{email!r:.120} is no e-mail address", next_step="leave it out, or correct it")
