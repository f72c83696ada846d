"""The record of a run. Knows its states, not what any kind of run does."""

from typing import Any, Literal

import msgspec

Status = Literal["queued", "running", "succeeded", "failed"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One durable execution.

    `done` of `total` is in units of the run's own (`total` None: not known yet); `note` says what it is doing. `error`
    names the thing, the value and the next step. `attempts` counts the times that a worker began or continued it.
    """

    id: str
    project: str
    kind: str
    arguments: dict[str, Any]
    status: Status = "queued"
    done: int = 0
    total: int | None = None
    note: str = ""
    result: dict[str, Any] | None = None
    error: str | None = None
    error_code: str | None = None
    attempts: int = 0
    created_by: str
    created_ns: int
    started_ns: int | None = None
    finished_ns: int | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in {"succeeded", "failed"}
