"""The sign-in providers as pages: the list, and one provider as a form. Parse, one verb, render; a secret is a reference here."""

import re
from typing import cast

import msgspec
from starlette.requests import Request

from flyball.infra.context import Context
from flyball.kit.errors import FlyballError
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import ContextDep

from . import providers, single_sign_on
from .browser import own_address
from .provider_records import ClientAuth, GroupRole, Joining, Provider, ProviderWish
from .sign_in_pages import redirect_uri

pages = Pages(tag="identity", section="/providers")
_WORDS = re.compile(r"[,\s]+")
_ROUTE = re.compile(r"(?P<group>.+?)\s*->\s*(?P<project>.+?)\s*:\s*(?P<role>[^:]+)")


class ProviderList(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/providers.html shows."""

    providers: tuple[Provider, ...]
    may_write: bool


class ProviderForm(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/provider.html shows: a provider, declared or new, as it was filled in; `wrong` is what is wrong with it.

    `button_at` is the address of the page on which its button is.
    """

    name: str
    declared: bool
    may_write: bool
    redirect_uri: str
    button_at: str
    filled: dict[str, str]
    wrong: str = ""


@pages.get("/providers", permission="providers.read", template="identity/providers.html")
async def list_providers(ctx: ContextDep) -> ProviderList:
    """Who signs the organisation's members in."""
    return ProviderList(providers=await providers.list_providers(ctx), may_write=ctx.actor.may("providers.write"))


@pages.get("/providers/new", permission="providers.write", template="identity/provider.html")
async def new_provider(request: Request, ctx: ContextDep) -> ProviderForm:
    """An empty form."""
    filled = {"scopes": "openid email profile", "client_auth": "basic", "joining": "invited", "shown": "yes"}
    return await _form(request, ctx, "", filled)


async def _form(
    request: Request, ctx: Context, name: str, filled: dict[str, str], *, declared: bool = False, wrong: str = ""
) -> ProviderForm:
    return ProviderForm(
        name=name,
        declared=declared,
        may_write=ctx.actor.may("providers.write"),
        redirect_uri=redirect_uri(request, ctx, name or "NAME"),
        button_at=own_address(request, ctx) + await providers.own_page(ctx),
        filled=filled,
        wrong=wrong,
    )


@pages.get("/providers/{name}", permission="providers.read", template="identity/provider.html")
async def show_provider(request: Request, ctx: ContextDep, name: str) -> ProviderForm:
    """One provider."""
    provider = await providers.get_provider(ctx, name)
    return await _form(request, ctx, name, _filled(provider), declared=True)


@pages.post("/providers", permission="providers.write", template="identity/provider.html")
async def set_provider(request: Request, ctx: ContextDep, form: FormDep) -> ProviderForm | See:
    """Declare a provider, or change one."""
    name = form.get("name", "")
    try:
        provider = await providers.set_provider(ctx, name, _wish(form))
    except FlyballError as error:
        return await _form(request, ctx, name, form, declared=form.get("declared") == "yes", wrong=str(error))
    return See(f"/providers/{provider.name}", f"{provider.label} is declared.")


@pages.get("/providers/{name}/check", permission="providers.write")
async def check_provider(ctx: ContextDep, name: str) -> See:
    """Ask the provider for its addresses and keys, now."""
    try:
        provider = await providers.get_provider(ctx, name)
    except FlyballError as error:
        return See("/providers", str(error), tone="bad")
    try:
        metadata = await single_sign_on.check(ctx, provider)
    except FlyballError as error:
        return See(f"/providers/{provider.name}", str(error), tone="bad")
    return See(
        f"/providers/{provider.name}", f"It answers as it has to; browsers are sent to {metadata.authorization}."
    )


@pages.post("/providers/{name}/removal", permission="providers.write")
async def remove_provider(ctx: ContextDep, name: str) -> See:
    """Take a provider out of use."""
    try:
        provider = await providers.remove_provider(ctx, name)
    except FlyballError as error:
        return See("/providers", str(error), tone="bad")
    return See("/providers", f"{provider.label} signs nobody in any more.")


def _wish(form: dict[str, str]) -> ProviderWish:
    return ProviderWish(
        issuer=form.get("issuer", ""),
        client_id=form.get("client_id", ""),
        label=form.get("label", ""),
        client_secret=form.get("client_secret", ""),
        client_auth=cast("ClientAuth", _one_of(form.get("client_auth", ""), "basic", "post", "none")),
        scopes=_words(form.get("scopes", "")),
        groups_claim=form.get("groups_claim", ""),
        groups=tuple(_route(line) for line in form.get("groups", "").splitlines() if line.strip()),
        domains=_words(form.get("domains", "")),
        joining=cast("Joining", _one_of(form.get("joining", ""), "invited", "anybody")),
        link_by_email=form.get("link_by_email") == "yes",
        enforced=form.get("enforced") == "yes",
        shown=form.get("shown") == "yes",
    )


def _one_of(text: str, *words: str) -> str:
    return text if text in words else words[0]


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, _WORDS.split(text)))


def _route(line: str) -> GroupRole:
    match = _ROUTE.fullmatch(line.strip())
    return providers.group_role(match.groupdict() if match else None, line)


def _filled(provider: Provider) -> dict[str, str]:
    plain = ("label", "issuer", "client_id", "client_secret", "client_auth", "groups_claim", "joining")
    marks = ("link_by_email", "enforced", "shown")
    return {
        **{name: getattr(provider, name) for name in plain},
        **{name: "yes" if getattr(provider, name) else "no" for name in marks},
        "scopes": " ".join(provider.scopes),
        "domains": " ".join(provider.domains),
        "groups": "\n".join(f"{one.group} -> {one.project}: {one.role}" for one in provider.groups),
    }
