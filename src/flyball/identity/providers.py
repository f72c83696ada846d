"""The verbs of sign-in providers: who signs an organisation's members in, and what groups there mean here. Owners declare them."""

import re
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.infra.db.operators import DEFAULT_ORGANISATION
from flyball.infra.egress.address import target_of
from flyball.infra.egress.networks import why_denied
from flyball.infra.secrets.references import FORMS, parse
from flyball.kit.ids import new_id
from flyball.projects import store
from flyball.projects.errors import ExceedsOwnRightsError, NameTakenError
from flyball.projects.granting import permissions_of, refuse_limited
from flyball.projects.tenants import organisation_to_change

from . import provider_store, session_store
from .errors import ProviderInvalidError, ProviderNotFoundError
from .provider_records import GroupRole, Identity, Provider, ProviderWish

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")  # RFC 6749, 3.3
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_MOST = 100
EVERYBODY = "*"


class Shown(NamedTuple):
    """The providers of one page of signing in; `beyond`: those of other organisations have pages of their own."""

    providers: tuple[Provider, ...]
    beyond: bool


async def list_providers(ctx: Context) -> tuple[Provider, ...]:
    """Those of the organisation of the current project, by name."""
    async with ctx.db.across_projects().connection() as connection:
        project = await store.get_project(connection, ctx.project)
        return tuple(await provider_store.list_providers(connection, project.organisation)) if project else ()


async def list_of_project(ctx: Context, project: str) -> tuple[Provider, ...]:
    """Those of the organisation of a project, by which its invitations may be accepted."""
    return await list_providers(ctx.within(project, ctx.actor))


async def list_shown(ctx: Context, organisation: str = DEFAULT_ORGANISATION) -> Shown:
    """Those that have a button on an organisation's page of signing in (its name); without one, on the operator's.

    Nobody's button is on another's page: what it is called and where it leads is the organisation's own word. One that is not
    there has none, as one that has none.
    """
    async with ctx.db.across_projects().connection() as connection:
        found = await provider_store.list_shown(connection, organisation)
        beyond = await provider_store.shows_beyond(connection, DEFAULT_ORGANISATION)
    return Shown(tuple(found), beyond)


async def find_shown(ctx: Context, name: str) -> Provider | None:
    """One that has a button, on whatever page."""
    async with ctx.db.across_projects().connection() as connection:
        found = await provider_store.get_provider(connection, name)
    return found if found and found.shown else None


async def shown_at(ctx: Context, name: str) -> str:
    """The address of the page of signing in that is for a provider of this name: its organisation's own, else the operator's."""
    async with ctx.db.across_projects().connection() as connection:
        organisation = await provider_store.organisation_of(connection, name)
    return page_of(organisation)


async def own_page(ctx: Context) -> str:
    """The address of the page on which the buttons of the current project's organisation are."""
    async with ctx.db.across_projects().connection() as connection:
        project = await store.get_project(connection, ctx.project)
    return page_of(project.organisation_name if project else "")


def page_of(organisation: str) -> str:
    """The address at which an organisation's providers have their buttons, by its name."""
    return "/sign-in" if organisation in ("", DEFAULT_ORGANISATION) else f"/sign-in/to/{quote(organisation, safe='')}"


async def get_provider(ctx: Context, name: str) -> Provider:
    """One of the organisation's. Raises ProviderNotFoundError."""
    found = next((one for one in await list_providers(ctx) if one.name == name), None)
    if found is None:
        raise _not_found(name)
    return found


