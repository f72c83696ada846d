"""One's own account as pages: project, password, second factor, sessions, accounts with providers. Parse, one verb, render."""

import msgspec
import segno
from starlette.requests import Request

from flyball.kit.errors import FlyballError
from flyball.kit.secrets import Secret, hiding
from flyball.projects import tenants
from flyball.projects.records import Project
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import AUTHENTICATED, ContextDep, set_cookie
from flyball.surface.http.cookies import clear_session_cookie

from . import flows, providers, second_factor, sessions, sign_in, single_sign_on
from .browser import FLOW_COOKIE, held, keep_session, whence
from .provider_records import Identity
from .records import Session
from .second_factor import Enrolment, FactorState
from .sign_in_pages import redirect_uri
from .single_sign_on import Purpose

pages = Pages(tag="identity", section="/account")


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/account.html shows. `needs_current`: who changes how they sign in gives their password; one has `shortest` characters."""

    name: str
    project: str
    projects: tuple[Project, ...]
    is_member: bool
    owes_factor: bool
    needs_current: bool
    shortest: int
    factor: FactorState | None
    sessions: tuple[Session, ...]
    own_session: str
    identities: tuple[Identity, ...]
    linkable: tuple[tuple[str, str], ...]


@hiding("typed", "picture", "codes")
class FactorPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/second-factor.html shows: a secret that waits for its first code, or recovery codes just made."""

    typed: str = ""
    picture: str = ""
    codes: tuple[str, ...] = ()


@hiding("address")
class AwayPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/to-provider.html shows: the way to a provider, to which no form of ours may lead."""

    name: str
    address: str


@pages.get("/account", permission=AUTHENTICATED, template="identity/account.html")
async def show_account(request: Request, ctx: ContextDep) -> AccountPage:
    """All about oneself."""
    found = await sessions.authenticate(ctx, held(request))
    theirs = await tenants.list_projects(ctx) if found else ()
    known = await providers.list_own_identities(ctx) if found else ()
    offered = await providers.list_providers(ctx) if found else ()
    return AccountPage(
        name=ctx.actor.name,
        project=ctx.project,
        projects=theirs,
        is_member=found is not None,
        owes_factor=found is not None and found.restricted,
        needs_current=found is not None and sign_in.needs_current(found.member, found.session),
        shortest=sign_in.SHORTEST_PASSWORD,
        factor=await second_factor.state(ctx, held(request)) if found else None,
        sessions=await sessions.list_own(ctx) if found else (),
        own_session=found.session.id if found else "",
        identities=known,
        linkable=tuple(
            (one.name, one.label) for one in offered if all(one.id != identity.provider for identity in known)
        ),
    )


@pages.post("/account/project", permission=AUTHENTICATED)
async def switch_project(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Act in another of one's projects from now on."""
    found = await sessions.switch_project(ctx, held(request), form.get("project", ""))
    keep_session(request, ctx, found)
    return See("/", "You act in another project now.")


