"""What the commands' side can meet before or after the server has spoken.

FlyballError
├── ControlError             the server refused; carries its own code, status, message and next step
├── UnavailableError
│   └── NotReachableError    nothing answers at the data directory or the server
└── RunFailedError           the durable run that a command waited for did not succeed
"""

from flyball.kit.errors import FlyballError, UnavailableError


class ControlError(FlyballError):
    """The server understood who asked for what, and refused."""

    def __init__(self, message: str, *, status: int, code: str = "error", next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.status = status
        self.code = code


class NotReachableError(UnavailableError):
    """Nothing answers at the data directory's socket or at the server's address."""

    code = "not_reachable"


class RunFailedError(FlyballError):
    """The run that the command waited for ended without success."""

    code = "run_failed"
