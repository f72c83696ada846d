"""How a call to an address from outside goes wrong.

FlyballError
├── InvalidInputError (400)
│   └── AddressUnfitError        no address that is called: its scheme, its spelling, its port, a name and password in it
├── ForbiddenError (403)
│   └── AddressDeniedError       it leads into a network that is not called unless the operator lists it
└── UnavailableError (503)
    └── OutsideError             it was called, and there is no answer to use
        ├── OutsideAwayError     the name is unknown, nobody listens, TLS fails, or it takes too long
        ├── OutsideCutError      the connection ended before the answer was complete, or what came is no HTTP
        ├── AnswerTooLargeError  the answer is larger than its reader takes
        └── RedirectRefusedError it sends on to where it may not
"""

from flyball.kit.errors import ForbiddenError, InvalidInputError, UnavailableError


class AddressUnfitError(InvalidInputError):
    """The address is spelt in a way that is not called, or has what no address needs."""

    code = "address_unfit"


class AddressDeniedError(ForbiddenError):
    """The address leads into a network that is not called: loopback, private, link-local, metadata, reserved."""

    code = "address_denied"


class OutsideError(UnavailableError):
    """An address outside was called and gave no answer to use."""

    code = "outside_failed"


class OutsideAwayError(OutsideError):
    """There is no way to the address, or it does not answer in time."""

    code = "outside_away"


class OutsideCutError(OutsideError):
    """The connection ended before the answer was complete."""

    code = "outside_cut"


class AnswerTooLargeError(OutsideError):
    """The answer is larger than its reader takes."""

    code = "outside_answer_too_large"


class RedirectRefusedError(OutsideError):
    """The answer sends on to where it may not: too often, to plain HTTP, or elsewhere with a body."""

    code = "outside_redirect_refused"
