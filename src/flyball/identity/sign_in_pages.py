"""Signing in and out as pages: by link, password, code, provider, invitation. Parse, one verb, render."""

from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse

from flyball.kit.errors import FlyballError
from flyball.kit.names import LONGEST
from flyball.kit.secrets import Secret, hiding
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import AUTHENTICATED, PUBLIC, ContextDep, set_cookie
from flyball.surface.http.cookies import clear_session_cookie

from . import flows, invitations, providers, second_factor, sessions, sign_in, single_sign_on
from .browser import (
    FLOW_COOKIE,
    STEP_COOKIE,
    Landing,
    forget,
    held,
    keep_session,
    keep_step,
    own_address,
    own_page,
    whence,
)
from .invitation_records import Invitation
from .provider_records import Provider
from .records import SignedIn, Step
from .single_sign_on import Brought, Purpose

pages = Pages(tag="identity", section="/account")


@hiding("href")
class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in provider as a link."""

    label: str
    href: str


@hiding("token")
class SignInPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/sign-in.html shows; `token` is that of a one-time link, or empty, `next` where to go afterwards.

    `organisation` is whose page it is, empty for the operator's; `beyond`: other organisations have pages of their own.
    """

    token: str
    next: str
    buttons: tuple[Button, ...]
    organisation: str = ""
    beyond: bool = False


class CodePage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/code.html shows: the second half of a sign-in; `next` is where to go afterwards."""

    next: str


@hiding("token")
class InvitationPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/invitation.html shows; `name` is what was filled in, `wrong` what is wrong with it."""

    token: str
    invitation: Invitation
    shortest: int
    buttons: tuple[Button, ...]
    name: str = ""
    wrong: str = ""


class SignedOutPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/signed-out.html shows; `address` is where one signs out of the provider as well, `back` where in again."""

    label: str
    address: str
    back: str


@pages.get("/sign-in", permission=PUBLIC, template="identity/sign-in.html")
async def show_sign_in(ctx: ContextDep, next: str = "") -> SignInPage:  # noqa: A002 -- the name that it has in the address
    """The form for name and password, and the operator's providers; `next` is the page that was asked for."""
    kept = own_page(next)
    shown = await providers.list_shown(ctx)
    return SignInPage(token="", next=kept, buttons=_buttons(shown.providers, _query(kept)), beyond=shown.beyond)


def _query(kept: str) -> dict[str, str]:
    return {"next": kept} if kept else {}


def _buttons(shown: tuple[Provider, ...], query: dict[str, str]) -> tuple[Button, ...]:
    asked = f"?{urlencode(query)}" if query else ""
    return tuple(Button(label=one.label, href=f"/sign-in/with/{one.name}{asked}") for one in shown)


