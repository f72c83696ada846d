"""One sentence that survives a redirect ("The key was revoked."): in a cookie for one page, shown once, then forgotten."""

import base64

import msgspec
from starlette.requests import Request

from flyball.surface.http import set_cookie

_COOKIE = "flyball_notice"
_TONES = ("", "good", "bad", "warn")


def leave(request: Request, text: str, tone: str) -> None:
    """Have the next page show it."""
    packed = base64.urlsafe_b64encode(msgspec.json.encode((text[:300], tone))).decode().rstrip("=")
    set_cookie(request, _COOKIE, packed, seconds=60)


def take(request: Request) -> tuple[str, str]:
    """The sentence that the last answer left, and its tone; both empty where there is none or it is not ours."""
    packed = request.cookies.get(_COOKIE, "")
    if not packed:
        return "", ""
    set_cookie(request, _COOKIE, "", seconds=0)
    try:
        text, tone = msgspec.json.decode(
            base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)), type=tuple[str, str]
        )
    except (ValueError, msgspec.MsgspecError):
        return "", ""
    return text, tone if tone in _TONES else ""