@pages.post("/account/password", permission=AUTHENTICATED)
async def set_password(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Set one's password; every other session of the member ends."""
    if form.get("password", "") != form.get("again", ""):
        return See("/account", "The two passwords differ.", tone="bad")
    try:
        found = await sign_in.set_password(ctx, held(request), Secret(form.get("password", "")), _current(form))
    except FlyballError as error:
        return _bad(error)
    keep_session(request, ctx, found)
    return See("/account", "The password is set; every other session has ended.")


@pages.post("/account/second-factor", permission=AUTHENTICATED)
async def begin_factor(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Begin to set a second factor up."""
    try:
        await second_factor.begin(ctx, held(request), _current(form))
    except FlyballError as error:
        return _bad(error)
    return See("/account/second-factor")


@pages.get("/account/second-factor", permission=AUTHENTICATED, template="identity/second-factor.html")
async def show_factor(request: Request, ctx: ContextDep) -> FactorPage | See:
    """The secret that waits for its first code, as a picture and as letters."""
    enrolment = await second_factor.pending(ctx, held(request))
    return _shown(enrolment) if enrolment else See("/account")


def _shown(enrolment: Enrolment) -> FactorPage:
    picture = segno.make(enrolment.address.reveal(), error="m", micro=False)
    typed = enrolment.typed.reveal()
    return FactorPage(
        typed=" ".join(typed[at : at + 4] for at in range(0, len(typed), 4)),
        picture=picture.svg_data_uri(scale=5, dark="#000", light="#fff", border=4),
    )


@pages.post("/account/second-factor/confirmation", permission=AUTHENTICATED, template="identity/second-factor.html")
async def confirm_factor(request: Request, ctx: ContextDep, form: FormDep) -> FactorPage | See:
    """Turn the second factor on by its first code, and show the recovery codes, in this one answer."""
    try:
        confirmed = await second_factor.confirm(ctx, held(request), form.get("code", ""))
    except FlyballError as error:
        return See("/account/second-factor", str(error), tone="bad")
    keep_session(request, ctx, confirmed.signed_in)
    return FactorPage(codes=tuple(code.reveal() for code in confirmed.recovery_codes))


@pages.post("/account/second-factor/recovery-codes", permission=AUTHENTICATED, template="identity/second-factor.html")
async def renew_codes(request: Request, ctx: ContextDep, form: FormDep) -> FactorPage | See:
    """Make new recovery codes, and show them, in this one answer."""
    try:
        codes = await second_factor.renew_recovery_codes(ctx, held(request), form.get("code", ""))
    except FlyballError as error:
        return _bad(error)
    return FactorPage(codes=tuple(code.reveal() for code in codes))


@pages.post("/account/second-factor/removal", permission=AUTHENTICATED)
async def remove_factor(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Turn the second factor off."""
    try:
        found = await second_factor.turn_off(ctx, held(request), form.get("code", ""), _current(form))
    except FlyballError as error:
        return _bad(error)
    keep_session(request, ctx, found)
    return See("/account", "The second factor is off.")


@pages.post("/account/sessions/{session_id}/revocation", permission=AUTHENTICATED)
async def end_session(ctx: ContextDep, session_id: str) -> See:
    """End one of one's own sessions."""
    try:
        await sessions.revoke_own(ctx, session_id)
    except FlyballError as error:
        return _bad(error)
    return See("/account", "That session has ended.")


@pages.post("/account/sign-out-everywhere", permission=AUTHENTICATED)
async def sign_out_everywhere(request: Request, ctx: ContextDep) -> See:
    """End every session of one's own, this one too."""
    await sessions.sign_out_everywhere(ctx)
    clear_session_cookie(request)
    return See("/sign-in", "Signed out everywhere.")


@pages.post("/account/identities", permission=AUTHENTICATED, template="identity/to-provider.html")
async def link_provider(request: Request, ctx: ContextDep, form: FormDep) -> AwayPage | See:
    """Begin to link an account with a provider, by password and code: it counts for this session alone."""
    name = form.get("provider", "")
    purpose = Purpose("/account", held(request))
    try:
        await second_factor.prove_for_linking(ctx, held(request), form.get("code", ""), _current(form))
        begun = await single_sign_on.begin(ctx, name, redirect_uri(request, ctx, name), purpose, whence(request))
    except FlyballError as error:
        return _bad(error)
    set_cookie(request, FLOW_COOKIE, begun.cookie.reveal(), flows.LIFE_SECONDS)
    return AwayPage(name=name, address=begun.address)


@pages.post("/account/identities/{name}/removal", permission=AUTHENTICATED)
async def unlink_provider(ctx: ContextDep, name: str) -> See:
    """Sign in by a provider no more."""
    try:
        await providers.forget_own_identity(ctx, name)
    except FlyballError as error:
        return _bad(error)
    return See("/account", "That account is not linked any more.")


def _current(form: dict[str, str]) -> Secret | None:
    return Secret(form["current"]) if form.get("current") else None


def _bad(error: FlyballError) -> See:
    return See("/account", str(error), tone="bad")
