"""What an organisation, a project, a role, a member, a session and a sign-in link are. No record here holds a verifier that could be presented."""

from typing import NamedTuple

import msgspec

from flyball.kit.secrets import Secret


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """Who shares members: a company, a team. What its projects hold is apart."""

    id: str
    name: str
    created_ns: int


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant. `role` is the asking member's in it, empty for whoever is no member of it."""

    id: str
    organisation: str
    organisation_name: str
    name: str
    created_ns: int
    archived_ns: int | None = None
    role: str = ""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of permissions: built in, or a project's own. `members` and `keys` count who has it here."""

    name: str
    description: str
    permissions: tuple[str, ...]
    built_in: bool
    members: int = 0
    keys: int = 0


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person who may sign in, as they are in one project. `permissions` are what their role there gives now.

    An organisation's `owner` has the role `owner` in every project of it.
    """

    id: str
    organisation: str
    project: str
    name: str
    role: str
    permissions: tuple[str, ...]
    email: str = ""
    owner: bool = False
    has_password: bool
    created_ns: int


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in of a member. `method` is how they proved who they are: `link` or `password`."""

    id: str
    project: str
    member: str
    member_name: str
    method: str
    created_ns: int
    expires_ns: int


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
