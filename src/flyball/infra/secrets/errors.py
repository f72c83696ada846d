"""What can go wrong with the machinery of secrets. No message ever holds a value.

FlyballError
├── InvalidInputError
│   └── HostInvalidError           what a secret is to be bound to is no host
└── UnavailableError
    ├── MasterKeyError             the master key is missing, given twice, or no key
    └── SealBrokenError            what was sealed was changed, or belongs elsewhere
"""

from flyball.kit.errors import InvalidInputError, UnavailableError


class MasterKeyError(UnavailableError):
    """The master key is missing, given twice, no key at all, or another one than the one that is needed."""

    code = "master_key"


class SealBrokenError(UnavailableError):
    """An encrypted value was changed, or put where it does not belong."""

    code = "seal_broken"


class HostInvalidError(InvalidInputError):
    """What a secret is to be bound to is no host."""

    code = "host_invalid"
