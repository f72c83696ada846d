"""What an organisation, a project, a role and a member are. Keys: `key_records`; sessions: `identity.records`."""

import msgspec


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


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """A person as one of the owners of their organisation, who have the role owner in every project of it."""

    id: str
    name: str
    email: str = ""


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
