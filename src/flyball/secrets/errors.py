"""What can go wrong with secrets. No message ever holds a value.

FlyballError
├── NotFoundError
│   └── SecretNotFoundError       no secret of that name in this project
├── InvalidInputError
│   └── SecretInvalidError        a name or a value that none can be
└── ForbiddenError
    └── MasterKeyRefusedError     the master key is for the owner of the data directory alone
"""

from flyball.kit.errors import ForbiddenError, InvalidInputError, NotFoundError


class SecretNotFoundError(NotFoundError):
    """No secret of that name in this project."""

    code = "secret_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no secret named {name!r:.120}", next_step="see `flyball secrets list`")


class SecretInvalidError(InvalidInputError):
    """A secret's name or value is none."""

    code = "secret_invalid"


class MasterKeyRefusedError(ForbiddenError):
    """The master key is the whole server's: its operator alone is shown which it is, and exchanges it on the machine itself."""

    code = "master_key_refused"
