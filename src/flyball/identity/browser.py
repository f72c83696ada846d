"""What the pages and the API of this room ask of a request: where it comes from, our own address, pages of ours. Knows cookies."""

import re
from typing import NamedTuple

from starlette.requests import Request

from flyball.infra.context import Context
from flyball.kit.secrets import Secret
from flyball.surface.http.cookies import came_by_https, session_token, set_cookie, set_session_cookie

from .records import SignedIn, Step, Whence
from .sign_in import STEP_SECONDS

STEP_COOKIE = "flyball_step"
FLOW_COOKIE = "flyball_sign_in"
_OWN_PAGE = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


class Landing(NamedTuple):
    """Where a browser goes after a form: a page, and what it says there."""

    path: str
    notice: str = ""


def whence(request: Request) -> Whence:
    """Where somebody signs in from. The address is the gateway's word, which no caller can say."""
    held = session_token(request)
    return Whence(
        request.headers.get("x-forwarded-for", ""),
        request.headers.get("user-agent", ""),
        Secret(held) if held else None,
    )


def held(request: Request) -> Secret:
    """The session that the browser presents, or an empty one."""
    return Secret(session_token(request))


def own_page(address: str) -> str:
    """The address, if it is a page of ours: no other site's, however written; else nothing."""
    return address if len(address) <= 2_000 and _OWN_PAGE.fullmatch(address) else ""


def own_address(request: Request, ctx: Context) -> str:
    """Our own address as scheme://host: as the settings say, else as this request names it, which the shield has checked."""
    if ctx.settings.public_url:
        return ctx.settings.public_url.rstrip("/")
    return f"{'https' if came_by_https(request) else 'http'}://{request.headers['host']}"


def keep_session(request: Request, ctx: Context, signed_in: SignedIn) -> None:
    """Have this request's answer keep the session in the browser."""
    set_session_cookie(request, signed_in.token.reveal(), seconds=ctx.settings.session_hours * 3_600)


def keep_step(request: Request, step: Step) -> None:
    """Have this request's answer keep half a sign-in in the browser."""
    set_cookie(request, STEP_COOKIE, step.token.reveal(), STEP_SECONDS)


def forget(request: Request, name: str) -> None:
    """Have this request's answer forget a cookie."""
    set_cookie(request, name, "", 0)
