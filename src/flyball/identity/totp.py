"""Codes from time, after RFC 6238 with its defaults: HMAC-SHA-1, six digits, thirty seconds. Knows no member and no clock."""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

from flyball.kit.clock import NANOSECONDS

_STEP_SECONDS = 30
_DIGITS = 6
_SECRET_BYTES = 20
_AROUND = (0, -1, 1)  # clocks of telephones differ, and typing takes its time
ISSUER = "flyball"


def new_secret() -> bytes:
    """160 random bits, as RFC 4226 asks for."""
    return secrets.token_bytes(_SECRET_BYTES)


def step_at(now_ns: int) -> int:
    """The number of the time step."""
    return now_ns // (_STEP_SECONDS * NANOSECONDS)


def code_of(secret: bytes, step: int) -> str:
    """The code of a time step."""
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)


def matching_step(secret: bytes, code: str, now_ns: int) -> int | None:
    """The step around now whose code this is; None where it is none of theirs. Looks at all of them, whichever fits."""
    now = step_at(now_ns)
    fitting = [now + more for more in _AROUND if hmac.compare_digest(code_of(secret, now + more), code)]
    return max(fitting) if fitting else None


def is_code(text: str) -> bool:
    """Whether this reads as such a code."""
    return len(text) == _DIGITS and text.isascii() and text.isdigit()


def written(secret: bytes) -> str:
    """The secret as people type it into their application."""
    return base64.b32encode(secret).decode().rstrip("=")


def address(secret: bytes, name: str) -> str:
    """The `otpauth:` address that applications read from a picture."""
    query = urlencode({"secret": written(secret), "issuer": ISSUER})
    return f"otpauth://totp/{quote(f'{ISSUER}:{name}', safe=':')}?{query}"