async def set_provider(ctx: Context, name: str, wish: ProviderWish) -> Provider:
    """Declare a sign-in provider, or change one. Turning passwords off ends half sign-ins, and the sessions that began with one, but for owners.

    Raises:
        ExceedsOwnRightsError: somebody other than an owner of the organisation, or the server's operator, asks.
        LimitedKeyError: the actor is a key with limits.
        ProviderInvalidError: it cannot work, or its issuer would change: subjects are the issuer's own.
        UnknownRoleError: a group would give a role that is not there.
        NameTakenError: another organisation has a provider of this name.
    """
    refuse_limited(ctx, "declare sign-in providers")
    wish = _checked(name, wish)
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        organisation = await organisation_to_change(connection, ctx, "declare sign-in providers")
        await _check_groups(connection, ctx, organisation.id, wish)
        before = await provider_store.get_provider(connection, name)
        if before is not None and before.organisation != organisation.id:
            raise _taken(name)
        if before is not None and before.issuer != wish.issuer:
            raise ProviderInvalidError(
                f"the provider {name} is {before.issuer}, and its accounts are that issuer's",
                next_step="declare another provider, or remove this one first",
            )
        _refuse_operators_references(ctx, wish, before)
        after = Provider(
            **msgspec.structs.asdict(wish),
            id=before.id if before else new_id("idp", now_ns),
            name=name,
            project=before.project if before else ctx.project,
            organisation=organisation.id,
            created_by=before.created_by if before else ctx.actor.id,
            created_ns=before.created_ns if before else now_ns,
            updated_ns=now_ns,
        )
        if before is not None:
            await provider_store.update_provider(connection, after)
        elif not await provider_store.insert_provider(connection, after):
            raise _taken(name)
        if after.enforced and not (before and before.enforced):
            # Half sign-ins first: whoever is finishing one is waited for.
            await session_store.delete_steps_in(connection, organisation.id)
            await session_store.revoke_sessions_by_password(connection, organisation.id, now_ns)
        await audit.record(
            connection,
            ctx,
            action="providers.set",
            object_kind="provider",
            object_id=name,
            before=before,
            after=after,
        )
    return after


async def remove_provider(ctx: Context, name: str) -> Provider:
    """Take a provider out of use: nobody signs in by it any more; sessions that began with it go on until they end.

    Raises ProviderNotFoundError, ExceedsOwnRightsError.
    """
    async with ctx.db.across_projects().transaction() as connection:
        organisation = await organisation_to_change(connection, ctx, "remove sign-in providers")
        provider = await provider_store.get_provider(connection, name)
        if provider is None or provider.organisation != organisation.id:
            raise _not_found(name)
        await provider_store.remove_provider(connection, provider.id, ctx.clock.now_ns())
        await audit.record(
            connection, ctx, action="providers.remove", object_kind="provider", object_id=name, before=provider
        )
    return provider


async def list_own_identities(ctx: Context) -> tuple[Identity, ...]:
    """The actor's accounts with providers."""
    async with ctx.db.across_projects().connection() as connection:
        return tuple(await provider_store.identities_of(connection, ctx.actor.id))


async def forget_own_identity(ctx: Context, name: str) -> None:
    """Sign in by this provider no more. Raises ProviderNotFoundError where the actor has no account with it."""
    async with ctx.db.across_projects().transaction() as connection:
        provider = await provider_store.get_provider(connection, name)
        if provider is None or not await provider_store.delete_identity(connection, ctx.actor.id, provider.id):
            raise ProviderNotFoundError(f"you have no account with a provider {name!r:.60}")
        await audit.record(
            connection,
            ctx,
            action="members.unlink_provider",
            object_kind="member",
            object_id=ctx.actor.id,
            object_name=ctx.actor.name,
            before=provider.name,
        )


def group_role(told: dict[str, str] | None, line: str) -> GroupRole:
    """A line of groups as it is written: `group -> project: role`. Raises ProviderInvalidError for None, naming the line."""
    if told is None:
        raise ProviderInvalidError(
            f"{line.strip()!r:.100} does not say what a group gives", next_step="write `group -> project: role`"
        )
    return GroupRole(**told)


def _refuse_operators_references(ctx: Context, wish: ProviderWish, before: Provider | None) -> None:
    """Only the operator names what lies outside of flyball's own secrets: it may be anybody's, and would be sent to this provider."""
    reference = parse(wish.client_secret)
    same = before is not None and before.client_secret == wish.client_secret
    if reference is not None and reference.kind != "secret" and not same and ctx.actor.kind not in ("local", "system"):
        raise ExceedsOwnRightsError(
            f"{ctx.actor.name} may not name {reference}: only the server's operator may",
            next_step="keep the client secret with `flyball secrets set NAME`, and name it as secret:NAME",
        )


