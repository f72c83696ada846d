"""Who calls. Knows keys, as the snapshot holds them: by the hash of the whole key."""

from collections.abc import Mapping

from flyball.kit.secrets import token_hash
from flyball.projects.records import ActiveKey

from .errors import KeyNotAllowedError, MissingKeyError, UnknownKeyError
from .snapshot import Snapshot

PERMISSION = "gateway.call"


def identify(headers: Mapping[bytes, bytes], snapshot: Snapshot) -> ActiveKey:
    """The key that calls.

    Raises:
        MissingKeyError: none was sent.
        UnknownKeyError: it is not known, or has been revoked.
        KeyNotAllowedError: it may do other things, but not this.
    """
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    token = token.strip()
    if scheme.lower() != b"bearer" or not token:
        raise MissingKeyError
    key = snapshot.keys.get(token_hash(token.decode("latin-1")))
    if key is None:
        raise UnknownKeyError
    if PERMISSION not in key.permissions and "*" not in key.permissions:
        raise KeyNotAllowedError(key.name)
    return key
