"""A run is one durable execution: an import, an index build, an evaluation.

It is queued in the transaction that asks for it, and a worker takes it from there: through crashes and restarts, each
finished step once.

Verbs are imported by module: `from flyball.runs import service`.
"""

from .errors import RunFailedError, RunNotFoundError, RunStillGoingError
from .records import Run

__all__ = ["Run", "RunFailedError", "RunNotFoundError", "RunStillGoingError"]
