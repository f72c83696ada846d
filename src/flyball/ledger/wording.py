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
_NAMES = {"nano_usd": "", "requests": " requests", "tokens": " tokens", "parallel": " parallel calls"}
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
    return f"{amount:,}{_NAMES[unit]}"


def window_words(unit: Unit, window: str) -> str:
    """`per month`, `in all`, `within 3600 s`; nothing of parallel calls."""
    if unit == "parallel":
        return ""
    if window == "total":
        return "in all"
    return f"within {window.partition(':')[2]} s" if window.startswith("rolling:") else f"per {window}"


def scope_text(kind: str, name: str) -> str:
    """`key backend`, `project`."""
    return f"{kind} {name}".rstrip()


def quota_name(quota: Quota, name: str) -> str:
    """What people call a quota: `key backend, per month`."""
    what = "budget" if quota.unit == "nano_usd" else quota.unit
    words = window_words(quota.unit, quota.window)
    return f"{what} of {scope_text(quota.scope_kind, name)}" + (f" {words}" if words else "")