@pages.post("/sign-in", permission=PUBLIC)
async def do_sign_in(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Begin a session, by link or by password; or half of one, where a code is owed."""
    link, kept = form.get("token", ""), own_page(form.get("next", ""))
    try:
        if link:
            found = await sign_in.use_sign_in_link(ctx, Secret(link), whence(request))
        else:
            name, password = form.get("name", ""), Secret(form.get("password", ""))
            found = await sign_in.sign_in(ctx, name, password, whence(request))
    except FlyballError as error:
        return _back(error, kept)
    if isinstance(found, Step):
        keep_step(request, found)
        return See(_with_next("/sign-in/code", kept))
    landing = await _land(request, ctx, found, kept)
    if link and not found.member.has_password and landing.path != "/account":
        return See("/account", "Signed in. Choose a password now: the link works only once.")
    return See(*landing)


@pages.get("/sign-in/code", permission=PUBLIC, template="identity/code.html")
async def show_code(next: str = "") -> CodePage:  # noqa: A002 -- the name that it has in the address
    """The form for the second factor's code."""
    return CodePage(next=own_page(next))


@pages.post("/sign-in/code", permission=PUBLIC)
async def do_code(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Finish half a sign-in by a code."""
    kept = own_page(form.get("next", ""))
    step = Secret(request.cookies.get(STEP_COOKIE, ""))
    try:
        found = await second_factor.finish_sign_in(ctx, step, form.get("code", ""), whence(request))
    except FlyballError as error:
        return See(_with_next("/sign-in/code", kept), str(error), tone="bad")
    forget(request, STEP_COOKIE)
    return See(*await _land(request, ctx, found, kept))


@pages.get("/sign-in/to", permission=PUBLIC)
async def find_organisation(organisation: str = "", next: str = "") -> See:  # noqa: A002 -- the name that it has in the address
    """The way to the page of an organisation whose name somebody typed; it tells nobody whether there is one."""
    return See(_with_next(providers.page_of(organisation.strip()[:LONGEST]), own_page(next)))


@pages.get("/sign-in/to/{organisation}", permission=PUBLIC, template="identity/sign-in.html")
async def show_organisation(ctx: ContextDep, organisation: str, next: str = "") -> SignInPage:  # noqa: A002 -- as above
    """The same form, with the providers of an organisation; of one without any, nothing is said."""
    kept = own_page(next)
    shown = await providers.list_shown(ctx, organisation)
    name = organisation if shown.providers else ""
    return SignInPage(
        token="", next=kept, buttons=_buttons(shown.providers, _query(kept)), organisation=name, beyond=True
    )


@pages.get("/sign-in/{token}", permission=PUBLIC, template="identity/sign-in.html")
async def show_link(token: str) -> SignInPage:
    """A one-time link: it is used up by the button, not by looking, so that a preview of the link harms nothing."""
    return SignInPage(token=token, next="", buttons=())


@pages.get("/sign-in/with/{name}", permission=PUBLIC)
async def begin_with_provider(
    request: Request,
    ctx: ContextDep,
    name: str,
    next: str = "",  # noqa: A002 -- the name that it has in the address
    invitation: str = "",
) -> RedirectResponse | See:
    """Send the browser to a provider. It changes nothing here: what comes back counts in this browser alone."""
    purpose = Purpose(own_page(next), None, Secret(invitation) if invitation else None)
    try:
        begun = await single_sign_on.begin(ctx, name, redirect_uri(request, ctx, name), purpose, whence(request))
    except FlyballError as error:
        return _back(error, purpose.next, await providers.shown_at(ctx, name))
    set_cookie(request, FLOW_COOKIE, begun.cookie.reveal(), flows.LIFE_SECONDS)
    return RedirectResponse(begun.address, status_code=303)


def redirect_uri(request: Request, ctx: ContextDep, name: str) -> str:
    """Where a provider sends browsers back to: ours, one per provider."""
    return f"{own_address(request, ctx)}/sign-in/with/{name}/return"


@pages.get("/sign-in/with/{name}/return", permission=PUBLIC)
async def return_from_provider(request: Request, ctx: ContextDep, name: str) -> See:
    """Judge what the browser brings from a provider, and sign in."""
    told = request.query_params
    if any(len(told.getlist(each)) > 1 for each in ("code", "state", "iss", "error")):
        return See("/sign-in", "This answer says two things at once.", tone="bad")
    brought = Brought(
        told.get("code", ""),
        told.get("state", ""),
        told.get("iss", ""),
        told.get("error", ""),
        request.cookies.get(FLOW_COOKIE, ""),
    )
    forget(request, FLOW_COOKIE)
    try:
        finished = await single_sign_on.finish(ctx, name, brought, whence(request))
    except FlyballError as error:
        return _back(error, "", await providers.shown_at(ctx, name))
    if finished.signed_in is None:
        return See(finished.next, "From now on you can sign in by this account.")
    return See(*await _land(request, ctx, finished.signed_in, own_page(finished.next)))


@pages.get("/invitations/{token}", permission=PUBLIC, template="identity/invitation.html")
async def show_invitation(request: Request, ctx: ContextDep, token: str) -> InvitationPage | See:
    """What a link invites to; looking uses nothing up."""
    try:
        return await _invitation(request, ctx, token)
    except FlyballError as error:
        return _back(error, "")


@pages.post("/invitations/{token}", permission=PUBLIC, template="identity/invitation.html")
async def accept_invitation(request: Request, ctx: ContextDep, token: str, form: FormDep) -> InvitationPage | See:
    """Become a member, by a name and a password."""
    name, password = form.get("name", ""), form.get("password", "")
    try:
        shown = await _invitation(request, ctx, token)
    except FlyballError as error:
        return _back(error, "")
    if password != form.get("again", ""):
        return msgspec.structs.replace(shown, name=name, wrong="The two passwords differ.")
    try:
        found = await invitations.accept(ctx, Secret(token), name, Secret(password), whence(request))
    except FlyballError as error:
        return msgspec.structs.replace(shown, name=name, wrong=str(error))
    return See(*await _land(request, ctx, found, ""))


async def _invitation(request: Request, ctx: ContextDep, token: str) -> InvitationPage:
    found = await invitations.look_at(ctx, Secret(token), whence(request))
    theirs = await providers.list_of_project(ctx, found.project)
    return InvitationPage(
        token=token,
        invitation=found,
        shortest=sign_in.SHORTEST_PASSWORD,
        buttons=_buttons(theirs, {"invitation": token}),
    )


@pages.post("/sign-out", permission=AUTHENTICATED)
async def do_sign_out(request: Request, ctx: ContextDep) -> See:
    """End the session."""
    ended = await sessions.sign_out(ctx, held(request))
    clear_session_cookie(request)
    if ended is not None and ended.by_provider:
        return See(f"/signed-out/{ended.method.removeprefix('provider ')}")
    return See("/sign-in", "Signed out.")


@pages.get("/signed-out/{name}", permission=PUBLIC, template="identity/signed-out.html")
async def show_signed_out(ctx: ContextDep, name: str) -> SignedOutPage | See:
    """That one is signed out here and may still be at the provider, and the way out there."""
    provider = await providers.find_shown(ctx, name)
    address = await single_sign_on.sign_out_address(ctx, name) if provider else ""
    back = await providers.shown_at(ctx, name)
    if provider is None or not address:
        return See(back, "Signed out.")
    return SignedOutPage(label=provider.label, address=address, back=back)


async def _land(request: Request, ctx: ContextDep, found: SignedIn, kept: str) -> Landing:
    """Keep the session, and say where to go: to the account alone, while a second factor is owed."""
    keep_session(request, ctx, found)
    state = await second_factor.state(ctx, found.token)
    if state.required and not state.on and not found.session.by_provider:
        return Landing("/account", "Signed in. This server requires a second factor: set it up now.")
    return Landing(kept or "/")


def _back(error: FlyballError, kept: str, path: str = "/sign-in") -> See:
    return See(_with_next(path, kept), str(error), tone="bad")


def _with_next(path: str, kept: str) -> str:
    return f"{path}?{urlencode({'next': kept})}" if kept else path
