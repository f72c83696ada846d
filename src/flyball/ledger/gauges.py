"""How a budget or limit is drawn: a bar of what is settled, leased and free, in words and in parts of the whole. Pure."""

from urllib.parse import quote, urlencode

import msgspec

from flyball.kit.clock import to_datetime

from .declared import Declared, Family
from .windows import counts_from_ns, ends_ns, is_rolling
from .wording import amount_text, window_words

_NAMES = {"requests": "requests", "tokens": "tokens", "parallel": "parallel calls"}
_NEAR = 80  # percent, where a quota names no alerts


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """A quota and its bar. `settled_to`, `leased_to`, `limit_at` and `marks` (its alerts) are places from 0 to 100 on it.

    `amount`, `settled`, `leased` and `free` are in words, `figures` the last three without their unit; `window_ends_ns` is None where it never does, or rolls.
    """

    quota: Declared
    family: Family
    href: str
    amount: str
    figures: tuple[str, str, str]
    settled: str
    leased: str
    free: str
    per: str
    percent: int
    settled_to: float
    leased_to: float
    limit_at: float
    marks: tuple[float, ...]
    word: str
    tone: str
    rolls: bool
    window_ends_ns: int | None
    entries: str

    @property
    def what(self) -> str:
        """Budget, or limit of what."""
        return "budget" if self.family == "budget" else f"limit of {_NAMES[self.quota.unit]}"

    @property
    def spoken(self) -> str:
        """The bar in words."""
        return f"{self.settled} used, {self.leased} held by workers, {self.free} left of {self.amount}"


def gauge(quota: Declared, now_ns: int) -> Gauge:
    """The quota as it is drawn."""
    used = quota.settled + quota.leased
    whole = max(quota.amount, used, 1)
    family: Family = "budget" if quota.unit == "nano_usd" else "limit"
    words = {name: amount_text(quota.unit, getattr(quota, name)) for name in ("amount", "settled", "leased", "free")}
    percent = 100 * used // quota.amount if quota.amount else 100
    word, tone = _state(quota, percent)
    rolls = is_rolling(quota.window)
    calendar = not rolls and quota.unit != "parallel"
    return Gauge(
        quota=quota,
        family=family,
        href=f"/{family}s/{quote(quota.id, safe='')}",
        per=window_words(quota.unit, quota.window),
        percent=percent,
        settled_to=100 * quota.settled / whole,
        leased_to=100 * used / whole,
        limit_at=100 * quota.amount / whole,
        marks=tuple(place for alert in quota.alerts if (place := alert * quota.amount / whole) < 100),
        word=word,
        tone=tone,
        rolls=rolls,
        window_ends_ns=ends_ns(quota.window, now_ns) if calendar else None,
        figures=(
            (words["settled"], words["leased"], words["free"])
            if family == "budget"
            else (f"{quota.settled:,}", f"{quota.leased:,}", f"{quota.free:,}")
        ),
        entries=_entries(quota, now_ns),
        **words,
    )


def _state(quota: Declared, percent: int) -> tuple[str, str]:
    """How it stands in a word or two, and how that is meant."""
    if quota.stop == "soft":
        return (f"{percent:,} % used", "warn" if percent >= _near(quota) else "")
    if not quota.amount:
        return "lets nothing in", "bad"
    if quota.settled >= quota.amount:
        return "used up", "bad"
    if not quota.free:
        return ("all in use" if quota.unit == "parallel" else "all held"), "warn"
    return f"{percent:,} % used", "warn" if percent >= _near(quota) else ""


def _near(quota: Declared) -> int:
    return min(quota.alerts, default=_NEAR)


def _entries(quota: Declared, now_ns: int) -> str:
    """Where the entries that it counts in its window are listed; those of this project, where it counts more."""
    asked: dict[str, str] = {}
    if quota.scope_kind not in ("organisation", "project"):
        name = quota.scope.partition(" ")[2]
        asked[quota.scope_kind] = quota.scope_id if quota.scope_kind == "key" else name
    if quota.window != "total":
        since_ns = counts_from_ns(quota.window, now_ns) if is_rolling(quota.window) else quota.window_ns
        asked["since"] = f"{to_datetime(since_ns):%Y-%m-%dT%H:%M:%SZ}"
    return "/ledger" + (f"?{urlencode(asked)}" if asked else "")
