"""What can go wrong with runs.

FlyballError
├── NotFoundError
│   └── RunNotFoundError     no such run in this project
├── RunFailedError           a run that was waited for ended without success
└── UnavailableError
    └── RunStillGoingError   a run that was waited for has not ended in the time given
"""

from flyball.kit.errors import FlyballError, NotFoundError, UnavailableError


class RunNotFoundError(NotFoundError):
    """No such run in this project."""

    code = "run_not_found"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run {run_id!r:.80} in this project", next_step="`flyball runs list` shows the runs")


class RunFailedError(FlyballError):
    """A run that was waited for ended without success."""

    status = 422
    code = "run_failed"


class RunStillGoingError(UnavailableError):
    """A run that was waited for has not ended in the time given; it goes on."""

    code = "run_still_going"
