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

KEY_REFUSED = frozenset({401, 402, 403})
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

    def wait_after(self, failure: UpstreamError, asked: float = 0) -> float | None:
        """Seconds to wait before the next try; None: give up and report the failure.

        `asked` is how long whoever is tried next wants to be left alone (`Rota.owed`).
        """
        if not failure.retryable or self._tries_left <= 0:
            return None
        wait = asked or random.uniform(0, self._bound)  # noqa: S311 -- jitter needs no secrecy
        self._bound = min(self._bound * 2, _LONGEST_WAIT)
        return wait if wait < self.seconds_left else None


class Rota:
    """Whose turn it is among a call's endpoints: of those that do not ask to be left alone, who was tried least, in their order.

    An endpoint that refuses our key gets no second turn.
    """

    def __init__(self, number: int, clock: Clock) -> None:
        self._clock = clock
        self._tried = [0] * number
        self._not_before_ns = [0.0] * number

    def next(self) -> int:
        """The number of the endpoint that is tried now."""
        now = self._clock.monotonic_ns()
        at = min(range(len(self._tried)), key=lambda at: (max(self._not_before_ns[at], now), self._tried[at], at))
        self._tried[at] += 1
        return at

    def failed(self, at: int, failure: UpstreamError) -> None:
        """Note what an endpoint asks for."""
        if not isinstance(failure, UpstreamRefusedError):
            return
        if failure.upstream_status in KEY_REFUSED:
            self._not_before_ns[at] = math.inf
        elif failure.retry_after is not None:
            self._not_before_ns[at] = self._clock.monotonic_ns() + failure.retry_after * NANOSECONDS

    @property
    def has_fresh(self) -> bool:
        """Whether somebody has not been tried."""
        return 0 in self._tried

    @property
    def owed(self) -> float:
        """Seconds until somebody may be tried."""
        return max(0.0, (min(self._not_before_ns) - self._clock.monotonic_ns()) / NANOSECONDS)


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
