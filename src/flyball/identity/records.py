"""What a session, a sign-in link and a step on the way to a session are. No record here holds a verifier that could be presented."""

from typing import NamedTuple

import msgspec

from flyball.kit.secrets import Secret
from flyball.projects.records import Member

_LONGEST_AGENT = 200


class Whence(NamedTuple):
    """Where somebody signs in from: the client's address, what the client calls itself, and the session that it held so far."""

    address: str = ""
    user_agent: str = ""
    held: Secret | None = None

    @property
    def agent(self) -> str:
        """What the client calls itself, as it is kept."""
        return self.user_agent[:_LONGEST_AGENT]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in of a member, and the project in which it acts now.

    `method` is how they proved who they are: `password`, `link`, `invitation` or `provider NAME`; after a second factor
    ` + code` or ` + recovery code`. `used_ns` is exact to the minute.
    """

    id: str
    project: str
    member: str
    member_name: str
    method: str
    created_ns: int
    expires_ns: int
    used_ns: int
    address: str = ""
    user_agent: str = ""

    @property
    def by_provider(self) -> bool:
        """Whether a sign-in provider said who this is, who has second factors of its own."""
        return self.method.startswith("provider ")


class Found(NamedTuple):
    """Whose session a token is. `restricted`: they need a second factor first, and until then may do nothing else."""

    member: Member
    session: Session
    restricted: bool


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


class Step(NamedTuple):
    """Half a sign-in: the second factor is still owed. The token is for the browser's cookie."""

    token: Secret
    member: Member
    expires_ns: int
