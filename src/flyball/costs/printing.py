"""How costs read in a terminal."""

from typing import Any

from flyball.kit.money import format_usd
from flyball.surface.console import as_time


def amount(nano: Any) -> str:
    """`$1.50`; what nobody knows is `unknown`, never 0."""
    return "unknown" if nano is None else format_usd(nano) if nano else "$0"


def signed(nano: Any) -> str:
    """`+$1.50`, `-$0.000010`; a dash of nothing."""
    if not nano:
        return "-"
    return ("+" if nano > 0 else "-") + format_usd(abs(nano))


def as_share(share: Any) -> str:
    """`12.5 %`."""
    return "" if share is None else f"{100 * share:.1f} %"


def as_name(name: Any) -> str:
    """A name; of entries that name none, that."""
    return str(name) or "(none)"


def spell_window(window: Any) -> str:
    """`2026-11-01 00:00:00 to 2026-11-08 00:00:00`."""
    return f"{as_time(window[0])} to {as_time(window[1])}"
