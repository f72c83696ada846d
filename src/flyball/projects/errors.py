"""What can go wrong with tenants, members, roles and keys.

FlyballError
├── NotFoundError
│   ├── KeyNotFoundError
│   ├── MemberNotFoundError
│   ├── OrganisationNotFoundError
│   ├── ProjectNotFoundError
│   └── RoleNotFoundError
├── ConflictError
│   ├── NameTakenError        something in use has this name, or one that looks like it
│   ├── RoleInUseError
│   ├── TooManyKeysError
│   └── LastOwnerError        a project without an owner could not be governed
├── InvalidInputError
│   ├── InvalidNameError
│   ├── UnknownPermissionError
│   └── UnknownRoleError
└── ForbiddenError
    ├── ExceedsOwnRightsError  nobody gives, or takes over, more than they have
    ├── LimitedKeyError        a key with limits would become something without them
    └── NoMemberError          this is for who is signed in
"""

from flyball.kit.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
)


class KeyNotFoundError(NotFoundError):
    """No key that could be revoked has this id or name."""

    code = "key_not_found"


class MemberNotFoundError(NotFoundError):
    """No member has this name."""

    code = "member_not_found"


class OrganisationNotFoundError(NotFoundError):
    """No organisation has this name."""

    code = "organisation_not_found"


class ProjectNotFoundError(NotFoundError):
    """No project that the caller may see has this name."""

    code = "project_not_found"


class RoleNotFoundError(NotFoundError):
    """The project has no role of its own with this name."""

    code = "role_not_found"


class RoleInUseError(ConflictError):
    """Somebody has the role."""

    code = "role_in_use"


class TooManyKeysError(ConflictError):
    """A member has as many keys of their own as they may have."""

    code = "too_many_keys"


class LastOwnerError(ConflictError):
    """The project would be without an owner."""

    code = "last_owner"


class InvalidNameError(InvalidInputError):
    """This cannot be a name."""

    code = "invalid_name"


class UnknownPermissionError(InvalidInputError):
    """There is no such permission."""

    code = "unknown_permission"


class ExceedsOwnRightsError(ForbiddenError):
    """Somebody would give, or take over, more than they may do themselves."""

    code = "exceeds_own_rights"


class LimitedKeyError(ForbiddenError):
    """A key with an expiry or limits would make something that has none."""

    code = "limited_key"


class NoMemberError(ForbiddenError):
    """This is for members who are signed in; a key is none, whoever has it."""

    code = "no_member"


class NameTakenError(ConflictError):
    """Something in use has this name, or one that looks like it."""

    code = "name_taken"


class UnknownRoleError(InvalidInputError):
    """There is no such role."""

    code = "unknown_role"
