"""What can go wrong with keys and signing in.

FlyballError
├── NotFoundError
│   ├── KeyNotFoundError
│   ├── MemberNotFoundError
│   ├── OrganisationNotFoundError
│   ├── ProjectNotFoundError
│   ├── RoleNotFoundError
│   └── SessionNotFoundError
├── ConflictError
│   ├── NameTakenError        something in use has this name, or one that looks like it
│   ├── RoleInUseError
│   └── LastOwnerError        a project without an owner could not be governed
├── InvalidInputError
│   ├── InvalidNameError
│   ├── UnknownPermissionError
│   ├── WeakPasswordError
│   └── UnknownRoleError
├── ForbiddenError
│   └── ExceedsOwnRightsError  nobody gives, or takes over, more than they have
├── UnauthenticatedError
│   └── SignInRefusedError    wrong name, password or link; says nothing about which
└── TooManySignInsError       429
"""

from flyball.kit.errors import (
    ConflictError,
    FlyballError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
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


class SessionNotFoundError(NotFoundError):
    """No live session has this id."""

    code = "session_not_found"


class NameTakenError(ConflictError):
    """Something in use has this name, or one that looks like it."""

    code = "name_taken"


class WeakPasswordError(InvalidInputError):
    """The password is too short or too long to be hashed."""

    code = "weak_password"


class UnknownRoleError(InvalidInputError):
    """There is no such role."""

    code = "unknown_role"


class SignInRefusedError(UnauthenticatedError):
    """The link or the password is not valid, any more or at all."""

    code = "sign_in_refused"


class TooManySignInsError(FlyballError):
    """Signing in failed too often in a short time."""

    status = 429
    code = "too_many_sign_ins"
