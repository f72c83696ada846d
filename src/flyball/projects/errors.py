"""What can go wrong with keys and signing in.

FlyballError
├── NotFoundError
│   ├── KeyNotFoundError
│   ├── MemberNotFoundError
│   └── SessionNotFoundError
├── ConflictError
│   └── NameTakenError        an active key has this name
├── InvalidInputError
│   ├── WeakPasswordError
│   └── UnknownRoleError
├── UnauthenticatedError
│   └── SignInRefusedError    wrong name, password or link; says nothing about which
└── TooManySignInsError       429
"""

from flyball.kit.errors import ConflictError, FlyballError, InvalidInputError, NotFoundError, UnauthenticatedError


class KeyNotFoundError(NotFoundError):
    """No key that could be revoked has this id or name."""

    code = "key_not_found"


class MemberNotFoundError(NotFoundError):
    """No member has this name."""

    code = "member_not_found"


class SessionNotFoundError(NotFoundError):
    """No live session has this id."""

    code = "session_not_found"


class NameTakenError(ConflictError):
    """Another key that is in use has this name."""

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
