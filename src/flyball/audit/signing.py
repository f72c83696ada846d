"""The server's key for checkpoints: an Ed25519 key of its own in the data directory. Knows files and signatures, no checkpoint."""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from flyball.kit.durable import sync
from flyball.kit.layout import Layout

from .errors import SigningKeyError


class SigningKey:
    """A key that signs. It shows as its public half alone."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def __repr__(self) -> str:
        return f"SigningKey({self.public})"

    def __reduce__(self) -> str:
        raise TypeError("a SigningKey is not serialised")

    def sign(self, data: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._private.sign(data)


def audit_folder(layout: Layout) -> Path:
    """What of the audit record lies beside the database: the key, and the checkpoints again. Its owner's alone."""
    folder = layout.root / "audit"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def signing_key(layout: Layout) -> SigningKey:
    """The key of this data directory, made at its first use. Of two processes that make one at once both get the same.

    Raises:
        SigningKeyError: the file is there and is no Ed25519 key, or others may read it.
    """
    path = audit_folder(layout) / "signing.key"
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise SigningKeyError(
            f"the key {path} can be read by others, who could sign in our name",
            next_step=f"chmod 600 {path}, and if somebody may have read it, remove it: the next checkpoint makes another",
        )
    try:
        private = load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise SigningKeyError(
            f"{path} holds no Ed25519 key", next_step="restore it from a backup, or remove it: another one is made then"
        )
    return SigningKey(private)


def is_signed(data: bytes, signature: str, public: str) -> bool:
    """Whether the public key (hexadecimal) has signed the data; False also for what is no key or no signature.

    A signature has one spelling, small letters: another one would be a change that nobody notices.
    """
    if signature != signature.lower():
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _make(path: Path) -> None:
    """Write a new key beside its place and link it there, whole or not at all; who comes second finds the first's."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    beside = path.with_name(f".{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            return
        sync(path.parent)
    finally:
        beside.unlink()
