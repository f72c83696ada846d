"""Envelope encryption: values under a project's data key, data keys under the master key. AES-256-GCM, a fresh nonce each time.

What is sealed is bound to its place: opened anywhere else, or with one bit changed, it breaks.
"""

import hashlib
import secrets
from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flyball.kit.hashing import canonical_json

from .errors import SealBrokenError

KEY_BYTES = 32
_NONCE_BYTES = 12


class Cipher:
    """One 256-bit key, which cannot be asked for or serialised. `id` names it and says nothing about it."""

    __slots__ = ("_aead", "id")

    def __init__(self, key: bytes, prefix: str) -> None:
        self._aead = AESGCM(key)
        self.id = f"{prefix}-{hashlib.sha256(b'flyball key id' + bytes([0]) + key).hexdigest()[:16]}"

    def __repr__(self) -> str:
        return f"Cipher({self.id})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key is not serialised")

    def seal(self, plain: bytes, place: tuple[Any, ...]) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, canonical_json(list(place)))

    def open(self, sealed: bytes, place: tuple[Any, ...]) -> bytes:
        """What was sealed for this place. Raises SealBrokenError."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], canonical_json(list(place)))
        except (InvalidTag, ValueError):
            raise SealBrokenError(
                f"{' '.join(map(str, place[:3]))} cannot be decrypted with the key {self.id}: it was changed, or put elsewhere",
                next_step="restore it from a backup, or set it again",
            ) from None


class DataKey:
    """A project's data key: new, or unwrapped by the master key. Its id is that of its wrap."""

    __slots__ = ("_key", "cipher", "id")

    def __init__(self, id_: str, key: bytes) -> None:
        self.id = id_
        self._key = key
        self.cipher = Cipher(key, "dk")

    def __repr__(self) -> str:
        return f"DataKey({self.id})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a key is not serialised")

    @classmethod
    def new(cls, id_: str) -> "DataKey":
        """256 random bits."""
        return cls(id_, secrets.token_bytes(KEY_BYTES))

    @classmethod
    def unwrap(cls, id_: str, project: str, wrapped: bytes, master: Cipher) -> "DataKey":
        """What the master key wrapped. Raises SealBrokenError."""
        return cls(id_, master.open(wrapped, _place(project, id_)))

    def wrap(self, project: str, master: Cipher) -> bytes:
        """The key under the master key, bound to its project."""
        return master.seal(self._key, _place(project, self.id))


def _place(project: str, id_: str) -> tuple[Any, ...]:
    return ("data key", id_, project)
