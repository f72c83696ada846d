"""Whose an account with a provider is here: known by the provider's own name for it, linked, invited, or somebody new."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flyball.audit import service as audit
from flyball.infra.context import Actor, Context
from flyball.infra.db.database import Connection
from flyball.kit.ids import new_id
from flyball.kit.names import name_key, problem_of
from flyball.kit.secrets import Secret
from flyball.projects import store
from flyball.projects.records import Member

from . import invitations, provider_store, session_store
from .errors import IdentityTakenError, SignInRefusedError
from .provider_records import Identity, Provider

_MOST_GROUPS = 1_000
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,255}")  # printable ASCII


class Account(NamedTuple):
    """An account, as its provider tells of it. `email` is empty unless the provider has verified it; `names` may be its name here."""

    subject: str
    email: str
    names: tuple[str, ...]
    groups: frozenset[str]


def account_of(provider: Provider, claims: Mapping[str, Any]) -> Account:
    """The account of these claims. Raises SignInRefusedError where its address is of no domain that may come in."""
    told = claims.get("email")
    verified = claims.get("email_verified") in (True, "true")
    email = told.lower() if verified and isinstance(told, str) and _EMAIL.fullmatch(told) else ""
    if provider.domains and email.rpartition("@")[2] not in provider.domains:
        raise SignInRefusedError(
            "your e-mail address is not verified, or of no domain that may come in", next_step="use another account"
        )
    names = (claims.get("preferred_username"), email, claims.get("name"), f"{provider.name}-{claims['sub']}"[:60])
    groups = claims.get(provider.groups_claim) if provider.groups_claim else None
    listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return Account(
        subject=claims["sub"],
        email=email,
        names=tuple(name for name in names if isinstance(name, str) and name and not problem_of(name)),
        groups=frozenset(one for one in listed[:_MOST_GROUPS] if isinstance(one, str)),
    )


async def owner_of(
    connection: Connection, ctx: Context, provider: Provider, account: Account, *, invitation: str
) -> tuple[str, bool]:
    """The id of the member whose account it is, who may become one just now; and whether it was known before.

    Raises SignInRefusedError where it is nobody's.
    """
    known = await provider_store.get_identity(connection, provider.id, account.subject)
    if known is not None:
        await provider_store.note_identity(connection, known, account.email, ctx.clock.now_ns())
        if invitation:
            await _join(connection, ctx, provider, account, token=invitation, known=known.member)
        return known.member, True
    if invitation:
        return await _join(connection, ctx, provider, account, token=invitation, known=""), False
    if provider.link_by_email and account.email:
        found = await provider_store.members_by_email(connection, provider.organisation, account.email)
        if len(found) == 1 and await session_store.take_untouched(connection, found[0][0], ctx.clock.now_ns()):
            await _write(connection, ctx, provider, account, found[0][0])
            return found[0][0], False
    if provider.joining != "anybody":
        raise SignInRefusedError(
            "nobody here has this account", next_step="ask for an invitation, or link it on your page Account"
        )
    member = await _new_member(connection, ctx, provider, account)
    await _write(connection, ctx, provider, account, member.id)
    return member.id, False


async def link(connection: Connection, ctx: Context, provider: Provider, account: Account, *, held: str) -> None:
    """Let the member sign in by this account from now on.

    Raises IdentityTakenError where it is somebody else's, SignInRefusedError where the provider is another organisation's.
    """
    organisation = await store.organisation_of_member(connection, held)
    if organisation != provider.organisation:
        raise SignInRefusedError("this provider signs the members of another organisation in")
    await _write(connection, ctx, provider, account, held)


async def _join(
    connection: Connection, ctx: Context, provider: Provider, account: Account, *, token: str, known: str
) -> str:
    """Accept an invitation, as the known member (their id) or as somebody new."""
    invitation = await invitations.take(connection, ctx, Secret(token))
    project = await store.get_project(connection, invitation.project)
    if project is None or project.organisation != provider.organisation:
        raise SignInRefusedError(f"{provider.label} signs the members of another organisation in")
    if invitation.email and invitation.email.lower() != account.email:
        raise SignInRefusedError(
            "this invitation is for another e-mail address, or yours is not verified", next_step="use another account"
        )
    if known and await store.get_member_by_id(connection, project.id, known) is not None:
        return known  # they are in already: the link stays as it is
    if not known:
        known = (await _new_member(connection, ctx, provider, account)).id
        await _write(connection, ctx, provider, account, known)
    member = _person(ctx, provider, known, invitation.role, project=project.id)
    await invitations.join(connection, ctx, invitation, member)
    return member.id


async def _new_member(connection: Connection, ctx: Context, provider: Provider, account: Account) -> Member:
    """Somebody new, under the first name of theirs that is free."""
    now_ns = ctx.clock.now_ns()
    for name in account.names:
        member = Member(
            id=new_id("mem", now_ns),
            organisation=provider.organisation,
            project=provider.project,
            name=name,
            role="",
            permissions=(),
            email=account.email,
            has_password=False,
            created_ns=now_ns,
        )
        if await store.insert_member(connection, member, name_key(name)):
            acting = ctx.acting_as(actor_of_provider(provider))
            await audit.record(
                connection, acting, action="members.create", object_kind="member", object_id=member.id, after=member
            )
            return member
    raise SignInRefusedError("your name here is somebody else's", next_step="ask for an invitation")


async def _write(connection: Connection, ctx: Context, provider: Provider, account: Account, member_id: str) -> None:
    now_ns = ctx.clock.now_ns()
    identity = Identity(
        provider=provider.id,
        provider_name=provider.name,
        subject=account.subject,
        member=member_id,
        email=account.email,
        created_ns=now_ns,
        used_ns=now_ns,
    )
    if not await provider_store.insert_identity(connection, identity):
        raise IdentityTakenError(
            f"this account with {provider.label} is a member's already", next_step="sign in with it, or use another"
        )
    acting = ctx.acting_as(actor_of_provider(provider))
    member = await store.get_member_by_id(connection, provider.project, member_id)
    await audit.record(
        connection,
        acting,
        action="members.link_provider",
        object_kind="member",
        object_id=member_id,
        object_name=member.name if member else "",
        after=identity,
    )


def actor_of_provider(provider: Provider) -> Actor:
    """The provider as whoever acts, where its word changes something."""
    return Actor(id=f"provider:{provider.id}", kind="system", name=provider.name, permissions=frozenset())


def _person(ctx: Context, provider: Provider, member_id: str, role: str, *, project: str) -> Member:
    return Member(
        id=member_id,
        organisation=provider.organisation,
        project=project,
        name="",
        role=role,
        permissions=(),
        has_password=False,
        created_ns=ctx.clock.now_ns(),
    )
