"""Whether a browser's request was sent by one of our own pages.

A form's token is derived from the cookie that the browser holds (the session's, or before sign-in the visitor's), so
nothing is stored and a token of one session is worthless in another. Callers with a key, and the operating-system
user at the admin socket, are not browsers and need none.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from flyball.kit.secrets import new_token

from .cookies import session_token, set_visitor_cookie, visitor_token
from .errors import ForgedRequestError

FORM_FIELD = "csrf_token"
HEADER = "x-flyball-csrf"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def form_token(request: Request) -> str:
    """The token that a page's forms carry in the hidden field `csrf_token`, and its script in `x-flyball-csrf`.

    A browser without a session gets a visitor's cookie with this answer.
    """
    secret = session_token(request) or visitor_token(request) or request.scope.get("flyball.visitor", "")
    if not secret:
        secret = request.scope["flyball.visitor"] = new_token()
        set_visitor_cookie(request, secret)
    return _token(secret)


async def refuse_forgery(request: Request, *, by_cookie: bool) -> None:
    """Raise ForgedRequestError for a state-changing browser request that none of our pages sent.

    `/api` (and `/v1`, where telemetry is sent to) with a cookie needs the header or a matching Origin; a page's form needs its token, and an Origin that matches
    where there is one. Without a cookie it acts on the browser's behalf in nothing, beyond what its JSON body proves.
    """
    if request.method in _SAFE_METHODS:
        return
    refuse_other_origin(request)
    is_api = request.scope["path"].startswith(("/api/", "/v1/"))
    if is_api and (not by_cookie or "origin" in request.headers):
        return
    if not await _carries_token(request):
        raise ForgedRequestError(
            f"{request.method} {request.scope['path']} came without a valid form token",
            next_step=f"reload the page and send it again (a script sends the header {HEADER})",
        )


def refuse_other_origin(request: Request) -> None:
    """Raise ForgedRequestError for a state-changing request that a page of another site had a browser send."""
    if request.method in _SAFE_METHODS:
        return
    origin = request.headers.get("origin") or request.headers.get("referer", "")
    host = request.headers.get("host", "").lower()
    fetched_from = request.headers.get("sec-fetch-site", "same-origin")
    if (origin and urlsplit(origin).netloc.lower() != host) or fetched_from not in ("same-origin", "none"):
        raise ForgedRequestError(
            f"{request.method} {request.scope['path']} was sent by another site ({origin or fetched_from!r:.80})",
            next_step=f"send it from a page of {host}",
        )


async def _carries_token(request: Request) -> bool:
    given = request.headers.get(HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(FORMS):
        field = (await request.form()).get(FORM_FIELD, "")
        given = field if isinstance(field, str) else ""
    secret = session_token(request) or visitor_token(request)
    return bool(secret) and hmac.compare_digest(given.encode(), _token(secret).encode())


def _token(secret: str) -> str:
    return hmac.new(secret.encode(), b"flyball form token", hashlib.sha256).hexdigest()
