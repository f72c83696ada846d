"""What a session and a sign-in link are. No record here holds a verifier that could be presented."""

from typing import NamedTuple

import msgspec

from flyball.kit.secrets import Secret
from flyball.projects.records import Member


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