def _checked(name: str, wish: ProviderWish) -> ProviderWish:
    if not _NAME.fullmatch(name):
        raise ProviderInvalidError(
            f"{name!r:.60} is no name for a provider", next_step="use 1 to 40 lower-case letters, digits and hyphens"
        )
    wish = msgspec.structs.replace(
        wish,
        label=wish.label.strip() or name,
        scopes=tuple(dict.fromkeys(("openid", *wish.scopes))),
        domains=tuple(sorted({domain.strip().lower() for domain in wish.domains})),
    )
    _check_issuer(wish.issuer)
    if problem := _problem_of(wish):
        raise ProviderInvalidError(f"the provider {name} cannot work: {problem}", next_step="see docs/identity.md")
    return wish


def _problem_of(wish: ProviderWish) -> str:
    bad_scope = next((scope for scope in wish.scopes if not _SCOPE.fullmatch(scope)), None)
    bad_domain = next((domain for domain in wish.domains if not _DOMAIN.fullmatch(domain)), None)
    problems = (
        (not 0 < len(wish.client_id) <= 500 or not wish.client_id.isprintable(), "its client id is missing"),
        (
            len(wish.label) > 60 or not wish.label.isprintable(),
            "its label is longer than 60 characters, or not printable",
        ),
        (bad_scope is not None, f"{bad_scope!r:.60} is no scope"),
        (bad_domain is not None, f"{bad_domain!r:.60} is no domain of e-mail addresses"),
        (max(len(wish.scopes), len(wish.groups), len(wish.domains)) > _MOST, f"a list has more than {_MOST} entries"),
        (wish.client_auth == "none" and bool(wish.client_secret), "a public client has no secret"),
        (
            wish.client_auth != "none" and parse(wish.client_secret) is None,
            f"its client secret is no reference ({FORMS})",
        ),
        (len(wish.groups_claim) > 200, "the name of the groups' claim is longer than 200 characters"),
        (
            any(one.group != EVERYBODY for one in wish.groups) and not wish.groups_claim,
            "groups are mapped, and no claim is named that lists them",
        ),
        (
            wish.link_by_email and not wish.domains,
            "who may be linked by e-mail address needs domains that the provider answers for",
        ),
    )
    return next((why for wrong, why in problems if wrong), "")


def _check_issuer(issuer: str) -> None:
    target = target_of(issuer)
    if "?" in issuer or "#" in issuer:
        raise ProviderInvalidError(f"{issuer!r:.120} is no issuer: it has a query", next_step="give the address alone")
    private = target.host == "localhost" or (target.ip is not None and bool(why_denied(target.ip)))
    if not target.secure and not private:
        raise ProviderInvalidError(
            f"{issuer!r:.120} is reached without encryption", next_step="give an address that begins with https://"
        )


async def _check_groups(connection: Connection, ctx: Context, organisation: str, wish: ProviderWish) -> None:
    """Every project is one of the organisation's, every role one of the project's. Who declares it is an owner in all of them."""
    projects = {one.name: one.id for one in await store.list_projects(connection, organisation) if not one.archived_ns}
    for one in wish.groups:
        if one.project not in projects:
            raise ProviderInvalidError(
                f"the group {one.group!r:.60} leads to the project {one.project!r:.60}, which is not there",
                next_step="`flyball projects list` shows those that are",
            )
        if one.role == "application":
            raise ProviderInvalidError("the role application is for keys", next_step="name another role")
        await permissions_of(connection, ctx.within(projects[one.project], ctx.actor), one.role)


def _not_found(name: str) -> ProviderNotFoundError:
    return ProviderNotFoundError(
        f"there is no sign-in provider {name!r:.60}", next_step="`flyball providers list` shows them"
    )


def _taken(name: str) -> NameTakenError:
    return NameTakenError(f"another sign-in provider has the name {name!r}", next_step="choose another name")
