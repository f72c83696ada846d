"""Who calls. Knows keys, as the snapshot holds them: by the hash of the whole key; and where each vendor's clients put theirs.

Everything that narrows a key is looked at anew in every call: its time by the clock, its addresses, its rights.
"""

from urllib.parse import parse_qs

from flyball.kit.secrets import token_hash
from flyball.projects.key_records import KEY_PREFIX, ActiveKey

from .address import client_address
from .errors import KeyNotAllowedError, MissingKeyError, UnknownKeyError
from .exchange import Exchange
from .house import House
from .snapshot import Snapshot

PERMISSION = "gateway.call"
_GIVEN_BY = frozenset({PERMISSION, "gateway.*", "*"})
_HEADERS = (b"x-api-key", b"x-goog-api-key", b"api-key")
_PREFIX = KEY_PREFIX.encode()
_LONGEST_TOKEN = 200  # ours have 51 characters


def identify(exchange: Exchange, house: House, snapshot: Snapshot, *, dialect: str) -> ActiveKey:
    """The key that calls; its use is noted. `dialect` is that of the path: Google's clients may put their key in the address.

    Raises:
        MissingKeyError: none was sent.
        UnknownKeyError: it is not known, has been revoked or has expired, or may not be used from where the call comes; the caller
            is not told which, the record is.
        KeyNotAllowedError: it may do other things, but not this.
    """
    token = _token(exchange, in_address=dialect == "gemini")
    if not token:
        raise MissingKeyError
    hash_ = token_hash(token.decode("latin-1")) if len(token) <= _LONGEST_TOKEN else b""
    key = snapshot.keys.get(hash_)
    now_ns, address = house.clock.now_ns(), client_address(exchange, house.proxies)
    if key is None:
        if hash_ and token.startswith(_PREFIX):
            house.refusals.note_hash(hash_, now_ns, address)
        raise UnknownKeyError
    if reason := key.refused(now_ns, address):
        house.refusals.note(key, reason, now_ns, address)
        raise UnknownKeyError
    if _GIVEN_BY.isdisjoint(key.permissions):
        raise KeyNotAllowedError(key.name)
    house.uses.note(key, now_ns, address)
    return key


def _token(exchange: Exchange, *, in_address: bool) -> bytes:
    """The key as it was sent: as a bearer token, in the header of a vendor, or, as Google's callers may, in the address."""
    headers = exchange.headers
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    for name in _HEADERS:
        if sent := headers.get(name, b"").strip():
            return sent
    query = exchange.scope.get("query_string", b"")
    if not in_address or b"key=" not in query:
        return b""
    sent_in_address = parse_qs(query).get(b"key", [])
    return sent_in_address[0] if len(sent_in_address) == 1 else b""
