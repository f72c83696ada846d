"""Signing in by a one-time link or by name and password. Knows no cookie and no page; sessions are made in `sessions`."""

from collections.abc import Sequence
from functools import cache

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.db.operators import DEFAULT_ORGANISATION
from flyball.kit.clock import NANOSECONDS
from flyball.kit.ids import new_id
from flyball.kit.names import name_key
from flyball.kit.secrets import Secret, hash_password, new_token, token_hash
from flyball.projects import store
from flyball.projects.errors import MemberNotFoundError
from flyball.projects.granting import refuse_limited
from flyball.projects.records import Member, Project
from flyball.projects.roles import ROLES
from flyball.projects.tenants import organisation_to_change

from . import factor_store, provider_store, scrypts, session_store
from .errors import PasswordsOffError, SignInBusyError, SignInRefusedError, WeakPasswordError
from .records import MadeLink, Session, SignedIn, Step, Whence
from .refusals import About, about, record_refusal
from .sessions import actor_of, mint, own
from .tries import of_address, of_name, tries_of

ADMINISTRATOR = "administrator"  # the name of the first member
LINK_SECONDS = 3_600
STEP_SECONDS = 300
_LONGEST_NAME = 200
SHORTEST_PASSWORD = 10
_PASSWORD_LENGTHS = range(SHORTEST_PASSWORD, 257)
_NOWHERE = Whence()


async def create_sign_in_link(ctx: Context, member_name: str = ADMINISTRATOR) -> MadeLink:
    """Make a link by which a member signs in, once, within the hour. The administrator is made where there is none yet.

    Whoever has a link can choose the member's password, which then opens whatever the member is given later. So nobody
    makes links but those who may give everything anyway.

    Raises:
        MemberNotFoundError: nobody here has this name.
        ExceedsOwnRightsError: somebody other than an owner of the organisation, or the server's operator, asks.
        LimitedKeyError: the actor is a key with limits.
        PasswordsOffError: the organisation's provider signs its members in, and this is none of its owners.
    """
    refuse_limited(ctx, "make sign-in links")
    token = Secret(new_token())
    now_ns = ctx.clock.now_ns()
    expires_ns = now_ns + LINK_SECONDS * NANOSECONDS
    async with ctx.db.across_projects().transaction() as connection:
        await organisation_to_change(connection, ctx, "make sign-in links")
        if member_name == ADMINISTRATOR:
            await _ensure_administrator(connection, ctx, now_ns)
        member = await store.get_member(connection, ctx.project, name_key(member_name))
        if member is None:
            raise MemberNotFoundError(
                f"this project has no member named {member_name!r:.100}", next_step="`flyball members list` shows them"
            )
        await refuse_where_off(connection, member, "link")
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
            connection,
            ctx,
            action="links.create",
            object_kind="sign_in_link",
            object_id=link_id,
            object_name=f"of {member.name}",
            after=after,
        )
    return MadeLink(token, member, expires_ns)


async def use_sign_in_link(ctx: Context, token: Secret, whence: Whence = _NOWHERE) -> SignedIn | Step:
    """Sign in by a link, which is used up by this; half a sign-in where the member has a second factor.

    Raises SignInRefusedError for a link that does not work (any more), TooManySignInsError after too many of them.
    """
    tries = tries_of(ctx.db.across_projects())
    here = of_address(whence.address)
    tries.begin(ctx.clock.monotonic_ns(), here)
    hash_ = token_hash(token.reveal())
    async with ctx.db.across_projects().transaction() as connection:
        used = await session_store.use_link(connection, hash_, ctx.clock.now_ns())
        member = await store.get_member_by_id(connection, *used) if used else None
        if member is not None:
            await refuse_where_off(connection, member, "link")
            tries.succeeded(None, here)
            return await _go_on(connection, ctx, member, "link", whence)
        known = await session_store.get_link(connection, hash_)
    what = About("sign_in_link", known.id, f"of {known.name}", known.project) if known else About("sign_in_link")
    await record_refusal(ctx, "link", what, whence.address)
    raise SignInRefusedError(
        "this sign-in link is not valid, or was used already",
        next_step="make another on the server: `flyball members sign-in-link`",
    )


async def sign_in(ctx: Context, name: str, password: Secret, whence: Whence = _NOWHERE) -> SignedIn | Step:
    """Sign in by name and password, into the project that the member came to first; half of it where they have a second factor.

    Raises SignInRefusedError, PasswordsOffError, TooManySignInsError after too many failures, or SignInBusyError.
    """
    everywhere = ctx.db.across_projects()
    tries = tries_of(everywhere)
    key = name_key(name[:_LONGEST_NAME])
    by_name, here = of_name(key), of_address(whence.address)
    tries.begin(ctx.clock.monotonic_ns(), here, by_name)
    async with everywhere.connection() as connection:
        person = await store.person(connection, key)
        projects = await store.projects_of(connection, person.id) if person else []
    verifier = person.verifier if person else None
    try:
        matches = await _fits(password, verifier)
    except SignInBusyError:
        tries.succeeded(None, here, by_name)  # nothing was tried
        raise
    if person is None or verifier is None or not matches or not projects:
        await record_refusal(ctx, "password", _about(person, projects), whence.address)
        raise SignInRefusedError(
            "the name or the password is wrong",
            next_step="try again, or make a link on the server: `flyball members sign-in-link`",
        )
    tries.succeeded(by_name, here)
    async with everywhere.transaction() as connection:
        member = await store.get_member_by_id(connection, projects[0].id, person.id)
        if member is None:
            raise SignInRefusedError("this member was removed at this moment", next_step="ask who invited you")
        await refuse_where_off(connection, member, "password")
        return await _go_on(connection, ctx, member, "password", whence)


