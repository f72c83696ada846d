"""How people prove who they are: one-time links, passwords, sessions. Knows no cookie and no page.

Every session is made by `_mint`, and every use of one looks it up, so a revocation counts from the next request on.
"""

import asyncio
from collections.abc import Sequence
from functools import cache

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection
from flyball.kit.clock import NANOSECONDS
from flyball.kit.ids import new_id
from flyball.kit.names import name_key
from flyball.kit.secrets import Secret, hash_password, new_token, token_hash, verify_password
from flyball.projects import store
from flyball.projects.errors import MemberNotFoundError, ProjectNotFoundError
from flyball.projects.granting import refuse_more_than_own
from flyball.projects.records import Member, Project
from flyball.projects.roles import ROLES
from flyball.projects.tenants import DEFAULT_ORGANISATION

from . import session_store
from .errors import SessionNotFoundError, SignInRefusedError, WeakPasswordError
from .records import MadeLink, Session, SignedIn
from .tries import tries_of

ADMINISTRATOR = "administrator"  # the name of the first member
LINK_SECONDS = 3_600
_LONGEST_NAME = 200
SHORTEST_PASSWORD = 10
_PASSWORD_LENGTHS = range(SHORTEST_PASSWORD, 257)


async def create_sign_in_link(ctx: Context, member_name: str = ADMINISTRATOR) -> MadeLink:
    """Make a link by which a member signs in, once, within the hour. The administrator is made where there is none yet."""
    token = Secret(new_token())
    now_ns = ctx.clock.now_ns()
    expires_ns = now_ns + LINK_SECONDS * NANOSECONDS
    async with ctx.db.transaction() as connection:
        if member_name == ADMINISTRATOR:
            await _ensure_administrator(connection, ctx, now_ns)
        member = await store.get_member(connection, ctx.project, name_key(member_name))
        if member is None:
            raise MemberNotFoundError(
                f"this project has no member named {member_name!r:.100}", next_step="`flyball members list` shows them"
            )
        refuse_more_than_own(ctx, member.permissions, f"sign in as {member.name}")
        link_id = new_id("link", now_ns)
        await session_store.insert_link(
            connection,
            link_id,
            member.id,
            ctx.project,
            token_hash(token.reveal()),
            made=(ctx.actor.id, now_ns),
            expires_ns=expires_ns,
        )
        after = {"member": member.id, "expires_ns": expires_ns}
        await audit.record(
            connection, ctx, action="links.create", object_kind="sign_in_link", object_id=link_id, after=after
        )
    return MadeLink(token, member, expires_ns)


async def use_sign_in_link(ctx: Context, token: Secret) -> SignedIn:
    """Sign in by a link, which is used up by this. Raises SignInRefusedError for one that does not work (any more)."""
    async with ctx.db.across_projects().transaction() as connection:
        used = await session_store.use_link(connection, token_hash(token.reveal()), ctx.clock.now_ns())
        member = await store.get_member_by_id(connection, *used) if used else None
        if member is None:
            raise SignInRefusedError(
                "this sign-in link is not valid, or was used already",
                next_step="make another on the server: `flyball keys sign-in-link`",
            )
        return await _mint(connection, ctx, member, "link")


async def sign_in(ctx: Context, name: str, password: Secret) -> SignedIn:
    """Sign in by name and password, into the project that the member came to first.

    Raises SignInRefusedError, or TooManySignInsError after too many failures.
    """
    everywhere = ctx.db.across_projects()
    tries = tries_of(everywhere)
    key = name_key(name[:_LONGEST_NAME])
    tries.begin(key, ctx.clock.monotonic_ns())
    async with everywhere.connection() as connection:
        person = await store.person(connection, key)
        projects = await store.projects_of(connection, person.id) if person else []
    verifier = person.verifier if person else None
    matches = await asyncio.to_thread(verify_password, password.reveal(), verifier or _nobodys_verifier())
    if person is None or verifier is None or not matches or not projects:
        await _record_refusal(ctx, person, projects)
        raise SignInRefusedError(
            "the name or the password is wrong",
            next_step="try again, or make a link on the server: `flyball keys sign-in-link`",
        )
    tries.succeeded(key)
    async with everywhere.transaction() as connection:
        member = await store.get_member_by_id(connection, projects[0].id, person.id)
        if member is None:
            raise SignInRefusedError("this member was removed at this moment", next_step="ask who invited you")
        return await _mint(connection, ctx, member, "password")


async def switch_project(ctx: Context, session_token: Secret, project: str) -> Session:
    """Let one's own session act in another project of one's organisation, in which one has a role; `project` is its name or id.

    Raises SignInRefusedError for a session that has ended, ProjectNotFoundError for anything but such a project.
    """
    found = await authenticate_session(ctx, session_token)
    if found is None:
        raise SignInRefusedError("this session has ended", next_step="sign in again")
    member, session = found
    async with ctx.db.across_projects().transaction() as connection:
        theirs = await store.projects_of(connection, member.id)
        chosen = next((one for one in theirs if project in (one.id, one.name)), None)
        if chosen is None:
            raise ProjectNotFoundError(
                f"you have no role in a project {project!r:.100}",
                next_step="`flyball projects list` shows yours",
            )
        await session_store.set_project(connection, session.id, chosen.id)
        acting = ctx.within(chosen.id, actor_of(member))
        await audit.record(
            connection, acting, action="sessions.switch", object_kind="session", object_id=session.id, after=chosen.id
        )
    return msgspec.structs.replace(session, project=chosen.id)


