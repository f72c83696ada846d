"""What the commands of budgets and limits have in common: tables, what a scope's words are, which one is meant. Knows no route."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from flyball.kit.errors import ConflictError, NotFoundError
from flyball.surface.console import Column, OptionGroup, as_time, as_words, say, show_list, show_one, wants_json

from .declared import Family
from .wording import amount_text, window_words

_QUOTA_ID = "quo_"
_LEASES = (
    Column("worker"),
    Column("held", right=True),
    Column("granted_ns", "granted", as_time),
    Column("expires_ns", "expires", as_time),
    Column("promised", "gives back what is idle"),
)


_PASSED = (
    Column("share", "passed", right=True),
    Column("used_text", "used", right=True),
    Column("at_ns", "at", as_time),
    Column("window_ns", "in the window from", as_time),
    Column("told_text", "told"),
)


@dataclass(frozen=True, slots=True)
class Behaviour(OptionGroup):
    """What happens at a quota's end, and what it counts."""

    soft: Annotated[bool, typer.Option("--soft", help="Count and tell, and stop nothing.")] = False
    closed: Annotated[bool, typer.Option("--closed", help="Let nothing through while PostgreSQL does not answer.")] = (
        False
    )
    alert: Annotated[
        list[int] | None,
        typer.Option(help="A percentage at which `flyball notifications` are sent; may be repeated."),
    ] = None
    organisation_wide: Annotated[
        bool, typer.Option("--organisation-wide", help="Count all projects; for owners of the organisation.")
    ] = False


def as_asked(behaviour: Behaviour) -> dict[str, Any]:
    """The same as fields of a request."""
    return {
        "stop": "soft" if behaviour.soft else "hard",
        "when_away": "closed" if behaviour.closed else "open",
        "alerts": behaviour.alert or [],
        "organisation_wide": behaviour.organisation_wide,
    }


def readable(quota: dict[str, Any]) -> dict[str, Any]:
    """A quota with its amounts and window in words beside the numbers."""
    amounts = {name: amount_text(quota["unit"], quota[name]) for name in ("amount", "settled", "leased", "free")}
    used = 100 * (quota["settled"] + quota["leased"]) // quota["amount"] if quota["amount"] else 100
    words = window_words(quota["unit"], quota["window"])
    wide = " (all projects)" if quota["organisation_wide"] and quota["scope_kind"] != "organisation" else ""
    return quota | {"text": amounts, "per": words, "used": f"{used} %", "of": quota["scope"] + wide}


def columns_of(family: Family) -> tuple[Column, ...]:
    """A list's columns."""
    return (
        Column("of"),
        Column("text.amount", family, right=True),
        Column("per", " "),
        Column("text.settled", "used", right=True),
        Column("text.leased", "held by workers", right=True),
        Column("text.free", "left", right=True),
        Column("used", " ", right=True),
        Column("stop"),
        Column("id"),
    )


def show_quotas(page: dict[str, Any], family: Family) -> None:
    """A page of quotas as a table; with `--json` as it is."""
    empty = f"No {family}s: `flyball {family}s set AMOUNT SCOPE` makes one."
    shown = page if wants_json() else page | {"items": [readable(quota) for quota in page["items"]]}
    show_list(shown, columns_of(family), empty=empty)


def show_quota(quota: dict[str, Any], family: Family) -> None:
    """One quota, and what its reader should know of it."""
    if wants_json():
        return show_one(quota)
    columns = (
        Column("of"),
        Column("text.amount", family),
        Column("per", "window"),
        Column("text.settled", "used"),
        Column("text.leased", "held by workers"),
        Column("text.free", "left"),
        Column("frees_ns", "frees", as_time),
        Column("stop"),
        Column("when_away", "when PostgreSQL is away"),
        Column("alerts", "alerts at %", as_words),
        Column("id"),
    )
    show_one(readable(quota), columns)
    for note in quota["notes"]:
        say(f"note: {note}")
    return None


def show_with_leases(found: dict[str, Any], family: Family) -> None:
    """One quota and the leases of it."""
    if wants_json():
        return show_one(found)
    show_quota(found["quota"], family)
    say("")
    unit = found["quota"]["unit"]
    held = [lease | {"held": amount_text(unit, lease["amount"])} for lease in found["leases"]]
    show_list(held, _LEASES, empty="No worker holds any of it.")
    if found["quota"]["alerts"] or found["passed"]:
        say("")
        passed = [_passed(unit, one) for one in found["passed"]]
        show_list(passed, _PASSED, empty="None of its thresholds was passed lately.")
    return None


def _passed(unit: Any, passed: dict[str, Any]) -> dict[str, Any]:
    told = [
        f"{one['address']}: {one['state'].replace('_', ' ')}"
        + (f" after {one['tries']} tries ({one['error']})" if one["error"] else "")
        for one in passed["told"]
    ]
    return passed | {
        "share": f"{passed['threshold']} % of {amount_text(unit, passed['amount'])}",
        "used_text": amount_text(unit, passed["used"]),
        "window_ns": passed["window_ns"] or None,
        "told_text": "; ".join(told) or "nobody: `flyball notifications add` says whom",
    }


def is_id(words: Sequence[str]) -> bool:
    """Whether somebody named a quota by its id."""
    return len(words) == 1 and words[0].startswith(_QUOTA_ID)


def the_one(found: Sequence[dict[str, Any]], words: Sequence[str], family: Family) -> str:
    """The id of the only quota that was found of a scope. Raises NotFoundError, ConflictError with the ids of them all."""
    scope = " ".join(words)
    if not found:
        raise NotFoundError(f"there is no {family} of {scope!r:.100}", next_step=f"`flyball {family}s list` shows them")
    if len(found) > 1:
        each = ", ".join(
            f"{quota['id']} ({amount_text(quota['unit'], quota['amount'])} {quota['window']})" for quota in found
        )
        raise ConflictError(
            f"{scope} has {len(found)} {family}s: {each}",
            next_step=f"name one by its id, or by --per: `flyball {family}s show ID`",
        )
    return str(found[0]["id"])
