"""The HTTP face of sign-in providers: parse, one verb, answer. A client's secret is a reference here, never a value."""

import msgspec
from starlette.requests import Request

from flyball.surface.http import Body, ContextDep, Router

from . import providers, single_sign_on
from .browser import own_address
from .provider_records import Provider, ProviderWish

router = Router("/api", tag="identity")


class Providers(msgspec.Struct, frozen=True, kw_only=True):
    """The organisation's sign-in providers."""

    items: tuple[Provider, ...]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """That a provider answers as it has to. `redirect_uri` is what has to be registered there."""

    provider: str
    authorization_endpoint: str
    token_endpoint: str
    redirect_uri: str


@router.get("/providers", permission="providers.read", returns=Providers)
async def list_providers(ctx: ContextDep) -> Providers:
    """The organisation's sign-in providers by name."""
    return Providers(items=await providers.list_providers(ctx))


@router.get("/providers/{name}", permission="providers.read", returns=Provider)
async def show_provider(ctx: ContextDep, name: str) -> Provider:
    """One sign-in provider."""
    return await providers.get_provider(ctx, name)


@router.put("/providers/{name}", permission="providers.write", returns=Provider)
async def set_provider(ctx: ContextDep, name: str, wish: ProviderWish = Body(ProviderWish)) -> Provider:
    """Declare a sign-in provider, or change one; for owners of the organisation."""
    return await providers.set_provider(ctx, name, wish)


@router.delete("/providers/{name}", permission="providers.write", returns=Provider)
async def remove_provider(ctx: ContextDep, name: str) -> Provider:
    """Take a sign-in provider out of use; for owners of the organisation."""
    return await providers.remove_provider(ctx, name)


@router.get("/providers/{name}/check", permission="providers.write", returns=Checked)
async def check_provider(request: Request, ctx: ContextDep, name: str) -> Checked:
    """Ask the provider for its addresses and keys, now, and look its client secret up."""
    metadata = await single_sign_on.check(ctx, await providers.get_provider(ctx, name))
    return Checked(
        provider=name,
        authorization_endpoint=metadata.authorization,
        token_endpoint=metadata.token,
        redirect_uri=f"{own_address(request, ctx)}/sign-in/with/{name}/return",
    )
