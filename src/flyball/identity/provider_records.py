"""What a sign-in provider and an account with one are. A client's secret stands here as a reference alone."""

from typing import Literal

import msgspec

ClientAuth = Literal["basic", "post", "none"]
Joining = Literal["invited", "anybody"]


class GroupRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is in the group has the role in the project (its name); `*` is everybody whom the provider signs in."""

    group: str
    project: str
    role: str


class ProviderWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sign-in provider as it is declared.

    `client_secret` is a reference (`env:`, `file:`, `cmd:`, `vault:`, `secret:`), empty for `client_auth: none`. `groups_claim` names
    the claim of the ID token, or of its user information, that lists groups. Of `groups` the first that fits a project counts.
    `domains` are those of e-mail addresses that may come in; none: all. `joining`: whether somebody new needs an invitation.
    `link_by_email` lets somebody whose verified address a member has, who never signed in, be that member; it needs `domains`.
    `enforced` turns passwords off for the organisation. `shown` puts a button on the organisation's page of signing in: `/sign-in`
    for the operator's, `/sign-in/to/NAME` for any other.
    """

    issuer: str
    client_id: str
    label: str = ""
    client_secret: str = ""
    client_auth: ClientAuth = "basic"
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    groups_claim: str = ""
    groups: tuple[GroupRole, ...] = ()
    domains: tuple[str, ...] = ()
    joining: Joining = "invited"
    link_by_email: bool = False
    enforced: bool = False
    shown: bool = True


class Provider(ProviderWish, frozen=True, kw_only=True):
    """A sign-in provider of an organisation, and the project whose secrets it may name."""

    id: str
    name: str
    project: str
    organisation: str
    created_by: str
    created_ns: int
    updated_ns: int


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """An account with a provider by which a member signs in. `subject` is the provider's own name for it."""

    provider: str
    provider_name: str
    subject: str
    member: str
    email: str
    created_ns: int
    used_ns: int
