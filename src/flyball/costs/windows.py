"""Which window people mean. Windows are whole hours in UTC; nothing lies after the hour that is now. Pure: the moment is given."""

from datetime import UTC, datetime, timedelta

from flyball.audit.service import time_of
from flyball.kit.clock import NANOSECONDS
from flyball.kit.errors import InvalidInputError
from flyball.projects.expiry import span_seconds

from .errors import CostsInvalidError
from .records import Window

HOUR_NS = 3_600 * NANOSECONDS
DAY_NS = 24 * HOUR_NS
LONGEST_DAYS = 1_830  # five years
_FAR = 2**62 - 1
_USUAL = "30d"
_HOW = "say --last 24h, 7d, 30d, month or last-month, or --since 2026-11-01 --until 2026-11-15"


def window_of(now_ns: int, *, since: str = "", until: str = "", last: str = "") -> Window:
    """The window from one date or time to another, or the last hours, days or weeks; the last thirty days of nothing.

    An `until` that is a date means its end. What goes on beyond this hour is cut there, and what has begun counts as a whole hour.

    Raises:
        CostsInvalidError: it ends before it begins, lies in the future, or is longer than five years.
        TimeUnreadableError: a text is neither a date nor a time.
    """
    if last and (since or until):
        raise CostsInvalidError(
            "a window is said by --last, or by --since and --until, and not by both", next_step=_HOW
        )
    if last or not (since or until):
        return _last(now_ns, last or _USUAL)
    from_ns, to_ns = min(time_of(since), _FAR), min(time_of(until, whole_day=True) or now_ns, _FAR)
    if not since:
        from_ns = max(0, to_ns - span_seconds(_USUAL) * NANOSECONDS)
    return check(Window(from_ns, to_ns), now_ns)


def check(window: Window, now_ns: int) -> Window:
    """A window in whole hours, cut where the hour that is now ends. Raises CostsInvalidError for one that cannot be."""
    since, until = window
    if not (0 <= since <= _FAR and 0 <= until <= _FAR):
        raise CostsInvalidError("flyball counts from 1970 on, and not for ever", next_step=_HOW)
    if until <= since:
        raise CostsInvalidError(f"the window ends ({_text(until)}) before it begins ({_text(since)})", next_step=_HOW)
    if since >= _next_hour(now_ns):
        raise CostsInvalidError(f"the window begins at {_text(since)}, which is in the future", next_step=_HOW)
    since, until = since - since % HOUR_NS, min(until + -until % HOUR_NS, _next_hour(now_ns))
    if until - since > LONGEST_DAYS * DAY_NS:
        raise CostsInvalidError(
            f"the window is {(until - since) // DAY_NS:,} days long; the most is {LONGEST_DAYS:,}", next_step=_HOW
        )
    return Window(since, until)


def month_of(text: str, now_ns: int) -> tuple[str, Window]:
    """A month's name and bounds, which may lie ahead: `2026-11`; this one of nothing. Raises CostsInvalidError."""
    this = datetime.fromtimestamp(now_ns // NANOSECONDS, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    first = this
    if text:
        try:
            first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise CostsInvalidError(f"{text!r:.40} is no month", next_step="write it as 2026-11") from None
    if first > this or first.year < 1970:
        raise CostsInvalidError(
            f"the month {text:.40} {'lies ahead' if first > this else 'is before 1970'}",
            next_step="ask for this month, or for one that is over",
        )
    after = (first + timedelta(days=31)).replace(day=1)
    return f"{first:%Y-%m}", Window(_ns(first), _ns(after))


def _last(now_ns: int, text: str) -> Window:
    if text in ("month", "last-month"):
        _, month = month_of("", now_ns)
        return (
            month_of(f"{_moment(month.since_ns - 1):%Y-%m}", now_ns)[1]
            if text == "last-month"
            else check(month, now_ns)
        )
    try:
        long = span_seconds(text) * NANOSECONDS
    except InvalidInputError:
        long = 0
    if not long:
        raise CostsInvalidError(f"{text!r:.40} is no span of time", next_step=_HOW)
    until = _next_hour(now_ns)
    return check(Window(max(0, until - max(long, HOUR_NS)), until), now_ns)


def _next_hour(now_ns: int) -> int:
    return now_ns - now_ns % HOUR_NS + HOUR_NS


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * NANOSECONDS


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // NANOSECONDS, UTC)


def _text(ns: int) -> str:
    try:
        return f"{_moment(ns):%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError):
        return "a time that nobody can write"
