"""The two cookies: a session, and an anonymous visitor's (so that forms before sign-in are protected too).

Both are HttpOnly, SameSite=Lax, and Secure where the settings mean HTTPS or the browser came by it. Neither is readable by a script.
"""

from http.cookies import SimpleCookie

from starlette.requests import HTTPConnection

SESSION_COOKIE = "flyball_session"
VISITOR_COOKIE = "flyball_visitor"
HTTPS = "flyball.https"  # in the scope: that the settings mean HTTPS; the shield writes it


def set_session_cookie(request: HTTPConnection, token: str, *, seconds: int) -> None:
    """Have this request's answer keep the session in the browser."""
    set_cookie(request, SESSION_COOKIE, token, seconds)


def clear_session_cookie(request: HTTPConnection) -> None:
    """Have this request's answer forget the session in the browser."""
    set_cookie(request, SESSION_COOKIE, "", 0)


def set_visitor_cookie(request: HTTPConnection, token: str) -> None:
    """Have this request's answer recognise an anonymous browser for a day."""
    set_cookie(request, VISITOR_COOKIE, token, 86_400)


def session_token(request: HTTPConnection) -> str:
    """The session that the browser presents, or an empty string."""
    return request.cookies.get(SESSION_COOKIE, "")


def visitor_token(request: HTTPConnection) -> str:
    """The visitor that the browser presents, or an empty string."""
    return request.cookies.get(VISITOR_COOKIE, "")


def came_by_https(request: HTTPConnection) -> bool:
    """Whether the browser's own connection is encrypted, here or at the proxy in front.

    What the settings mean counts first: a proxy that is not listed is not believed, and a browser that follows a link says nothing.
    A browser's form says itself where it came from, and has no reason to lie.
    """
    if request.scope.get(HTTPS, False):
        return True
    said = (request.headers.get("x-forwarded-proto", ""), request.headers.get("origin", "").partition("://")[0])
    return request.url.scheme == "https" or "https" in said


def set_cookie(request: HTTPConnection, name: str, value: str, seconds: int) -> None:
    """Have this request's answer set a cookie that no script can read; 0 seconds forget it."""
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    morsel = cookie[name]
    morsel["path"] = "/"
    morsel["max-age"] = seconds
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"
    if came_by_https(request):
        morsel["secure"] = True
    request.scope.setdefault("flyball.cookies", {})[name] = morsel.OutputString()  # the shield sends them
