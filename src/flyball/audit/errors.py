"""What can go wrong with the audit record.

FlyballError
├── NotFoundError (404)
│   └── EventNotFoundError         no event with this number, or it was pruned
├── InvalidInputError (400)
│   ├── RetentionTooShortError     less than 180 days
│   ├── SinkUnfitError             a setting that names no sink
│   └── TimeUnreadableError        neither a date nor a time
├── ConflictError (409)
│   ├── ChainBrokenError           what does not verify is neither signed nor pruned
│   └── ClockDoubtedError          nothing is pruned while the clocks disagree
├── UnavailableError (503)
│   └── SinkAwayError              a sink did not take what was sent
└── SigningKeyError (500)          the server's key cannot be used
"""

from flyball.kit.errors import ConflictError, FlyballError, InvalidInputError, NotFoundError, UnavailableError


class EventNotFoundError(NotFoundError):
    """The project's chain has no event with this number, or it was pruned."""

    code = "event_not_found"


class RetentionTooShortError(InvalidInputError):
    """`FLYBALL_AUDIT_RETENTION_DAYS` is below the floor of 180 days, and not 0."""

    code = "retention_too_short"


class SinkUnfitError(InvalidInputError):
    """A setting names no sink to which the audit record could be sent."""

    code = "sink_unfit"


class TimeUnreadableError(InvalidInputError):
    """What was given as a time is neither a date nor a time."""

    code = "time_unreadable"


class ChainBrokenError(ConflictError):
    """The chain does not verify, so it is neither signed nor pruned; its state stays as it was found."""

    code = "chain_broken"


class ClockDoubtedError(ConflictError):
    """The clocks of this machine and of the database disagree, or time has jumped: nothing is pruned on their word."""

    code = "clock_doubted"


class SinkAwayError(UnavailableError):
    """A sink did not take what was sent; it is sent again later."""

    code = "sink_away"


class SigningKeyError(FlyballError):
    """The server's key for checkpoints is not a key, or is open to others."""

    code = "signing_key_unfit"
