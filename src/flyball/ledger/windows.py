"""When a window of a quota begins and ends, and which rows of a counter count at a moment.

Calendar windows are UTC's, weeks from Monday. A rolling window is counted in 60 buckets: a charge counts until its whole bucket
has left the window, so it frees at most a sixtieth of the window late, and never early. Knows no clock: every moment is given.
"""

from datetime import UTC, datetime, timedelta

from .errors import QuotaInvalidError

CALENDAR = ("minute", "hour", "day", "week", "month")
BUCKETS = 60
SHORTEST_ROLLING, LONGEST_ROLLING = 60, 366 * 86_400  # seconds
_SECOND = 1_000_000_000
_FIXED = {"minute": 60 * _SECOND, "hour": 3_600 * _SECOND, "day": 86_400 * _SECOND}
_WEEK = 7 * _FIXED["day"]
_FIRST_MONDAY = 4 * _FIXED["day"]  # 1970-01-05
FAR_NS = 7_258_118_400 * _SECOND  # the year 2200: what a window ends at still fits an int64


def check_window(text: str) -> str:
    """The window that a person wrote: `minute hour day week month total rolling:SECONDS`. Raises QuotaInvalidError."""
    if text in CALENDAR or text == "total":
        return text
    kind, colon, seconds = text.partition(":")
    if kind == "rolling" and colon and seconds.isascii() and seconds.isdigit() and len(seconds) <= 12:
        if SHORTEST_ROLLING <= int(seconds) <= LONGEST_ROLLING:
            return f"rolling:{int(seconds)}"
        raise QuotaInvalidError(
            f"a rolling window of {int(seconds)} seconds is none",
            next_step=f"say {SHORTEST_ROLLING} to {LONGEST_ROLLING} seconds (366 days)",
        )
    raise QuotaInvalidError(
        f"{text!r:.80} is no window", next_step=f"say one of {', '.join(CALENDAR)}, total, or rolling:SECONDS"
    )


def window_of(window: str, at_ns: int) -> int:
    """Which row of a counter a moment falls in: the start of its window, of its bucket where it rolls; 0 for `total`.

    Raises QuotaInvalidError for a moment that no clock tells: before 1970, or past the year 2199.
    """
    if isinstance(at_ns, bool) or not isinstance(at_ns, int) or not 0 <= at_ns < FAR_NS:
        raise QuotaInvalidError(f"{at_ns!r:.80} is no moment", next_step="set the clock of the machine")
    if window in _FIXED:
        return at_ns - at_ns % _FIXED[window]
    if window == "week":
        return at_ns - (at_ns - _FIRST_MONDAY) % _WEEK if at_ns >= _FIRST_MONDAY else 0
    if window == "month":
        return _ns(datetime.fromtimestamp(at_ns // _SECOND, UTC).replace(day=1, hour=0, minute=0, second=0))
    if window == "total":
        return 0
    return at_ns - at_ns % bucket_ns(window)


def ends_ns(window: str, at_ns: int) -> int | None:
    """When the calendar window around a moment ends; None: it never does, or rolls."""
    start = window_of(window, at_ns)
    if window in _FIXED:
        return start + _FIXED[window]
    if window == "week":
        return start + _WEEK if start else _FIRST_MONDAY
    if window == "month":
        first = datetime.fromtimestamp(start // _SECOND, UTC)
        return _ns((first + timedelta(days=31)).replace(day=1))
    return None


def counts_from_ns(window: str, now_ns: int) -> int:
    """The first row of a counter that counts now: rows from there on do (of a calendar window, that row alone)."""
    if not is_rolling(window):
        return window_of(window, now_ns)
    return window_of(window, max(0, now_ns - _length_ns(window)))


def frees_ns(window: str, now_ns: int, oldest_ns: int | None = None) -> int | None:
    """When something frees by time alone: the window's end, or when the oldest bucket used has rolled out. None: never."""
    if not is_rolling(window):
        return ends_ns(window, now_ns)
    oldest = window_of(window, now_ns) if oldest_ns is None else oldest_ns
    return oldest + bucket_ns(window) + _length_ns(window)


def is_rolling(window: str) -> bool:
    """Whether it is counted in buckets."""
    return window.startswith("rolling:")


def bucket_ns(window: str) -> int:
    """How long a bucket of a rolling window is: a sixtieth of it, rounded up."""
    return -(-_length_ns(window) // BUCKETS)


def _length_ns(window: str) -> int:
    return int(window.removeprefix("rolling:")) * _SECOND


def _ns(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp()) * _SECOND
