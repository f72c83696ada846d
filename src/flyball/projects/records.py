"""What a project, a member, a key, a session and a sign-in link are. No record here holds a verifier that could be presented."""

from typing import NamedTuple

import msgspec

from flyball.kit.secrets import Secret


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may sign in."""

    id: str
    project: str
    name: str
    role: str
    has_password: bool
    created_ns: int


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """How a program calls. The key itself is shown once, when it is made; `prefix` tells keys apart afterwards."""

    id: str
    project: str
    name: str
    prefix: str
    role: str
    permissions: tuple[str, ...]
    created_by: str
    created_ns: int
    revoked_ns: int | None = None


class ActiveKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the gateway's snapshot holds it. `hash` is SHA-256 of the whole key."""

    hash: bytes
    id: str
    project: str
    name: str
    permissions: frozenset[str]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in of a member. `method` is how they proved who they are: `link` or `password`."""

    id: str
    project: str
    member: str
    member_name: str
    method: str
    created_ns: int
    expires_ns: int


class MadeKey(NamedTuple):
    """A key just made, and its secret, this once."""

    key: Key
    secret: Secret


class MadeLink(NamedTuple):
    """A one-time sign-in link just made: the token for its address, whose it is, until when it works."""

    token: Secret
    member: Member
    expires_ns: int


class SignedIn(NamedTuple):
    """A session just made: the token for the browser's cookie, and whose it is."""

    token: Secret
    member: Member
    session: Session