async def _go_on(connection: Connection, ctx: Context, member: Member, method: str, whence: Whence) -> SignedIn | Step:
    """A session, or the step before it."""
    factor = await factor_store.get_factor(connection, member.id)
    if factor is None or factor.confirmed_ns is None:
        return await mint(connection, ctx, member, method, whence)
    token = Secret(new_token())
    expires_ns = ctx.clock.now_ns() + STEP_SECONDS * NANOSECONDS
    await session_store.insert_step(
        connection, token_hash(token.reveal()), member.project, member.id, method=method, expires_ns=expires_ns
    )
    acting = ctx.within(member.project, actor_of(member))
    await audit.record(
        connection,
        acting,
        action="sessions.ask_code",
        object_kind="member",
        object_id=member.id,
        object_name=member.name,
        after=method,
    )
    return Step(token, member, expires_ns)


async def set_password(ctx: Context, token: Secret, new: Secret, current: Secret | None = None) -> SignedIn:
    """Set the password of the member who holds this session, end all their sessions and links, and sign in anew.

    Who has one must give it (`needs_current`).

    Raises WeakPasswordError, SignInRefusedError, TooManySignInsError, PasswordsOffError.
    """
    check_password(new)
    member, session, _ = await own(ctx, token)
    async with ctx.db.across_projects().connection() as connection:
        await refuse_where_off(connection, member, "password")
    await prove_current(ctx, member, session, current)
    verifier = await scrypts.verifier_of(new)
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        await store.set_password_verifier(connection, member.id, verifier)
        await session_store.revoke_sessions_of(connection, member.id, now_ns)
        await session_store.discard_links_of(connection, member.id, now_ns)
        await session_store.delete_steps_of(connection, member.id)
        acting = ctx.within(member.project, actor_of(member, session))
        await audit.record(
            connection,
            acting,
            action="members.set_password",
            object_kind="member",
            object_id=member.id,
            object_name=member.name,
        )
        _, plus, factor = session.method.partition(" + ")
        method = session.method if session.by_provider else f"password{plus}{factor}"
        return await mint(connection, ctx, member, method, Whence(session.address, session.user_agent))


def needs_current(member: Member, session: Session) -> bool:
    """Whether somebody has to give their password again before they change how they sign in.

    Whoever has one, however their session began; but for who came by a link, which is how a forgotten one is replaced.
    """
    return member.has_password and session.method.partition(" + ")[0] != "link"


async def prove_current(ctx: Context, member: Member, session: Session, current: Secret | None) -> None:
    """Raise SignInRefusedError where a password is needed and this is not it; TooManySignInsError after too many tries."""
    if not needs_current(member, session):
        return
    tries = tries_of(ctx.db.across_projects())
    by_name = of_name(name_key(member.name))
    tries.begin(ctx.clock.monotonic_ns(), by_name)
    async with ctx.db.across_projects().connection() as connection:
        verifier = await store.password_verifier(connection, member.id)
    try:
        matches = await _fits(current or Secret(""), verifier)
    except SignInBusyError:
        tries.succeeded(None, by_name)  # nothing was tried
        raise
    if not matches:
        acting = ctx.within(member.project, actor_of(member, session))
        await record_refusal(acting, "current password", about(member), session.address)
        raise SignInRefusedError("the current password is wrong", next_step="give the password that you have now")
    tries.succeeded(by_name)


async def _fits(password: Secret, verifier: str | None) -> bool:
    """Whether it is the verifier's password; without one no password is, and finding out takes as long."""
    return await scrypts.verify(password, verifier or _nobodys_verifier())


def check_password(password: Secret) -> None:
    """Raise WeakPasswordError where a password is too short or too long."""
    if len(password.reveal()) not in _PASSWORD_LENGTHS:
        least, most = _PASSWORD_LENGTHS.start, _PASSWORD_LENGTHS.stop - 1
        raise WeakPasswordError(
            f"a password has {least} to {most} characters, this one {len(password.reveal())}",
            next_step="choose a longer one; a few unrelated words do well",
        )


async def refuse_where_off(connection: Connection, member: Member, method: str) -> None:
    """Raise PasswordsOffError where a provider is enforced: owners of the organisation have links then, and nobody a password.

    `method` is what the sign-in began with, `password` or `link`.
    """
    if method == "link" and member.owner:
        return
    enforced = await provider_store.enforced_of(connection, member.organisation)
    if enforced:
        raise PasswordsOffError(
            f"passwords are off: members of this organisation sign in with {enforced}",
            next_step="use its button on the page of signing in; owners may use a link: `flyball members sign-in-link`",
        )


async def _ensure_administrator(connection: Connection, ctx: Context, now_ns: int) -> None:
    if ctx.actor.kind not in ("local", "system"):
        return
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


def _about(person: store.Person | None, projects: Sequence[Project]) -> About:
    """Whose password it was to be; the first project's record has it."""
    if person is None:
        return About("member")
    return About("member", person.id, person.name, projects[0].id if projects else "")


@cache
def _nobodys_verifier() -> str:
    """A verifier that no password fits, so that an unknown name costs the same time as a known one."""
    return hash_password(new_token())
