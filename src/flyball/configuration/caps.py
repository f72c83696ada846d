"""Budgets and limits as a flyball.yaml writes them: what a section means, what is wrong with it, how one that is there is written. Pure."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias

from flyball.kit.errors import FlyballError
from flyball.kit.money import NANO
from flyball.ledger import quotas
from flyball.ledger.declared import KnownQuota, QuotaWish
from flyball.ledger.errors import QuotaInvalidError
from flyball.ledger.records import Unit
from flyball.ledger.wording import scope_text, scope_words, usd_amount, window_text

from .records import BudgetSection, Configuration, LimitSection, Number, Problem
from .tree import Path, Tree

Section: TypeAlias = BudgetSection | LimitSection
_LARGEST_PLAIN = 2**53 - 1  # what every reader of YAML and JSON keeps exactly


def sections(configuration: Configuration) -> Iterator[tuple[Path, Section]]:
    """Every budget, then every limit, each with its place in the file."""
    for number, budget in enumerate(configuration.budgets):
        yield ("budgets", number), budget
    for number, limit in enumerate(configuration.limits):
        yield ("limits", number), limit


def problems_of(configuration: Configuration, tree: Tree) -> list[Problem]:
    """What is wrong with them by themselves, each at its field."""
    found: list[Problem] = []
    for path, section in sections(configuration):
        before = len(found)
        for field in ("scope", "per", *_amounts(section)):
            try:
                _read(section, field)
            except FlyballError as error:
                found.append(tree.problem((*path, field), error.message, error.next_step))
        if len(found) > before:
            continue
        try:
            quotas.check_wish(wish_of(section))
        except FlyballError as error:
            found.append(tree.problem(path, error.message, error.next_step))
    return found


def _read(section: Section, field: str) -> None:
    value = getattr(section, field)
    if field == "scope":
        if scope_words(value).kind == "organisation":
            raise QuotaInvalidError(
                "what counts the whole organisation is not a project's to declare",
                next_step="its owners set it: `flyball budgets set USD organisation`",
            )
    elif field == "per":
        window_text(_window(section), _unit(section))
    else:
        _amount(section, field)


def _amounts(section: Section) -> tuple[str, ...]:
    return ("usd", "open_usd") if isinstance(section, BudgetSection) else ("amount", "open_bound")


def _unit(section: Section) -> Unit:
    return "nano_usd" if isinstance(section, BudgetSection) else section.unit


def _window(section: Section) -> str:
    if isinstance(section, BudgetSection):
        return section.per
    return section.per or ("total" if section.unit == "parallel" else "minute")


def _amount(section: Section, field: str) -> int:
    value: Number = getattr(section, field)
    if isinstance(section, BudgetSection):
        return usd_amount(format(Decimal(repr(value)), "f") if isinstance(value, int | float) else value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if not isinstance(value, int):
        raise QuotaInvalidError(f"{value!r:.60} is no amount", next_step="write a whole number from 0")
    return value


def wish_of(section: Section) -> QuotaWish:
    """The quota that a section asks for. Raises QuotaInvalidError for what is no amount."""
    amount, bound = _amounts(section)
    return QuotaWish(
        scope=section.scope,
        unit=_unit(section),
        amount=_amount(section, amount),
        window=_window(section),
        stop=section.stop,
        when_away=section.when_away,
        open_bound=_amount(section, bound),
        alerts=section.alerts,
    )


def section_of(known: KnownQuota) -> Section:
    """A quota as a file declares it."""
    return budget_section(known) if known.quota.unit == "nano_usd" else limit_section(known)


def budget_section(known: KnownQuota) -> BudgetSection:
    """A budget as a file declares it."""
    quota = known.quota
    return BudgetSection(
        scope=scope_text(quota.scope_kind, known.name),
        usd=_usd(quota.amount),
        per=quota.window,
        stop=quota.stop,
        when_away=quota.when_away,
        open_usd=_usd(quota.open_bound),
        alerts=quota.alerts,
    )


def limit_section(known: KnownQuota) -> LimitSection:
    """A limit as a file declares it."""
    quota = known.quota
    assert quota.unit != "nano_usd"  # noqa: S101 -- that is a budget
    return LimitSection(
        scope=scope_text(quota.scope_kind, known.name),
        unit=quota.unit,
        amount=_whole(quota.amount),
        per="" if quota.unit == "parallel" else quota.window,
        stop=quota.stop,
        when_away=quota.when_away,
        open_bound=_whole(quota.open_bound),
        alerts=quota.alerts,
    )


def _usd(nano_usd: int) -> Number:
    """Exactly: `25`, or `"0.5"` as text, which no reader rounds."""
    whole, part = divmod(nano_usd, NANO)
    return _whole(whole) if not part else f"{whole}.{part:09}".rstrip("0")


def _whole(amount: int) -> int | str:
    return amount if amount <= _LARGEST_PLAIN else str(amount)
