"""What can go wrong with models.

FlyballError
├── NotFoundError
│   ├── ModelFileNotFoundError     no file of weights of that hash in this project
│   └── ModelNotFoundError         no model of that name in this project
├── InvalidInputError
│   └── ModelSpecError             an endpoint, a price or a reference that cannot be understood
├── ForbiddenError
│   └── EndpointNotAllowedError    a new address, or a key for it, from someone who may not name one
└── UnavailableError
    └── ModelNotConfiguredError    a secret or a variable that it refers to is missing
"""

from flyball.kit.errors import ForbiddenError, InvalidInputError, NotFoundError, UnavailableError


class ModelNotFoundError(NotFoundError):
    """No model of that name in this project."""

    code = "model_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no model named {name!r}", next_step="see `flyball models list`")


class ModelFileNotFoundError(NotFoundError):
    """No file of weights of that hash in this project."""

    code = "model_file_not_found"

    def __init__(self, hash_: str) -> None:
        super().__init__(f"there is no file of weights {hash_!r:.80}", next_step="see `flyball models files`")


class ModelSpecError(InvalidInputError):
    """A model is declared in a way that cannot work."""

    code = "model_invalid"


class ModelNotConfiguredError(UnavailableError):
    """What the model's endpoints refer to is missing, or may not be sent there."""

    code = "model_not_configured"


class EndpointNotAllowedError(ForbiddenError):
    """A new address, or a key of the server's environment for it, from someone who may not name one."""

    code = "endpoint_not_allowed"
