"""Secrets that cannot be printed, logged or serialised by accident; the door takes `reveal()` to open."""

import hashlib
import hmac
import secrets


class Secret:
    """A value that shows as `***` everywhere but in `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; call it at the last moment."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not serialised")


def new_token(bits: int = 256) -> str:
    """A random URL-safe token."""
    return secrets.token_urlsafe(bits // 8)


def token_hash(token: str) -> bytes:
    """SHA-256 of a random token: fit for look-up, because a token has 256 bits of its own."""
    return hashlib.sha256(token.encode()).digest()


def hash_password(password: str) -> str:
    """`scrypt$<n>$<r>$<p>$<salt hex>$<hash hex>`; costs about 60 ms and 32 MiB by design."""
    salt = secrets.token_bytes(16)
    return f"scrypt$32768$8$1${salt.hex()}${_scrypt(password, salt, 32768, 8, 1).hex()}"


def verify_password(password: str, verifier: str) -> bool:
    """Whether the password made this verifier; constant time."""
    try:
        scheme, n, r, p, salt, expected = verifier.split("$")
    except ValueError:
        return False
    if scheme != "scrypt":
        return False
    found = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=128 * n * r * 2, dklen=32)
