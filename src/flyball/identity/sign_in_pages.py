"""Signing in and out, and one's own password, as pages. Parse, one verb, render."""

import re
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request

from flyball.kit.secrets import Secret
from flyball.surface.html import FormDep, Pages, See
from flyball.surface.http import AUTHENTICATED, PUBLIC, ContextDep, set_cookie
from flyball.surface.http.cookies import SESSION_COOKIE, session_token, set_session_cookie

from . import sign_in
from .errors import SignInRefusedError, TooManySignInsError, WeakPasswordError
from .records import Session

account_pages = Pages(tag="identity", section="/account")


class SignInPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/sign-in.html shows; `token` is that of a one-time link, or empty, `next` where to go afterwards."""

    token: str
    next: str


class AccountPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/account.html shows. `needs_current` where the session began with a password; passwords have `shortest` characters."""

    name: str
    needs_current: bool
    shortest: int
    is_member: bool
    sessions: tuple[Session, ...]
    own_session: str


@account_pages.get("/sign-in", permission=PUBLIC, template="identity/sign-in.html")
async def show_sign_in(next: str = "") -> SignInPage:  # noqa: A002 -- the name that it has in the address
    """The form for name and password; `next` is the page that was asked for."""
    return SignInPage(token="", next=_own_page(next))


@account_pages.get("/sign-in/{token}", permission=PUBLIC, template="identity/sign-in.html")
async def show_link(token: str) -> SignInPage:
    """A one-time link: it is used up by the button, not by looking, so that a preview of the link harms nothing."""
    return SignInPage(token=token, next="")


@account_pages.post("/sign-in", permission=PUBLIC)
async def do_sign_in(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Begin a session, by link or by password."""
    link = form.get("token", "")
    try:
        if link:
            signed_in = await sign_in.use_sign_in_link(ctx, Secret(link))
        else:
            signed_in = await sign_in.sign_in(ctx, form.get("name", ""), Secret(form.get("password", "")))
    except (SignInRefusedError, TooManySignInsError) as error:
        again = urlencode({"next": kept}) if (kept := _own_page(form.get("next", ""))) else ""
        return See(f"/sign-in?{again}" if again else "/sign-in", str(error), tone="bad")
    set_session_cookie(request, signed_in.token.reveal(), seconds=ctx.settings.session_hours * 3600)
    if link and not signed_in.member.has_password:
        return See("/account", "Signed in. Choose a password now: the link works only once.")
    return See(_own_page(form.get("next", "")) or "/")


def _own_page(address: str) -> str:
    """The address, if it is a page of ours: no other site's, however written; else nothing."""
    return address if re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", address) else ""


@account_pages.post("/sign-out", permission=AUTHENTICATED)
async def do_sign_out(request: Request, ctx: ContextDep) -> See:
    """End the session."""
    await sign_in.sign_out(ctx, Secret(session_token(request)))
    set_cookie(request, SESSION_COOKIE, "", seconds=0)
    return See("/sign-in", "Signed out.")


@account_pages.get("/account", permission=AUTHENTICATED, template="identity/account.html")
async def show_account(request: Request, ctx: ContextDep) -> AccountPage:
    """One's own password and sessions."""
    found = await sign_in.authenticate_session(ctx, Secret(session_token(request)))
    sessions = await sign_in.list_sessions(ctx) if found else ()
    return AccountPage(
        name=ctx.actor.name,
        needs_current=bool(found and found[1].method == "password"),
        shortest=sign_in.SHORTEST_PASSWORD,
        is_member=found is not None,
        sessions=tuple(session for session in sessions if session.member == ctx.actor.id),
        own_session=found[1].id if found else "",
    )


@account_pages.post("/account/password", permission=AUTHENTICATED)
async def set_password(request: Request, ctx: ContextDep, form: FormDep) -> See:
    """Set one's password; every other session of the member ends."""
    if form.get("password", "") != form.get("again", ""):
        return See("/account", "The two passwords differ.", tone="bad")
    current = Secret(form["current"]) if form.get("current") else None
    try:
        signed_in = await sign_in.set_password(
            ctx, Secret(session_token(request)), Secret(form.get("password", "")), current
        )
    except (SignInRefusedError, TooManySignInsError, WeakPasswordError) as error:
        return See("/account", str(error), tone="bad")
    set_session_cookie(request, signed_in.token.reveal(), seconds=ctx.settings.session_hours * 3600)
    return See("/account", "The password is set; every other session has ended.")
