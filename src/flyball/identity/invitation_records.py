"""What an invitation is. Its token is shown once and kept as a hash."""

from typing import NamedTuple

import msgspec

from flyball.kit.secrets import Secret


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """That somebody new may become a member of a project in a role. Where it has an e-mail address, a provider has to vouch for that one."""

    id: str
    project: str
    project_name: str
    organisation_name: str
    email: str
    role: str
    created_by: str
    created_ns: int
    expires_ns: int


class MadeInvitation(NamedTuple):
    """An invitation just made, and the token of its link, this once."""

    token: Secret
    invitation: Invitation
