"""Time, injected. Nobody else in flyball asks the operating system what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Clock(Protocol):
    """What tells the time."""

    def now_ns(self) -> int:
        """Wall-clock time, nanoseconds since the Unix epoch."""
        ...

    def monotonic_ns(self) -> int:
        """Time that never goes backwards, nanoseconds; for durations and deadlines."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ns(self) -> int:
        """Wall-clock time, nanoseconds since the Unix epoch."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Nanoseconds of the machine's monotonic clock."""
        return time.monotonic_ns()


class FixedClock:
    """A clock that stands still until told to advance; for tests and replays."""

    def __init__(self, now_ns: int = 1_700_000_000 * NANOSECONDS) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """The time it was set to."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """The same reading: it only moves by `advance`."""
        return self._now_ns

    def advance(self, seconds: float) -> None:
        """Move both readings forward."""
        self._now_ns += int(seconds * NANOSECONDS)


def to_datetime(ns: int) -> datetime:
    """Nanoseconds since the epoch as an aware UTC datetime (microsecond precision)."""
    return datetime.fromtimestamp(ns / NANOSECONDS, UTC)
