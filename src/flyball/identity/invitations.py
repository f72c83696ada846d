"""The verbs of invitations: invite, list, revoke, accept. Nobody invites anybody to more than they may do themselves.

flyball sends no e-mail: whoever invites passes the link on. It works once, and for some days.
"""

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.events import SNAPSHOT, notify
from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import InvalidInputError
from flyball.kit.ids import new_id
from flyball.kit.names import name_key
from flyball.kit.secrets import Secret, new_token, token_hash
from flyball.projects import store
from flyball.projects.errors import MemberNotFoundError, NameTakenError
from flyball.projects.granting import could_give, refuse_limited
from flyball.projects.members import check_email, giveable
from flyball.projects.records import Member
from flyball.projects.tenants import check_name, taken

from . import invitation_store, provider_store, scrypts
from .errors import InvitationNotFoundError, PasswordsOffError, SignInRefusedError
from .invitation_records import Invitation, MadeInvitation
from .records import SignedIn, Whence
from .refusals import About, record_refusal
from .sessions import actor_of, mint
from .sign_in import check_password
from .tries import of_address, tries_of

_DAYS = range(1, 31)
DEFAULT_DAYS = 7
_DAY_NS = 86_400 * NANOSECONDS


async def invite(ctx: Context, role: str, email: str = "", days: int = DEFAULT_DAYS) -> MadeInvitation:
    """Make a link by which somebody new becomes a member of the project in a role, once, within some days.

    Raises:
        UnknownRoleError, ExceedsOwnRightsError: the role is not there, or gives more than the actor has.
        LimitedKeyError: the actor is a key with limits.
        InvalidNameError, InvalidInputError: the e-mail address or the days cannot be.
    """
    refuse_limited(ctx, "invite anybody")
    check_email(email)
    if days not in _DAYS:
        raise InvalidInputError(f"an invitation works for 1 to 30 days, not {days}", next_step="give fewer days")
    token, now_ns = Secret(new_token()), ctx.clock.now_ns()
    async with ctx.db.transaction() as connection:
        await giveable(connection, ctx, role)
        project = await store.get_project(connection, ctx.project)
        if project is None:
            raise MemberNotFoundError("this project is not in use any more")
        invitation = Invitation(
            id=new_id("inv", now_ns),
            project=project.id,
            project_name=project.name,
            organisation_name=project.organisation_name,
            email=email,
            role=role,
            created_by=ctx.actor.id,
            created_ns=now_ns,
            expires_ns=now_ns + days * _DAY_NS,
        )
        await invitation_store.insert_invitation(connection, invitation, token_hash(token.reveal()))
        await _record(connection, ctx, "invitations.create", invitation)
    return MadeInvitation(token, invitation)


async def list_invitations(ctx: Context) -> tuple[Invitation, ...]:
    """The project's invitations that can still be accepted, newest first."""
    async with ctx.db.connection() as connection:
        return tuple(await invitation_store.open_invitations(connection, ctx.project, ctx.clock.now_ns()))


async def revoke(ctx: Context, invitation_id: str) -> None:
    """Make an invitation useless. Raises InvitationNotFoundError where none of this id is open."""
    async with ctx.db.transaction() as connection:
        if not await invitation_store.revoke(connection, ctx.project, invitation_id, ctx.clock.now_ns()):
            raise InvitationNotFoundError(
                f"no open invitation has the id {invitation_id!r:.60}",
                next_step="`flyball members invitations` shows them",
            )
        await audit.record(
            connection, ctx, action="invitations.revoke", object_kind="invitation", object_id=invitation_id
        )


async def look_at(ctx: Context, token: Secret, whence: Whence) -> Invitation:
    """What a link invites to; it is not used up by this. Raises SignInRefusedError, TooManySignInsError."""
    tries, here = tries_of(ctx.db.across_projects()), of_address(whence.address)
    tries.begin(ctx.clock.monotonic_ns(), here)
    async with ctx.db.across_projects().connection() as connection:
        found = await invitation_store.by_hash(connection, token_hash(token.reveal()), ctx.clock.now_ns())
        holds = found is not None and await _holds(connection, ctx, found)
    if found is None or not holds:
        known = About("invitation", found.id, found.email, found.project) if found else About("invitation")
        await record_refusal(ctx, "invitation", known, whence.address)
        raise _over()
    tries.succeeded(None, here)
    return found


