"""How people write amounts, windows and scopes of budgets and limits, and how they are told. Pure; knows no store.

Money is written in USD and kept in nano-dollars; whatever is finer than one is refused, so that no digit is lost silently.
"""

import re
from difflib import get_close_matches
from typing import NamedTuple, cast, get_args

from flyball.kit.errors import InvalidInputError
from flyball.kit.money import NANO, format_usd, parse_usd
from flyball.projects.expiry import span_seconds

from .errors import QuotaInvalidError
from .records import MOST, Quota, ScopeKind, Unit, check_amount
from .windows import check_window

KINDS: tuple[str, ...] = get_args(ScopeKind)
_WHOLE = ("organisation", "project")
_USD = re.compile(r"\$?(\d{1,20})(?:\.(\d{1,30}))?", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[0-9]{1,20}|[0-9]{1,3}(?:[, _][0-9]{3}){1,6}", re.ASCII)
_LONGEST_PERCENT = 10
_NAMES = {"nano_usd": "", "requests": " request", "tokens": " token", "parallel": " parallel call"}
_LONGEST_NAME = 200
_HOW_SCOPE = "say one of key NAME, member NAME, function NAME, model NAME, tag NAME, project, organisation"


class ScopeWords(NamedTuple):
    """A scope as people say it."""

    kind: ScopeKind
    name: str


def usd_amount(text: str) -> int:
    """`25`, `0.50` or `$25` as nano-dollars. Raises QuotaInvalidError for anything else, and for what is finer than one of them."""
    found = _USD.fullmatch(text.strip())
    if found is None:
        raise QuotaInvalidError(
            f"{text!r:.60} is no amount in USD", next_step="write such as 25 or 0.50; 0 lets nothing through"
        )
    if (found[2] or "").rstrip("0")[9:]:
        raise QuotaInvalidError(
            f"{text!r:.60} is finer than a nano-dollar, which is the smallest amount",
            next_step="write nine decimals at most",
        )
    amount = parse_usd(text.strip().removeprefix("$"))
    if amount > MOST:
        raise QuotaInvalidError(
            f"{text!r:.60} is more than a budget can be",
            next_step=f"write at most {MOST // NANO} (USD), or set no budget",
        )
    return check_amount("nano_usd", amount)


def whole_amount(text: str) -> int:
    """`200000`, or `200,000` as people group it. Raises QuotaInvalidError for anything else."""
    if _WHOLE_NUMBER.fullmatch(text.strip()) is None:
        raise QuotaInvalidError(
            f"{text!r:.60} is no whole number", next_step="write such as 600 or 200,000; 0 lets nothing through"
        )
    return int(re.sub(r"[, _]", "", text))


def limit_unit(text: str) -> Unit:
    """What a limit can be of. Raises QuotaInvalidError."""
    if text not in _NAMES or text == "nano_usd":
        raise QuotaInvalidError(
            f"{text!r:.60} is no unit of a limit", next_step="say one of requests, tokens, parallel"
        )
    return cast("Unit", text)


def percents(text: str) -> tuple[int, ...]:
    """`50, 80` as thresholds. Raises QuotaInvalidError for what is no number."""
    words = text.replace(",", " ").replace("%", " ").split()
    if wrong := [word for word in words if not (word.isascii() and word.isdigit() and len(word) < _LONGEST_PERCENT)]:
        raise QuotaInvalidError(f"{wrong[0]!r:.30} is no threshold", next_step="write percentages such as 50, 80, 100")
    return tuple(map(int, words))


def window_text(text: str, unit: Unit) -> str:
    """The window that somebody wrote; `rolling:24h` and `rolling:30d` as well. Of parallel calls there is one: `total`.

    Raises QuotaInvalidError.
    """
    if unit == "parallel":
        if text not in ("", "total"):
            raise QuotaInvalidError(
                f"a limit of parallel calls has no window, and {text!r:.60} is one", next_step="leave the window out"
            )
        return "total"
    kind, colon, length = text.partition(":")
    if kind == "rolling" and colon and not length.isdecimal():
        try:
            return check_window(f"rolling:{span_seconds(length)}")
        except InvalidInputError:
            pass
    return check_window(text)


def scope_words(text: str) -> ScopeWords:
    """`key backend`, `key:backend`, `project`: what of, and which. Raises QuotaInvalidError."""
    kind, name = _halves(text.strip())
    if kind not in KINDS:
        near = get_close_matches(kind.lower(), KINDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise QuotaInvalidError(f"{text!r:.80} is nothing that a budget or limit can be of{hint}", next_step=_HOW_SCOPE)
    if kind in _WHOLE and name:
        raise QuotaInvalidError(f"{text!r:.80}: {kind} needs no name", next_step=f"say `{kind}` alone")
    if kind not in _WHOLE and not name:
        raise QuotaInvalidError(f"a budget or limit of a {kind} has to say which", next_step=f"say `{kind} NAME`")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise QuotaInvalidError(
            f"{name!r:.80} is no name of a {kind}", next_step=f"write {_LONGEST_NAME} printable characters at most"
        )
    return ScopeWords(cast("ScopeKind", kind), name)


def _halves(text: str) -> tuple[str, str]:
    for sign in (":", " "):
        kind, _, name = text.partition(sign)
        if kind in KINDS:
            return kind, name.strip()
    return text.partition(" ")[0], ""


def amount_text(unit: Unit, amount: int) -> str:
    """`$25.00`, `1,000 tokens`."""
    if unit == "nano_usd":
        return format_usd(amount) if amount else "$0"
    return f"{amount:,}{_NAMES[unit]}{'' if amount == 1 else 's'}"


def window_words(unit: Unit, window: str) -> str:
    """`per month`, `in all`, `in any 24 h`; nothing of parallel calls."""
    if unit == "parallel":
        return ""
    if window == "total":
        return "in all"
    kind, _, seconds = window.partition(":")
    return f"in any {_span(int(seconds))}" if kind == "rolling" else f"per {window}"


def _span(seconds: int) -> str:
    """`30 d`, `24 h`, `90 s`: a time in the largest unit that says it whole."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def digits_text(unit: Unit, amount: int) -> str:
    """An amount as it is filled in, exactly: `25`, `0.5`, `200000`."""
    if unit != "nano_usd":
        return str(amount)
    whole, part = divmod(amount, NANO)
    return f"{whole}.{part:09}".rstrip("0").rstrip(".")


def scope_text(kind: str, name: str) -> str:
    """`key backend`, `project`."""
    return f"{kind} {name}".rstrip()


def quota_name(quota: Quota, name: str) -> str:
    """What people call a quota: `key backend, per month`."""
    what = "budget" if quota.unit == "nano_usd" else quota.unit
    words = window_words(quota.unit, quota.window)
    return f"{what} of {scope_text(quota.scope_kind, name)}" + (f" {words}" if words else "")


def changed_words(before: Quota | None, after: Quota) -> list[str]:
    """What setting it again has changed: also what was not said, and is as usual again."""
    if before is None:
        return []
    notes = []
    if before.amount != after.amount:
        notes.append(f"it was {amount_text(before.unit, before.amount)} before")
    if before.stop != after.stop:
        notes.append(f"it was {before.stop} before, and is {after.stop} now")
    if before.when_away != after.when_away:
        notes.append(f"while PostgreSQL is away it was {before.when_away} before, and is {after.when_away} now")
    if before.open_bound != after.open_bound:
        was = amount_text(before.unit, before.open_bound) if before.open_bound else "what a lease would be"
        notes.append(f"while PostgreSQL is away a worker might spend {was} before")
    if before.alerts != after.alerts:
        was = ", ".join(f"{percent} %" for percent in before.alerts) or "none"
        notes.append(f"its thresholds were {was} before")
    return notes
