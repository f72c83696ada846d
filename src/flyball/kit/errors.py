"""The base of every error that flyball raises on purpose.

Knows how an error names itself, its HTTP status and the next step. Knows no noun: each room draws its own family.
"""

from typing import Any


class FlyballError(Exception):
    """Something that the caller can act on.

    The message names the thing and the value; `next_step` is the command or deed that helps. Subclasses set `status`
    (the HTTP status at the doors) and `code` (stable, snake_case, documented); `retry_after` is after how many seconds it
    may go better, where that is known.
    """

    status: int = 500
    code: str = "internal_error"
    retry_after: float | None = None

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        """The message and, where there is one, what to do next."""
        return f"{self.message}. Next: {self.next_step}" if self.next_step else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the constructor, whose parameters are each subclass's own."""
        return _rebuild, (type(self), self.args, self.__dict__)


class InvalidInputError(FlyballError):
    """The caller sent something that cannot be understood or is not allowed."""

    status = 400
    code = "invalid_input"


class NotFoundError(FlyballError):
    """The named thing does not exist in this project."""

    status = 404
    code = "not_found"


class ConflictError(FlyballError):
    """The thing exists already, or is in a state that does not allow this."""

    status = 409
    code = "conflict"


class ForbiddenError(FlyballError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"


class UnauthenticatedError(FlyballError):
    """The caller did not say who they are, or the proof is not valid."""

    status = 401
    code = "unauthenticated"


class UnavailableError(FlyballError):
    """A part that this needs is away; nothing was lost and the call may be repeated."""

    status = 503
    code = "unavailable"


def _rebuild(kind: type[FlyballError], arguments: tuple[Any, ...], state: dict[str, Any]) -> FlyballError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(state)
    return error
