"""Who calls. Knows keys, as the snapshot holds them: by the hash of the whole key; and where each vendor's clients put theirs."""

from urllib.parse import parse_qs

from flyball.kit.secrets import token_hash
from flyball.projects.records import ActiveKey

from .errors import KeyNotAllowedError, MissingKeyError, UnknownKeyError
from .exchange import Exchange
from .snapshot import Snapshot

PERMISSION = "gateway.call"
_HEADERS = (b"x-api-key", b"x-goog-api-key", b"api-key")


def identify(exchange: Exchange, snapshot: Snapshot) -> ActiveKey:
    """The key that calls.

    Raises:
        MissingKeyError: none was sent.
        UnknownKeyError: it is not known, or has been revoked.
        KeyNotAllowedError: it may do other things, but not this.
    """
    token = _token(exchange)
    if not token:
        raise MissingKeyError
    key = snapshot.keys.get(token_hash(token.decode("latin-1")))
    if key is None:
        raise UnknownKeyError
    if PERMISSION not in key.permissions and "*" not in key.permissions:
        raise KeyNotAllowedError(key.name)
    return key


def _token(exchange: Exchange) -> bytes:
    """The key as it was sent: as a bearer token, in the header of a vendor, or, as Google's callers may, in the address."""
    headers = exchange.headers
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    for name in _HEADERS:
        if sent := headers.get(name, b"").strip():
            return sent
    query = exchange.scope.get("query_string", b"")
    return parse_qs(query).get(b"key", [b""])[-1] if b"key=" in query else b""
