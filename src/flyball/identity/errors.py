"""What can go wrong with proving who somebody is.

FlyballError
├── NotFoundError
│   └── SessionNotFoundError
├── InvalidInputError
│   └── WeakPasswordError
├── UnauthenticatedError
│   └── SignInRefusedError    wrong name, password or link; says nothing about which
└── TooManySignInsError       429
"""

from flyball.kit.errors import FlyballError, InvalidInputError, NotFoundError, UnauthenticatedError


class SessionNotFoundError(NotFoundError):
    """No live session has this id."""

    code = "session_not_found"


class WeakPasswordError(InvalidInputError):
    """The password is too short or too long to be hashed."""

    code = "weak_password"


class SignInRefusedError(UnauthenticatedError):
    """The link or the password is not valid, any more or at all."""

    code = "sign_in_refused"


class TooManySignInsError(FlyballError):
    """Signing in failed too often in a short time."""

    status = 429
    code = "too_many_sign_ins"
