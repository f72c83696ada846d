"""What can go wrong with receivers and with telling them.

FlyballError
├── ConflictError
│   ├── ReceiverTakenError      the address is told already
│   ├── TrialWaitingError       a test of the receiver is on its way
│   └── TooManyReceiversError   there are as many as may be
├── InvalidInputError
│   └── ReceiverInvalidError    an address or a secret that none can be
├── NotFoundError
│   └── ReceiverNotFoundError   no receiver here has this id
└── UnavailableError
    └── NotToldError            the receiver did not say that it has the message
"""

from flyball.kit.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError


class ReceiverInvalidError(InvalidInputError):
    """An address that nothing is sent to, or a secret that signs nothing."""

    code = "receiver_invalid"


class ReceiverNotFoundError(NotFoundError):
    """No receiver of this project, or of its organisation, has the id."""

    code = "receiver_not_found"


class ReceiverTakenError(ConflictError):
    """The address is told already."""

    code = "receiver_taken"


class TooManyReceiversError(ConflictError):
    """A project, or an organisation, has as many receivers as it may have."""

    code = "too_many_receivers"


class TrialWaitingError(ConflictError):
    """A test of this receiver is on its way."""

    code = "trial_waiting"


class NotToldError(UnavailableError):
    """The receiver did not say that it has the message."""

    code = "not_told"
