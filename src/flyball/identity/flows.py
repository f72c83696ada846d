"""A sign-in that is under way at a provider: what the browser has to bring back, kept in the browser itself and signed.

The key is this process's own: a restart ends what is under way. Knows no provider and no member.
"""

import base64
import hashlib
import hmac
import secrets

import msgspec

from flyball.kit.clock import NANOSECONDS
from flyball.kit.secrets import Secret, hiding

LIFE_SECONDS = 600
_KEY = secrets.token_bytes(32)
_LONGEST = 4_000  # of a cookie


@hiding("state", "nonce", "verifier", "invitation")
class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in under way. `session` is the one to which an account is to be linked, `invitation` the token of one."""

    provider: str
    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    expires_ns: int
    next: str = ""
    session: str = ""
    invitation: str = ""


def pack(flow: Flow) -> Secret:
    """The cookie's value."""
    told = base64.urlsafe_b64encode(msgspec.json.encode(flow)).decode()
    return Secret(f"{told}.{_signature(told)}")


def unpack(packed: str, provider: str, state: str, now_ns: int) -> Flow | None:
    """The sign-in to which this state belongs; None for a cookie that is not ours, another's state or provider, or one that is over."""
    told, _, signature = packed.partition(".")
    if len(packed) > _LONGEST or not hmac.compare_digest(signature.encode(), _signature(told).encode()):
        return None
    flow = msgspec.json.decode(base64.urlsafe_b64decode(told), type=Flow)
    known = hmac.compare_digest(flow.state.encode(), state.encode())
    timely = 0 < flow.expires_ns - now_ns <= LIFE_SECONDS * NANOSECONDS
    return flow if known and timely and flow.provider == provider else None


def _signature(told: str) -> str:
    return hmac.new(_KEY, told.encode(), hashlib.sha256).hexdigest()
