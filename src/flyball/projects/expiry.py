"""Until when something works, as people write it: `90d`, `2027-01-31`, `2027-01-31T12:00+01:00`. Knows no key."""

import re
from datetime import UTC, datetime

from flyball.kit.clock import NANOSECONDS, to_datetime
from flyball.kit.errors import InvalidInputError

_SPAN = re.compile(r"(\d{1,6})(m|h|d|w)", re.ASCII)
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SHORTEST_SECONDS = 60
_LONGEST_SECONDS = 100 * 366 * 86_400
_HOW = "write a time from now such as 12h, 90d or 26w, or a date such as 2027-01-31 (its beginning, in UTC)"


def span_seconds(text: str) -> int:
    """`30m`, `24h`, `7d`, `2w` or `0` as seconds. Raises InvalidInputError."""
    if text == "0":
        return 0
    found = _SPAN.fullmatch(text)
    if found is None:
        raise InvalidInputError(f"{text!r:.60} is no span of time", next_step="write 0, or such as 30m, 24h, 7d, 2w")
    return int(found[1]) * _SECONDS[found[2]]


def expiry_ns(text: str, now_ns: int) -> int | None:
    """When that is, in nanoseconds since the epoch; None for an empty text: never.

    Raises InvalidInputError for what is no time, lies in the past or less than a minute ahead, or beyond a century.
    """
    if not text:
        return None
    at_ns = now_ns + span_seconds(text) * NANOSECONDS if _SPAN.fullmatch(text) else _date_ns(text)
    if at_ns < now_ns + _SHORTEST_SECONDS * NANOSECONDS:
        raise InvalidInputError(
            f"{text!r:.60} is {_readable(at_ns)}, which is over, or less than a minute away", next_step=_HOW
        )
    if at_ns > now_ns + _LONGEST_SECONDS * NANOSECONDS:
        raise InvalidInputError(f"{text!r:.60} is more than a century away", next_step="leave it out for never")
    return at_ns


def _date_ns(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return int(found.timestamp()) * NANOSECONDS
    except (ValueError, OverflowError):
        raise InvalidInputError(f"{text!r:.60} is neither a date nor a span of time", next_step=_HOW) from None


def _readable(ns: int) -> str:
    try:
        return to_datetime(ns).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError):
        return "long ago"
