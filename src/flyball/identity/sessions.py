"""The verbs of sessions: begin, look up, list, end. Knows no password and no cookie.

Every session is made by `mint`, and every use of one looks it up, so a revocation counts from the next request on. They end
by the wall clock: at their last hour, when nobody used them for long, and where a clock was set back behind their last use.
"""

from flyball.audit import service as audit
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection
from flyball.kit.clock import NANOSECONDS
from flyball.kit.ids import new_id
from flyball.kit.names import name_key
from flyball.kit.secrets import Secret, new_token, token_hash
from flyball.projects import store
from flyball.projects.errors import MemberNotFoundError, NoMemberError, ProjectNotFoundError
from flyball.projects.records import Member

from . import session_store
from .errors import SessionNotFoundError, SignInRefusedError
from .records import Found, Session, SignedIn, Whence
from .session_store import Times
from .taking_over import refuse_taking_over

_HOUR_NS = 3_600 * NANOSECONDS
_USE_NS = 60 * NANOSECONDS  # how exactly the last use is known
_SKEW_NS = 300 * NANOSECONDS  # how far clocks of one installation may differ
_MOST_LISTED = 200


async def mint(connection: Connection, ctx: Context, member: Member, method: str, whence: Whence) -> SignedIn:
    """Begin a session, in the caller's transaction. The session that the browser held so far ends."""
    token = Secret(new_token())
    now_ns = ctx.clock.now_ns()
    session = Session(
        id=new_id("ses", now_ns),
        project=member.project,
        member=member.id,
        member_name=member.name,
        method=method,
        created_ns=now_ns,
        expires_ns=now_ns + ctx.settings.session_hours * _HOUR_NS,
        used_ns=now_ns,
        address=whence.address,
        user_agent=whence.agent,
    )
    if whence.held is not None:
        await session_store.revoke_by_hash(connection, token_hash(whence.held.reveal()), now_ns)
    await session_store.insert_session(connection, session, token_hash(token.reveal()))
    acting = ctx.within(member.project, actor_of(member, session))
    await audit.record(
        connection, acting, action="sessions.create", object_kind="session", object_id=session.id, after=session
    )
    return SignedIn(token, member, session)


async def authenticate(ctx: Context, token: Secret) -> Found | None:
    """Whose session this is, as they are in its project.

    None for one that is unknown, expired, unused for too long or revoked, and where the member was removed, or has no role in
    that project any more.
    """
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().connection() as connection:
        found = await session_store.live_session(connection, token_hash(token.reveal()), _times(ctx))
        member = await store.get_member_by_id(connection, found[0].project, found[0].member) if found else None
        if found is None or member is None:
            return None
        session, has_factor = found
        if abs(now_ns - session.used_ns) >= _USE_NS:
            await session_store.note_use(connection, session.id, now_ns)
    return Found(member, session, not has_factor and not session.by_provider and needs_factor(ctx, member))


def needs_factor(ctx: Context, member: Member) -> bool:
    """Whether the server's settings require a second factor of this member."""
    required = ctx.settings.require_totp
    return required == "everybody" or (required == "owners" and (member.owner or member.role == "owner"))


def actor_of(member: Member, session: Session | None = None, *, restricted: bool = False) -> Actor:
    """The member as whoever acts; without any permission while they owe a second factor."""
    return Actor(
        id=member.id,
        kind="member",
        name=member.name,
        permissions=frozenset() if restricted else frozenset(member.permissions),
        auth_method=session.method if session else "",
    )


async def own(ctx: Context, token: Secret) -> Found:
    """As `authenticate`; raises SignInRefusedError where there is no such session, NoMemberError for a key, which has none."""
    if ctx.actor.kind == "key":
        raise _no_member(ctx)
    found = await authenticate(ctx, token)
    if found is None:
        raise SignInRefusedError("this session has ended", next_step="sign in again")
    return found


def _no_member(ctx: Context) -> NoMemberError:
    return NoMemberError(
        f"{ctx.actor.name} is no member, and this is for members who are signed in", next_step="sign in on the pages"
    )


async def switch_project(ctx: Context, token: Secret, project: str) -> SignedIn:
    """Let one's own session act in another project of one's organisation, in which one has a role; `project` is its name or id.

    The session gets another token, since it may do other things from now on.

    Raises SignInRefusedError for a session that has ended, ProjectNotFoundError for anything but such a project.
    """
    member, session, _ = await own(ctx, token)
    anew = Secret(new_token())
    async with ctx.db.across_projects().transaction() as connection:
        theirs = await store.projects_of(connection, member.id)
        chosen = next((one for one in theirs if project in (one.id, one.name)), None)
        there = await store.get_member_by_id(connection, chosen.id, member.id) if chosen else None
        if chosen is None or there is None:
            raise ProjectNotFoundError(
                f"you have no role in a project {project!r:.100}",
                next_step="`flyball projects list` shows yours",
            )
        await session_store.set_project(connection, session.id, chosen.id, token_hash(anew.reveal()))
        acting = ctx.within(chosen.id, actor_of(there, session))
        await audit.record(
            connection, acting, action="sessions.switch", object_kind="session", object_id=session.id, after=chosen.id
        )
        found = await session_store.live_session(connection, token_hash(anew.reveal()), _times(ctx))
    return SignedIn(anew, there, found[0] if found else session)


