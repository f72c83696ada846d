"""Signing in by a provider: sending the browser there, judging what it brings back, and whose account that is here.

An account is known by the provider and its own name for it (`sub`), never by an e-mail address alone. Strangers are told that it did
not work; why stands in the log.
"""

import hmac
import logging
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Database
from flyball.infra.egress.client import Egress
from flyball.infra.secrets.hosts import host_of
from flyball.infra.secrets.references import Found, parse
from flyball.kit.clock import NANOSECONDS
from flyball.kit.secrets import Secret, hiding, new_token, token_hash
from flyball.projects import store
from flyball.secrets import service as secrets

from . import accounts, provider_store
from .errors import ProviderAwayError, SignInRefusedError
from .flows import LIFE_SECONDS, Flow, pack, unpack
from .group_roles import apply_groups
from .oidc import exchange, tokens
from .oidc.errors import ProviderAnswerError, TokenRefusedError
from .oidc.exchange import Asked, Client
from .oidc.metadata import Metadata, Providers
from .provider_records import Provider
from .records import SignedIn, Whence
from .sessions import mint, own
from .tries import of_address, tries_of

logger = logging.getLogger("flyball.identity")


class Begun(NamedTuple):
    """Where the browser goes, and the cookie that it keeps until it comes back."""

    address: str
    cookie: Secret


class Purpose(NamedTuple):
    """What a sign-in is for beyond itself: a page to see afterwards, a session to which the account is linked, an invitation."""

    next: str = ""
    session: Secret | None = None
    invitation: Secret | None = None


@hiding("code", "state", "cookie")
class Brought(NamedTuple):
    """What the browser brings back from a provider: the query of the address, and the cookie."""

    code: str
    state: str
    issuer: str
    error: str
    cookie: str


class Finished(NamedTuple):
    """A sign-in that succeeded. `signed_in` is None where an account was linked to a session that goes on."""

    signed_in: SignedIn | None
    next: str


async def begin(ctx: Context, name: str, redirect_uri: str, purpose: Purpose, whence: Whence) -> Begun:
    """Begin to sign in by a provider. Raises SignInRefusedError, ProviderAwayError, TooManySignInsError."""
    tries, here = tries_of(ctx.db.across_projects()), of_address(whence.address)
    tries.begin(ctx.clock.monotonic_ns(), here)
    provider = await _provider(ctx, name)
    session = (await own(ctx, purpose.session)).session.id if purpose.session else ""
    try:
        metadata = await providers_of(ctx).metadata(provider.issuer)
    except ProviderAnswerError as error:
        raise _away(provider, error) from None
    tries.succeeded(None, here)
    asked = Asked(redirect_uri, new_token(), new_token(), new_token(384))
    flow = Flow(
        provider=name,
        state=asked.state,
        nonce=asked.nonce,
        verifier=asked.verifier,
        redirect_uri=redirect_uri,
        expires_ns=ctx.clock.now_ns() + LIFE_SECONDS * NANOSECONDS,
        next=purpose.next,
        session=session,
        invitation=purpose.invitation.reveal() if purpose.invitation else "",
    )
    return Begun(exchange.address(metadata, provider.client_id, provider.scopes, asked), pack(flow))


async def finish(ctx: Context, name: str, brought: Brought, whence: Whence) -> Finished:
    """Judge what the browser brings back, and sign the member in whose account it is.

    Raises:
        SignInRefusedError: it proves nothing, or nobody here has this account; TooManySignInsError after too many of them.
        ProviderAwayError: the provider cannot be asked.
        IdentityTakenError: the account that was to be linked is another member's.
    """
    tries, here = tries_of(ctx.db.across_projects()), of_address(whence.address)
    tries.begin(ctx.clock.monotonic_ns(), here)
    provider = await _provider(ctx, name)
    inside = ctx.within(provider.project, ctx.actor)
    try:
        flow = _flow(ctx, name, brought)
        who = await _proven(inside, provider, flow, brought)
        finished = await _admit(inside, provider, flow, who, whence)
    except (SignInRefusedError, ProviderAwayError) as error:
        logger.warning("sign-in by %s refused: %s", name, error.message)
        await _record_refusal(inside, provider)
        raise
    tries.succeeded(None, here)
    return finished


def _flow(ctx: Context, name: str, brought: Brought) -> Flow:
    flow = unpack(brought.cookie, name, brought.state, ctx.clock.now_ns())
    if flow is None:
        raise SignInRefusedError(
            "this sign-in was not begun in this browser, or took too long", next_step="begin again"
        )
    return flow


async def sign_out_address(ctx: Context, name: str) -> str:
    """Where the browser signs out of the provider as well; empty where that cannot be said now."""
    try:
        provider = await _provider(ctx, name)
        metadata = await providers_of(ctx).metadata(provider.issuer)
    except (SignInRefusedError, ProviderAnswerError):
        return ""
    return exchange.sign_out_address(metadata, provider.client_id)


async def check(ctx: Context, provider: Provider) -> Metadata:
    """Ask a provider for its addresses and keys, and look its client secret up, now: for whoever declares it.

    Raises ProviderAwayError saying what is wrong.
    """
    try:
        metadata = await providers_of(ctx).metadata(provider.issuer, anew=True)
        await _client(ctx.within(provider.project, ctx.actor), provider, metadata)
    except ProviderAnswerError as error:
        raise ProviderAwayError(f"{provider.label}: {error.message}", next_step=error.next_step) from None
    return metadata


async def _provider(ctx: Context, name: str) -> Provider:
    async with ctx.db.across_projects().connection() as connection:
        provider = await provider_store.get_provider(connection, name)
    if provider is None:
        raise SignInRefusedError("there is no such way to sign in", next_step="choose one on the page of signing in")
    return provider


