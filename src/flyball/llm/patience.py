"""How often and how long one call is tried: one deadline and one budget of tries that all attempts share.

There is one owner of retries per call; nothing below it retries by itself.
"""

import math
import random
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from flyball.kit.clock import NANOSECONDS, Clock

from .errors import UpstreamError, UpstreamRefusedError, UpstreamTimeoutError

RETRYABLE_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0


class Patience:
    """The time and the tries that are left for one call."""

    def __init__(self, clock: Clock, *, seconds: float, tries: int = 3) -> None:
        self._clock = clock
        self._deadline_ns = clock.monotonic_ns() + int(seconds * NANOSECONDS)
        self._seconds = seconds
        self._tries_left = tries
        self._bound = _FIRST_WAIT

    @property
    def seconds_left(self) -> float:
        """Until the deadline; not negative."""
        return max(0.0, (self._deadline_ns - self._clock.monotonic_ns()) / NANOSECONDS)

    def expired(self) -> UpstreamTimeoutError:
        """The error for a deadline that has passed."""
        return UpstreamTimeoutError(
            f"no complete answer within the deadline of {self._seconds:g} s",
            next_step="ask for less, or raise FLYBALL_REQUEST_DEADLINE_SECONDS",
        )

    def start_try(self) -> None:
        """One try less."""
        self._tries_left -= 1

    def wait_after(self, failure: UpstreamError, *, elsewhere: bool = False) -> float | None:
        """Seconds to wait before the next try; None: give up and report the failure.

        `elsewhere` says that the next try goes to another endpoint, which owes nothing to this one's Retry-After.
        """
        if not failure.retryable or self._tries_left <= 0:
            return None
        asked = failure.retry_after if isinstance(failure, UpstreamRefusedError) and not elsewhere else None
        wait = random.uniform(0, self._bound) if asked is None else asked  # noqa: S311 -- jitter needs no secrecy
        self._bound = min(self._bound * 2, _LONGEST_WAIT)
        return wait if wait < self.seconds_left else None


def asked_wait(headers: Mapping[str, str], now_ns: int) -> float | None:
    """Seconds that a provider asks us to wait: `retry-after-ms`, or `retry-after` as seconds or as a date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            wait = float(value) * unit
        except ValueError:
            wait = _until(value, now_ns)
        if math.isfinite(wait):
            return max(0.0, wait)
    return None


def _until(date: str, now_ns: int) -> float:
    """Seconds until a date; not a number where it is none."""
    try:
        found = parsedate_to_datetime(date)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found.timestamp() - now_ns / NANOSECONDS
    except (ValueError, OverflowError):
        return math.nan


def may_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an error status may pass by itself; `x-should-retry` has the last word."""
    verdict = headers.get("x-should-retry", "")
    if verdict in ("true", "false"):
        return verdict == "true"
    return status in RETRYABLE_STATUSES or status >= 500