async def set_password(ctx: Context, session_token: Secret, new: Secret, current: Secret | None = None) -> SignedIn:
    """Set the password of the member who holds this session, end all their sessions and links, and sign in anew.

    Who signed in by password must give the current one; who came by a link need not (that is how a forgotten one is replaced).
    """
    _check_password(new)
    found = await authenticate_session(ctx, session_token)
    if found is None:
        raise SignInRefusedError("this session has ended", next_step="sign in again")
    member, session = found
    if session.method == "password":
        await _check_current(ctx, member, current)
    verifier = await asyncio.to_thread(hash_password, new.reveal())
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        await store.set_password_verifier(connection, member.id, verifier)
        await session_store.revoke_sessions_of(connection, member.id, now_ns)
        await session_store.discard_links_of(connection, member.id, now_ns)
        acting = ctx.within(member.project, actor_of(member))
        await audit.record(connection, acting, action="members.set_password", object_kind="member", object_id=member.id)
        return await _mint(connection, ctx, member, "password")


async def sign_out(ctx: Context, session_token: Secret) -> None:
    """End the session. One that has ended already stays so."""
    found = await authenticate_session(ctx, session_token)
    if found is not None:
        await revoke_session(ctx, found[1].id)


async def revoke_session(ctx: Context, session_id: str) -> None:
    """End a session, one's own or another's. Raises SessionNotFoundError where there is none to end."""
    async with ctx.db.transaction() as connection:
        if not await session_store.revoke_session(connection, ctx.project, session_id, ctx.clock.now_ns()):
            raise SessionNotFoundError(f"no live session has the id {session_id!r:.60}")
        await audit.record(connection, ctx, action="sessions.revoke", object_kind="session", object_id=session_id)


async def list_sessions(ctx: Context) -> tuple[Session, ...]:
    """The project's live sessions, newest first, at most 200."""
    async with ctx.db.connection() as connection:
        return tuple(await session_store.live_sessions(connection, ctx.project, ctx.clock.now_ns(), 200))


async def authenticate_session(ctx: Context, token: Secret) -> tuple[Member, Session] | None:
    """Whose session this is, as they are in its project.

    None for one that is unknown, expired or revoked, and where the member was removed, or has no role in that project any more.
    """
    async with ctx.db.across_projects().connection() as connection:
        session = await session_store.live_session(connection, token_hash(token.reveal()), ctx.clock.now_ns())
        member = await store.get_member_by_id(connection, session.project, session.member) if session else None
    return (member, session) if session and member else None


def actor_of(member: Member) -> Actor:
    """The member as one who acts, with the permissions of their role."""
    return Actor(id=member.id, kind="member", name=member.name, permissions=frozenset(member.permissions))


async def _mint(connection: Connection, ctx: Context, member: Member, method: str) -> SignedIn:
    token = Secret(new_token())
    now_ns = ctx.clock.now_ns()
    session = Session(
        id=new_id("ses", now_ns),
        project=member.project,
        member=member.id,
        member_name=member.name,
        method=method,
        created_ns=now_ns,
        expires_ns=now_ns + ctx.settings.session_hours * 3_600 * NANOSECONDS,
    )
    await session_store.insert_session(connection, session, token_hash(token.reveal()))
    acting = ctx.within(member.project, actor_of(member))
    await audit.record(
        connection, acting, action="sessions.create", object_kind="session", object_id=session.id, after=session
    )
    return SignedIn(token, member, session)


async def _ensure_administrator(connection: Connection, ctx: Context, now_ns: int) -> None:
    project = await store.get_project(connection, ctx.project)
    member = Member(
        id=new_id("mem", now_ns),
        organisation=project.organisation if project else DEFAULT_ORGANISATION,
        project=ctx.project,
        name=ADMINISTRATOR,
        role="owner",
        permissions=tuple(ROLES["owner"]),
        owner=True,
        has_password=False,
        created_ns=now_ns,
    )
    if await store.insert_member(connection, member, name_key(member.name)):
        await store.set_membership(connection, member, ctx.actor.id, now_ns)
        await audit.record(
            connection, ctx, action="members.create", object_kind="member", object_id=member.id, after=member
        )


async def _record_refusal(ctx: Context, person: store.Person | None, projects: Sequence[Project]) -> None:
    """Failures are kept too; never the name that was given, where people type passwords by mistake."""
    acting = ctx.within(projects[0].id, ctx.actor) if projects else ctx
    object_id = person.id if person else "unknown"
    async with acting.db.transaction() as connection:
        await audit.record(connection, acting, action="sessions.refuse", object_kind="member", object_id=object_id)


async def _check_current(ctx: Context, member: Member, current: Secret | None) -> None:
    tries = tries_of(ctx.db.across_projects())
    key = name_key(member.name)
    tries.begin(key, ctx.clock.monotonic_ns())
    async with ctx.db.across_projects().connection() as connection:
        verifier = await store.password_verifier(connection, member.id)
    given = current.reveal() if current else ""
    if not await asyncio.to_thread(verify_password, given, verifier or _nobodys_verifier()):
        raise SignInRefusedError("the current password is wrong", next_step="give the password that you signed in with")
    tries.succeeded(key)


def _check_password(password: Secret) -> None:
    if len(password.reveal()) not in _PASSWORD_LENGTHS:
        least, most = _PASSWORD_LENGTHS.start, _PASSWORD_LENGTHS.stop - 1
        raise WeakPasswordError(
            f"a password has {least} to {most} characters, this one {len(password.reveal())}",
            next_step="choose a longer one; a few unrelated words do well",
        )


@cache
def _nobodys_verifier() -> str:
    """A verifier that no password fits, so that an unknown name costs the same time as a known one."""
    return hash_password(new_token())