async def rotate(connection: Connection, session: Session, member: Member) -> SignedIn:
    """Give a session another token, in the transaction that changes what it stands for."""
    token = Secret(new_token())
    await session_store.set_hash(connection, session.id, token_hash(token.reveal()))
    return SignedIn(token, member, session)


async def list_sessions(ctx: Context) -> tuple[Session, ...]:
    """The project's live sessions, newest first, at most 200."""
    async with ctx.db.connection() as connection:
        return tuple(await session_store.live_sessions(connection, ctx.project, _times(ctx), _MOST_LISTED))


async def list_own(ctx: Context) -> tuple[Session, ...]:
    """The actor's live sessions in all projects, last used first, at most 200."""
    async with ctx.db.across_projects().connection() as connection:
        return tuple(await session_store.live_sessions_of(connection, ctx.actor.id, _times(ctx), _MOST_LISTED))


async def sign_out(ctx: Context, token: Secret) -> Session | None:
    """End the session; it, where it had not ended already."""
    found = await authenticate(ctx, token)
    if found is None:
        return None
    acting = ctx.within(found.member.project, actor_of(found.member, found.session))
    await revoke_own(acting, found.session.id)
    return found.session


async def revoke_own(ctx: Context, session_id: str) -> None:
    """End one of the actor's sessions, in whatever project it acts. Raises SessionNotFoundError where there is none to end."""
    async with ctx.db.across_projects().transaction() as connection:
        if not await session_store.revoke_own_session(connection, ctx.actor.id, session_id, ctx.clock.now_ns()):
            raise _no_session(session_id)
        await _record_end(connection, ctx, session_id, ctx.actor.name)


async def revoke(ctx: Context, session_id: str) -> None:
    """End a session of the project. Raises SessionNotFoundError where there is none to end, ExceedsOwnRightsError as signing out does."""
    async with ctx.db.across_projects().transaction() as connection:
        ended = await session_store.revoke_session(connection, ctx.project, session_id, ctx.clock.now_ns())
        if not ended:
            raise _no_session(session_id)
        member = await store.get_member_by_id(connection, ctx.project, ended)
        if member is not None:
            await refuse_taking_over(connection, ctx, member, f"sign {member.name} out")
        await _record_end(connection, ctx, session_id, member.name if member else "")


async def _record_end(connection: Connection, ctx: Context, session_id: str, of: str) -> None:
    await audit.record(
        connection,
        ctx,
        action="sessions.revoke",
        object_kind="session",
        object_id=session_id,
        object_name=f"of {of}" if of else "",
    )


async def sign_out_everywhere(ctx: Context, name: str = "") -> int:
    """End every session of a member, in all projects, and every link and half sign-in of theirs; how many sessions.

    Without a name it is the actor's own. Somebody else's takes all the rights that they have here.

    Raises:
        NoMemberError: somebody who is no member asks for their own.
        MemberNotFoundError: nobody here has this name.
        ExceedsOwnRightsError: they have more rights than the actor.
    """
    if not name and ctx.actor.kind != "member":
        raise _no_member(ctx)
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        member_id, member_name = ctx.actor.id, ctx.actor.name
        if name:
            member = await store.get_member(connection, ctx.project, name_key(name))
            if member is None:
                raise MemberNotFoundError(
                    f"this project has no member named {name!r:.100}", next_step="`flyball members list` shows them"
                )
            await refuse_taking_over(connection, ctx, member, f"sign {member.name} out")
            member_id, member_name = member.id, member.name
        ended = await session_store.revoke_sessions_of(connection, member_id, now_ns)
        await session_store.discard_links_of(connection, member_id, now_ns)
        await session_store.delete_steps_of(connection, member_id)
        await audit.record(
            connection,
            ctx,
            action="members.sign_out",
            object_kind="member",
            object_id=member_id,
            object_name=member_name,
            after=ended,
        )
    return ended


def _times(ctx: Context) -> Times:
    now_ns = ctx.clock.now_ns()
    idle_hours = ctx.settings.session_idle_hours or ctx.settings.session_hours
    return Times(now_ns, now_ns - idle_hours * _HOUR_NS, now_ns + _SKEW_NS)


def _no_session(session_id: str) -> SessionNotFoundError:
    return SessionNotFoundError(f"no live session has the id {session_id!r:.60}")