async def accept(ctx: Context, token: Secret, name: str, password: Secret, whence: Whence) -> SignedIn:
    """Become a member under a name and a password, and sign in. The link is used up.

    Raises:
        InvalidNameError, NameTakenError, WeakPasswordError: the name or the password cannot be; the link still works.
        PasswordsOffError: the organisation's provider signs its members in.
        SignInRefusedError: the link does not work (any more).
    """
    check_name("a member", name)
    check_password(password)
    await look_at(ctx, token, whence)
    verifier = await scrypts.verifier_of(password)
    async with ctx.db.across_projects().transaction() as connection:
        invitation = await take(connection, ctx, token)
        member = await new_member(connection, ctx, invitation, name, invitation.email)
        if enforced := await provider_store.enforced_of(connection, member.organisation):
            raise PasswordsOffError(
                f"passwords are off: members of this organisation sign in with {enforced}",
                next_step="accept the invitation by its button",
            )
        await store.set_password_verifier(connection, member.id, verifier)
        joined = await join(connection, ctx, invitation, member)
        return await mint(connection, ctx, joined, "invitation", whence)


async def take(connection: Connection, ctx: Context, token: Secret) -> Invitation:
    """The open invitation of a token, locked until the transaction ends, where its giver could still make it. Raises SignInRefusedError."""
    found = await invitation_store.by_hash(connection, token_hash(token.reveal()), ctx.clock.now_ns(), lock=True)
    if found is None or not await _holds(connection, ctx, found):
        raise _over()
    return found


async def _holds(connection: Connection, ctx: Context, invitation: Invitation) -> bool:
    """Whether whoever invited could do so now: an invitation outlives neither its giver nor their rights."""
    inside = ctx.within(invitation.project, ctx.actor)
    return await could_give(connection, inside, invitation.role, invitation.created_by)


async def new_member(connection: Connection, ctx: Context, invitation: Invitation, name: str, email: str) -> Member:
    """Write a person without a role yet. Raises NameTakenError."""
    project = await store.get_project(connection, invitation.project)
    if project is None:
        raise _over()
    now_ns = ctx.clock.now_ns()
    member = Member(
        id=new_id("mem", now_ns),
        organisation=project.organisation,
        project=invitation.project,
        name=name,
        role=invitation.role,
        permissions=(),
        email=email,
        has_password=False,
        created_ns=now_ns,
    )
    if not await store.insert_member(connection, member, name_key(name)):
        raise taken("member", name)
    return member


async def join(connection: Connection, ctx: Context, invitation: Invitation, member: Member) -> Member:
    """Give a person the role to which they were invited; the invitation is used up. They, as they are in the project then.

    Raises NameTakenError where they have a role here already.
    """
    if await store.get_member_by_id(connection, invitation.project, member.id) is not None:
        raise NameTakenError(f"{member.name} is a member of this project already", next_step="sign in")
    now_ns = ctx.clock.now_ns()
    await store.set_membership(connection, member, invitation.created_by, now_ns)
    await invitation_store.accept(connection, invitation, member.id, now_ns)
    await notify(connection, SNAPSHOT)
    joined = await store.get_member_by_id(connection, invitation.project, member.id)
    if joined is None:
        raise _over()
    await _record(connection, ctx.within(invitation.project, actor_of(joined)), "invitations.accept", invitation)
    return joined


async def _record(connection: Connection, ctx: Context, action: str, invitation: Invitation) -> None:
    await audit.record(
        connection, ctx, action=action, object_kind="invitation", object_id=invitation.id, after=invitation
    )


def _over() -> SignInRefusedError:
    return SignInRefusedError(
        "this invitation is not valid, was revoked, or was accepted already",
        next_step="ask who invited you for another one",
    )
