"""Costs as a page: what was spent, by whom, why it changed, where the month ends, what a call costs and what was saved.

Parse, the verbs, render: no sum is made here.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import Annotated, NamedTuple
from urllib.parse import quote, urlencode

import msgspec
from fastapi import Depends

from flyball.kit.clock import to_datetime
from flyball.kit.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from flyball.surface.html import Pages
from flyball.surface.http import ContextDep

from . import charts, service
from .asking import BYS, called, may_see_all
from .records import Filters, Forecast, Mover, Movers, Savings, Spend, SpendRow, UnitRow, Units, Window

pages = Pages(tag="costs", section="/costs")

_USUAL = "30d"
_MOST_ROWS, _MOST_MOVERS, _MOST_UNITS = 25, 12, 40
LASTS = (
    ("24h", "the last 24 hours"),
    ("7d", "the last 7 days"),
    ("30d", "the last 30 days"),
    ("90d", "the last 90 days"),
    ("month", "this month"),
    ("last-month", "the month before"),
)
_NEXT = {
    "model": "function",
    "function": "variant",
    "project": "key",
}  # by what a name that was chosen is looked at; else by model
_PLACES = {"key": "/keys/{}", "release": "/releases/{}"}  # what the ledger names and is there for good
_OF_ENTRIES = ("key", "member", "function", "model", "tag", "state")  # what entries of the ledger are narrowed to


@dataclass(frozen=True, slots=True, kw_only=True)
class CostsAsked:
    """What was asked for, as it was written: a window, a dimension, and names that costs are narrowed to. `wide`: everywhere."""

    last: str = ""
    since: str = ""
    until: str = ""
    by: str = "model"
    wide: str = ""
    project: str = ""
    key: str = ""
    member: str = ""
    function: str = ""
    variant: str = ""
    release: str = ""
    model: str = ""
    provider: str = ""
    tag: str = ""
    state: str = ""

    @property
    def filters(self) -> Filters:
        """The names, for the verbs."""
        return Filters(**{name: getattr(self, name).strip() for name in Filters.__struct_fields__})

    @property
    def narrowed(self) -> tuple[tuple[str, str], ...]:
        """The names that are given, by what they are."""
        return tuple((name, value) for name in Filters.__struct_fields__ if (value := getattr(self, name)))

    @property
    def when(self) -> dict[str, str]:
        """The window: dates are meant where there are some."""
        if self.since or self.until:
            return {"since": self.since.strip(), "until": self.until.strip()}
        return {"last": self.last or _USUAL}

    def to(self, **changes: str) -> str:
        """The address of this page with something changed."""
        asked = asdict(self) | changes
        dated = asked["since"] or asked["until"]
        kept = {name: value for name, value in asked.items() if value and not (name == "last" and dated)}
        return "/costs" + (f"?{urlencode(kept)}" if kept else "")

    @property
    def export(self) -> str:
        """What asks for the same window as a file."""
        return urlencode(self.when | ({"organisation_wide": "true"} if self.wide else {}))


class Row(NamedTuple):
    """A name that cost something, where it is narrowed to, and its own page; empty where there is none."""

    row: SpendRow
    href: str
    page: str


class Change(NamedTuple):
    """Whose cost changed, where that is narrowed to, and its bar."""

    mover: Mover
    href: str
    bar: charts.Span


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. Unit costs are of the project, savings of everything: neither is narrowed to other names than a function's.

    `entries` is where the entries behind it are listed; empty where the ledger cannot be narrowed like this. `called` are the
    names that it is narrowed to, as people say them.
    """

    spend: Spend
    rows: tuple[Row, ...]
    chart: charts.Chart
    movers: Movers
    changes: tuple[Change, ...]
    forecast: Forecast
    outlook: charts.Outlook
    units: Units
    unit_rows: tuple[UnitRow, ...]
    savings: Savings
    entries: str
    called: Filters


class CostsPage(msgspec.Struct, frozen=True, kw_only=True):
    """What templates/costs.html shows. `report` is None where `wrong` says why. `may_see_all`: of the whole organisation."""

    asked: CostsAsked
    bys: tuple[str, ...]
    lasts: tuple[tuple[str, str], ...]
    may_see_all: bool
    report: Report | None
    wrong: str = ""


@pages.get("/costs", permission="ledger.read", template="costs/costs.html")
async def show_costs(ctx: ContextDep, asked: Annotated[CostsAsked, Depends()]) -> CostsPage:
    """What calls have cost."""
    page = CostsPage(asked=asked, bys=BYS, lasts=LASTS, may_see_all=await may_see_all(ctx), report=None)
    try:
        window = service.window_of(ctx, **asked.when)
        return msgspec.structs.replace(page, report=await _report(ctx, asked, window))
    except (InvalidInputError, NotFoundError, ForbiddenError, ConflictError) as error:
        if asked == CostsAsked():
            raise
        return msgspec.structs.replace(page, wrong=str(error))


async def _report(ctx: ContextDep, asked: CostsAsked, window: Window) -> Report:
    filters, wide = asked.filters, bool(asked.wide)
    spend, movers, forecast, units, savings = await asyncio.gather(
        service.spend(ctx, window, asked.by, filters, organisation_wide=wide, limit=_MOST_ROWS),
        service.movers(ctx, window, asked.by, filters, organisation_wide=wide, limit=_MOST_MOVERS),
        service.forecast(ctx, filters=filters, organisation_wide=wide),
        service.units(ctx, window, function=filters.function),
        service.savings(ctx, window, organisation_wide=wide),
    )
    most = max((abs(mover.moved.delta) for mover in movers.rows), default=0)
    return Report(
        spend=spend,
        rows=tuple(Row(row, _narrower(asked, row), _place(asked, row)) for row in spend.rows),
        chart=charts.chart(spend),
        movers=movers,
        changes=tuple(Change(mover, _narrower(asked, mover), charts.change(mover, most)) for mover in movers.rows),
        forecast=forecast,
        outlook=charts.outlook(forecast),
        units=units,
        unit_rows=units.rows[:_MOST_UNITS],
        savings=savings,
        entries=_entries(asked, window),
        called=await called(ctx, filters),
    )


def _narrower(asked: CostsAsked, row: SpendRow | Mover) -> str:
    """The same page for this name alone; empty for what bears none, and for what it is narrowed to already."""
    if not row.id or asked.by in dict(asked.narrowed):
        return ""
    names = {asked.by: row.id if asked.by == "key" else row.name}
    if asked.by == "variant":
        names["function"] = row.of
    if asked.by == "key" and row.of:
        names["project"] = row.of
    return asked.to(**names, by=_NEXT.get(asked.by, "model"))


def _place(asked: CostsAsked, row: SpendRow) -> str:
    if not row.id or asked.wide:
        return ""
    return _PLACES.get(asked.by, "").format(quote(row.id, safe=""))


def _entries(asked: CostsAsked, window: Window) -> str:
    names = dict(asked.narrowed)
    if asked.wide or names.keys() - set(_OF_ENTRIES):
        return ""
    times = {"since": window.since_ns, "until": window.until_ns}
    told = {name: f"{to_datetime(ns):%Y-%m-%dT%H:%M:%SZ}" for name, ns in times.items()}
    return f"/ledger?{urlencode(names | told)}"