async def _proven(ctx: Context, provider: Provider, flow: Flow, brought: Brought) -> accounts.Account:
    """Whom the provider vouches for. Raises SignInRefusedError, ProviderAwayError."""
    providers = providers_of(ctx)
    try:
        metadata = await providers.metadata(provider.issuer)
        _check_answer(provider, metadata, brought)
        asked = Asked(flow.redirect_uri, flow.state, flow.nonce, flow.verifier)
        client = await _client(ctx, provider, metadata)
        told = await exchange.exchange(providers.egress, metadata, client, brought.code, asked)
        keys = await providers.keys(provider.issuer, tokens.key_name(told.id_token))
        expected = tokens.Expected(
            provider.issuer,
            provider.client_id,
            flow.nonce,
            ctx.clock.now_ns() // NANOSECONDS,
            told.access_token,
        )
        claims: dict[str, Any] = dict(tokens.verify(told.id_token, keys, expected))
        if "email" not in claims or (provider.groups_claim and provider.groups_claim not in claims):
            more = await exchange.user_info(providers.egress, metadata, told, claims["sub"])
            claims = {**more, **claims}
    except TokenRefusedError as error:
        logger.warning("%s: %s", provider.name, error.message)
        raise SignInRefusedError(
            f"what {provider.label} says proves nothing", next_step="begin again, or tell an owner of the organisation"
        ) from None
    except ProviderAnswerError as error:
        raise _away(provider, error) from None
    return accounts.account_of(provider, claims)


def _check_answer(provider: Provider, metadata: Metadata, brought: Brought) -> None:
    """Raise SignInRefusedError for an answer that is another provider's (RFC 9207), or is none."""
    if (brought.issuer or metadata.names_itself) and not hmac.compare_digest(
        brought.issuer.encode(), provider.issuer.encode()
    ):
        raise SignInRefusedError("this answer is another provider's", next_step="begin again")
    if brought.error or not 0 < len(brought.code) <= 4_096:
        raise SignInRefusedError(f"{provider.label} did not sign you in", next_step="begin again, or another way")


async def _client(ctx: Context, provider: Provider, metadata: Metadata) -> Client:
    """Who we are to the provider. Raises ProviderAnswerError where its secret is missing, or bound to another host."""
    if provider.client_auth == "none":
        return Client(provider.client_id, "none", None)
    async with ctx.db.connection() as connection:
        look_up = await secrets.look_up(connection, ctx, (provider.client_secret,))
    found = look_up(provider.client_secret)
    if not isinstance(found, Found):
        raise ProviderAnswerError(f"the client secret is missing: {found.reason}")
    if found.hosts is not None and host_of(metadata.token) not in found.hosts:
        raise ProviderAnswerError(
            f"the secret {parse(provider.client_secret)} is bound to {', '.join(found.hosts)}, "
            f"and the tokens are at {host_of(metadata.token)}",
            next_step="set the secret again with that host",
        )
    return Client(provider.client_id, provider.client_auth, found.secret)


async def _admit(ctx: Context, provider: Provider, flow: Flow, who: accounts.Account, whence: Whence) -> Finished:
    """In one transaction: the state is used up, the account is somebody's, groups count, a session begins."""
    now_ns = ctx.clock.now_ns()
    async with ctx.db.across_projects().transaction() as connection:
        if not await provider_store.use_state(connection, token_hash(flow.state), now_ns, flow.expires_ns):
            raise SignInRefusedError("this sign-in was finished already", next_step="begin again")
        if flow.session:
            await accounts.link(connection, ctx, provider, who, held=await _held(ctx, flow, whence))
            return Finished(None, "/account")
        member_id, known = await accounts.owner_of(connection, ctx, provider, who, invitation=flow.invitation)
        await apply_groups(connection, ctx, provider, member_id, who.groups)
        theirs = await store.projects_of(connection, member_id)
        member = await store.get_member_by_id(connection, theirs[0].id, member_id) if theirs else None
        if member is not None:
            signed_in = await mint(connection, ctx, member, f"provider {provider.name}", whence)
            return Finished(signed_in, flow.next)
        if not known:
            raise _has_no_project(provider)  # nobody was made
    raise _has_no_project(provider)  # what their groups took away stays taken


def _has_no_project(provider: Provider) -> SignInRefusedError:
    return SignInRefusedError(
        f"{provider.label} knows you, and no project here does", next_step="ask who invited you for a role"
    )


async def _held(ctx: Context, flow: Flow, whence: Whence) -> str:
    """The id of the member whose session began the linking, and is still the browser's."""
    found = await own(ctx, whence.held) if whence.held else None
    if found is None or found.session.id != flow.session:
        raise SignInRefusedError("another session began this", next_step="begin again on the page Account")
    return found.member.id


async def _record_refusal(ctx: Context, provider: Provider) -> None:
    async with ctx.db.transaction() as connection:
        await audit.record(connection, ctx, action="sessions.refuse", object_kind="provider", object_id=provider.name)


def _away(provider: Provider, error: ProviderAnswerError) -> ProviderAwayError:
    logger.warning("%s: %s", provider.name, error.message)
    return ProviderAwayError(
        f"{provider.label} cannot be used now", next_step="try again later, or tell an owner of the organisation"
    )


_PROVIDERS: WeakKeyDictionary[Database, Providers] = WeakKeyDictionary()


def providers_of(ctx: Context) -> Providers:
    """What this process has fetched of providers."""
    database = ctx.db.across_projects()
    found = _PROVIDERS.get(database)
    if found is None:
        found = _PROVIDERS[database] = Providers(Egress.of(ctx.settings), ctx.clock)
    return found
