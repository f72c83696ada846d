"""Secrets that cannot be printed, logged or serialised by accident; the door takes `reveal()` to open."""

import hashlib
import hmac
import secrets
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

_R = TypeVar("_R")
_SHORTEST_TOLD_APART = 8  # characters; what is shorter stands in any text by chance


class Secret:
    """A value that shows as `***` everywhere but in `reveal()`.

    It cannot be serialised, copied, changed, hashed, measured or used as a path or a number. Two are compared in constant time.
    """

    __slots__ = ("__weakref__", "_value")

    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)
        _LIVE[id(self)] = self

    def reveal(self) -> str:
        """The value itself; call it at the last moment."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, wish: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._value), _bytes(other._value))

    __hash__ = None  # type: ignore[assignment] # a secret is no key: a table of them would tell whether it holds one

    def __bool__(self) -> bool:
        return bool(self._value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret does not change")

    def __dir__(self) -> list[str]:
        return ["reveal"]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not serialised")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is not serialised")

    def __copy__(self) -> NoReturn:
        raise TypeError("a Secret is not copied")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise TypeError("a Secret is not copied")


def hiding(*names: str) -> Callable[[type[_R]], type[_R]]:
    """A record whose repr has `***` in the place of these fields.

    For values that have to be plain, since they are decoded from a request, sent, or shown on a page this once.
    """

    def hide(record: type[_R]) -> type[_R]:
        missing = set(names) - set(_fields(record))
        if missing:
            raise TypeError(f"{record.__name__} has no field {', '.join(sorted(missing))}")
        record.__repr__ = represent  # type: ignore[method-assign] # the one purpose of this
        if hasattr(record, "__rich_repr__"):
            record.__rich_repr__ = told  # type: ignore[attr-defined] # likewise
        return record

    def represent(self: object) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in told(self))})"

    def told(self: object) -> Iterator[tuple[str, object]]:
        for name in _fields(type(self)):
            value = getattr(self, name)
            yield name, _HIDDEN if name in names and value else value

    return hide


def _fields(record: type) -> tuple[str, ...]:
    """Those of a msgspec struct or a named tuple."""
    return tuple(getattr(record, "__struct_fields__", getattr(record, "_fields", ())))


class _Hidden:
    def __repr__(self) -> str:
        return "***"


_HIDDEN = _Hidden()
_LIVE: "weakref.WeakValueDictionary[int, Secret]" = weakref.WeakValueDictionary()


def live_values() -> list[str]:
    """The values of all secrets that this process holds now, the longest first; for whoever blots them out of texts."""
    held = [secret for reference in _LIVE.valuerefs() if (secret := reference()) is not None]
    values = {secret.reveal() for secret in held}
    return sorted((value for value in values if len(value) >= _SHORTEST_TOLD_APART), key=len, reverse=True)


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


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
