"""Budgets and limits of a flyball.yaml against those that are there: what each is of, which one it is, what it is called.

A quota has no name: it is the one of its scope, unit and window. A file declares those of its project alone; what counts the whole
organisation is its owners' to decide, by command.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from flyball.infra.context import Context
from flyball.infra.db.database import Connection
from flyball.kit.errors import FlyballError
from flyball.ledger import quotas
from flyball.ledger.declared import KnownQuota, QuotaWish
from flyball.ledger.records import Quota, Unit
from flyball.ledger.scopes import Place, find_place
from flyball.ledger.wording import scope_text, window_text, window_words

from .caps import Section, budget_section, limit_section, sections, wish_of
from .errors import ConfigurationError
from .loading import Loaded
from .records import BudgetSection, Kind, LimitSection, Problem
from .tree import Path

QuotaKey: TypeAlias = tuple[Unit, str, str, str]  # unit, kind and id of the scope, window


class Wanted(NamedTuple):
    """A quota that a file declares, and where it stands there."""

    path: Path
    place: Place
    wish: QuotaWish
    section: Section


async def resolve(connection: Connection, ctx: Context, loaded: Loaded) -> dict[QuotaKey, Wanted]:
    """What the file's quotas are of: its keys and members are those that are there now.

    Raises ConfigurationError where nobody has a name, or two sections are of the same.
    """
    found: dict[QuotaKey, Wanted] = {}
    problems: list[Problem] = []
    places: dict[str, Place] = {}
    for path, section in sections(loaded.configuration):
        wish = wish_of(section)
        try:
            place = places.get(wish.scope) or await find_place(connection, ctx, wish.scope, hints=False)
        except FlyballError as error:
            problems.append(loaded.tree.problem((*path, "scope"), error.message, error.next_step))
            continue
        places[wish.scope] = place
        key = (wish.unit, place.kind, place.scope, window_text(wish.window, wish.unit))
        if key in found:
            said = f"{_called(key, place.name)} is declared twice; there is one for each scope, unit and window"
            problems.append(loaded.tree.problem(path, said, "take one of them out, or give it another window"))
        found.setdefault(key, Wanted(path, place, wish, section))
    if problems:
        raise ConfigurationError(problems)
    return found


async def present(connection: Connection, ctx: Context) -> dict[QuotaKey, KnownQuota]:
    """The project's own quotas. One whose key or member is no more, or whose name is another's now, is left out: it counts nothing."""
    known = await quotas.of_project(connection, ctx)
    people: set[tuple[str, str]] = {
        (one.quota.scope_kind, one.name) for one in known if one.quota.scope_kind in ("key", "member")
    }
    meant: dict[tuple[str, str], str | None] = {
        (kind, name): await _meant(connection, ctx, scope_text(kind, name)) for kind, name in people
    }
    return {
        key_of(one.quota): one
        for one in known
        if meant.get((one.quota.scope_kind, one.name), one.quota.scope) == one.quota.scope
    }


async def _meant(connection: Connection, ctx: Context, scope: str) -> str | None:
    """The id of the key or member that a file means by this now; None: nobody."""
    try:
        return (await find_place(connection, ctx, scope)).scope
    except FlyballError:
        return None


def key_of(quota: Quota) -> QuotaKey:
    """What a quota is the one of."""
    return quota.unit, quota.scope_kind, quota.scope, quota.window


def kind_of(key: QuotaKey) -> Kind:
    """As which kind of thing it is declared."""
    return "budget" if key[0] == "nano_usd" else "limit"


def named(key: QuotaKey, wanted: Wanted | None, known: KnownQuota | None) -> str:
    """What people call it: `key backend per day`, `tokens of model fast per minute`."""
    return _called(key, wanted.place.name if wanted else known.name if known else "").removeprefix("budget of ")


def _called(key: QuotaKey, name: str) -> str:
    unit, scope_kind, _, window = key
    what = "budget" if unit == "nano_usd" else unit
    return f"{what} of {scope_text(scope_kind, name)} {window_words(unit, window)}".rstrip()


def is_same(wanted: Wanted, known: KnownQuota) -> bool:
    """Whether applying changes nothing of it."""
    wish, quota = wanted.wish, known.quota
    return (wish.amount, wish.stop, wish.when_away, wish.open_bound, tuple(sorted(set(wish.alerts)))) == (
        quota.amount, quota.stop, quota.when_away, quota.open_bound, quota.alerts,
    )  # fmt: skip


def exported_budgets(found: Mapping[QuotaKey, KnownQuota]) -> tuple[BudgetSection, ...]:
    """Budgets as a file declares them, in an order that stays."""
    return tuple(budget_section(found[key]) for key in _in_order(found))


def exported_limits(found: Mapping[QuotaKey, KnownQuota]) -> tuple[LimitSection, ...]:
    """Limits likewise."""
    return tuple(limit_section(found[key]) for key in _in_order(found))


def _in_order(found: Mapping[QuotaKey, KnownQuota]) -> list[QuotaKey]:
    return sorted(found, key=lambda key: (key[1], found[key].name, key[0], key[3]))
