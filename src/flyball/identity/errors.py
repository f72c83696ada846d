"""What can go wrong with proving who somebody is.

FlyballError
├── NotFoundError
│   ├── SessionNotFoundError
│   ├── ProviderNotFoundError
│   └── InvitationNotFoundError
├── ConflictError
│   ├── FactorStateError          a second factor is there already, or none is
│   └── IdentityTakenError        this account of a provider is somebody else's already
├── InvalidInputError
│   ├── WeakPasswordError
│   └── ProviderInvalidError      what was declared of a provider cannot work
├── ForbiddenError
│   └── PasswordsOffError         a provider signs the organisation's members in
├── UnauthenticatedError
│   ├── SignInRefusedError        wrong name, password, link or code; says nothing about which
│   └── SecondFactorNeededError   the password was right, and a code is owed
├── UnavailableError
│   ├── ProviderAwayError         the sign-in provider cannot be used now
│   └── SignInBusyError           too many sign in at this moment
└── TooManySignInsError           429
"""

from flyball.kit.errors import (
    ConflictError,
    FlyballError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)


class SessionNotFoundError(NotFoundError):
    """No live session has this id."""

    code = "session_not_found"


class ProviderNotFoundError(NotFoundError):
    """No sign-in provider has this name."""

    code = "provider_not_found"


class InvitationNotFoundError(NotFoundError):
    """No open invitation has this id."""

    code = "invitation_not_found"


class FactorStateError(ConflictError):
    """There is a second factor already, or there is none."""

    code = "factor_state"


class IdentityTakenError(ConflictError):
    """This account of a provider belongs to another member."""

    code = "identity_taken"


class WeakPasswordError(InvalidInputError):
    """The password is too short or too long to be hashed."""

    code = "weak_password"


class ProviderInvalidError(InvalidInputError):
    """What was declared of a sign-in provider cannot work."""

    code = "provider_invalid"


class PasswordsOffError(ForbiddenError):
    """A provider signs the organisation's members in, and nothing else does."""

    code = "passwords_off"


class SignInRefusedError(UnauthenticatedError):
    """The link, the password, the code or the provider's word is not valid, any more or at all."""

    code = "sign_in_refused"


class SecondFactorNeededError(UnauthenticatedError):
    """Name and password were right; a code of the second factor is owed."""

    code = "second_factor_needed"


class ProviderAwayError(UnavailableError):
    """The sign-in provider does not answer, or not with what it has to."""

    code = "provider_away"


class SignInBusyError(UnavailableError):
    """Too many people sign in by password at this moment."""

    code = "sign_in_busy"
    retry_after = 2


class TooManySignInsError(FlyballError):
    """Signing in failed too often in a short time."""

    status = 429
    code = "too_many_sign_ins"
