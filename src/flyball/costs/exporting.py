"""What was spent as a file: a line per day and everything that costs are asked by, as plain CSV or in the columns of FOCUS 1.2.

The lines add up to the ledger, to the nano-dollar: money is printed as the decimal that it is. Texts that a spreadsheet would take
for a formula are led by an apostrophe.
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias, cast, get_args

from flyball.audit import service as audit
from flyball.infra.context import Context
from flyball.infra.db.database import Connection, Row
from flyball.kit.clock import NANOSECONDS
from flyball.ledger.scopes import home_of
from flyball.projects.records import Organisation

from . import store
from .asking import Asked, asked
from .errors import CostsInvalidError
from .records import Window
from .windows import DAY_NS, check, month_of

Format: TypeAlias = Literal["csv", "focus"]
_KEY = ("project", "key_id", "member", "function", "variant", "release", "model", "provider", "price_version", "state")
_TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens", "output_tokens",
    "reasoning_tokens", "audio_output_tokens",
)  # fmt: skip
_SUMS = ("nano_usd", "requests", "entries", "unpriced", "estimated", "tokens", *_TOKENS, "web_searches")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line(NamedTuple):
    """What one line is made of."""

    row: Row
    tags: tuple[str, ...]
    window: Window
    month: Window
    organisation: Organisation
    projects: Mapping[str, str]
    keys: Mapping[str, str]
    members: Mapping[str, str]


async def export(
    ctx: Context, window: Window, format_: str = "csv", *, organisation_wide: bool = False
) -> AsyncIterator[bytes]:
    """The lines of a file, many at a time; who asks is recorded.

    Raises:
        CostsInvalidError: a window or a format that is none.
        ExceedsOwnRightsError: the whole organisation is asked for by somebody who is none of its owners.
    """
    if format_ not in get_args(Format):
        raise CostsInvalidError(f"{format_!r:.40} is no format", next_step=f"say one of {', '.join(get_args(Format))}")
    window = check(window, ctx.clock.now_ns())
    wanted = await asked(ctx, window, organisation_wide=organisation_wide)
    await audit.record_read(ctx, action="costs.export", object_kind="project", object_id=ctx.project, each_time=True)
    return _lines(ctx, wanted, COLUMNS[cast("Format", format_)], every=format_ == "csv")


async def _lines(
    ctx: Context, wanted: Asked, columns: Mapping[str, "Callable[[_Line], object]"], *, every: bool
) -> AsyncIterator[bytes]:
    """The head, then a day at a time, all as the ledger was at one moment."""
    yield _written([columns])
    async with store.at_one_moment(wanted.database) as connection:
        home = await home_of(connection, ctx)
        for day in _days(wanted.where.window):
            rows = await _rows_of(connection, wanted, day)
            keys = await store.key_names(connection, wanted.where.projects, sorted({row["key_id"] for row, _ in rows}))
            members = await store.member_names(connection, sorted({row["member"] for row, _ in rows}))
            _, month = month_of(f"{_moment(day.since_ns):%Y-%m}", ctx.clock.now_ns())
            lines = [_Line(row, tags, day, month, home, wanted.projects, keys, members) for row, tags in rows]
            told = [line for line in lines if every or line.row["nano_usd"] or line.row["tokens"]]
            if told:
                yield _written([make(line) for make in columns.values()] for line in told)


def _days(window: Window) -> Iterable[Window]:
    start = window.since_ns
    while start < window.until_ns:
        end = min(start - start % DAY_NS + DAY_NS, window.until_ns)
        yield Window(start, end)
        start = end


async def _rows_of(connection: Connection, wanted: Asked, day: Window) -> list[tuple[Row, tuple[str, ...]]]:
    """A day's sums: those of each set of tags, and what of the whole is left for entries without any."""
    where = store.Where(projects=wanted.where.projects, window=day)
    (tagged,) = await store.grouped(connection, where, (*_KEY, "tags"), sums=_SUMS)
    (whole,) = await store.grouped(connection, where, _KEY, sums=_SUMS)
    found = [(row, tuple(row["tags"])) for row in tagged]
    left = {tuple(row[name] for name in _KEY): dict(row) for row in whole}
    for row in tagged:
        rest = left[tuple(row[name] for name in _KEY)]
        rest.update({name: rest[name] - row[name] for name in _SUMS})
    found += [(row, ()) for row in left.values() if row["entries"]]
    return sorted(found, key=lambda each: (*(each[0][name] for name in _KEY), each[1]))


def _written(rows: Iterable[Iterable[object]]) -> bytes:
    held = io.StringIO()
    csv.writer(held, lineterminator="\r\n").writerows([[_cell(value) for value in row] for row in rows])
    return held.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return "" if value is None else value


def usd(nano: int) -> str:
    """Nano-dollars as dollars, exactly: `0.000000001`."""
    whole, part = divmod(nano, NANOSECONDS)
    return f"{whole}.{part:09d}"


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // NANOSECONDS, UTC)


def _time(ns: int) -> str:
    return f"{_moment(ns):%Y-%m-%dT%H:%M:%SZ}"


def _cost(line: _Line) -> str:
    return usd(line.row["nano_usd"])


def _name(names: Mapping[str, str], id_: str) -> str:
    return names.get(id_, id_)


def _sum(name: str) -> Callable[[_Line], object]:
    return lambda line: line.row[name]


def _text(name: str) -> Callable[[_Line], object]:
    return lambda line: line.row[name] or None


def _vendor(line: _Line) -> str:
    return line.row["provider"] or "flyball"


def _function(line: _Line) -> str | None:
    return "/".join(each for each in (line.row["function"], line.row["variant"]) if each) or None


def _described(line: _Line) -> str:
    what = _function(line) or "a call"
    return f"{line.row['tokens']} tokens of {line.row['model'] or 'no model'} for {what} ({line.row['state']})"


_PLAIN: dict[str, Callable[[_Line], object]] = {
    "from": lambda line: _time(line.window.since_ns),
    "until": lambda line: _time(line.window.until_ns),
    "project": lambda line: _name(line.projects, line.row["project"]),
    "key": lambda line: _name(line.keys, line.row["key_id"]),
    "key_id": _text("key_id"),
    "member": lambda line: _name(line.members, line.row["member"]),
    **{name: _text(name) for name in ("function", "variant", "release", "model", "provider", "price_version", "state")},
    "tags": lambda line: json.dumps(line.tags, ensure_ascii=False),
    "usd": _cost,
    "nano_usd": _sum("nano_usd"),
    **{
        name: _sum(name)
        for name in ("requests", "entries", "unpriced", "estimated", "tokens", *_TOKENS, "web_searches")
    },
}
# FOCUS 1.2, "Cost and Usage". What has no meaning for calls of models (reservations, commitments, regions) is left out.
_FOCUS: dict[str, Callable[[_Line], object]] = {
    "BilledCost": _cost,
    "BillingAccountId": lambda line: line.organisation.id,
    "BillingAccountName": lambda line: line.organisation.name,
    "BillingAccountType": lambda _: "Organisation",
    "BillingCurrency": lambda _: "USD",
    "BillingPeriodEnd": lambda line: _time(line.month.until_ns),
    "BillingPeriodStart": lambda line: _time(line.month.since_ns),
    "ChargeCategory": lambda _: "Usage",
    "ChargeClass": lambda _: None,
    "ChargeDescription": _described,
    "ChargeFrequency": lambda _: "Usage-Based",
    "ChargePeriodEnd": lambda line: _time(line.window.until_ns),
    "ChargePeriodStart": lambda line: _time(line.window.since_ns),
    "ConsumedQuantity": _sum("tokens"),
    "ConsumedUnit": lambda _: "Tokens",
    "ContractedCost": _cost,
    "EffectiveCost": _cost,
    "InvoiceIssuerName": _vendor,
    "ListCost": _cost,
    "PricingCategory": lambda _: "Standard",
    "PricingQuantity": _sum("tokens"),
    "PricingUnit": lambda _: "Tokens",
    "ProviderName": _vendor,
    "PublisherName": _vendor,
    "ResourceId": _function,
    "ResourceName": _function,
    "ResourceType": lambda line: "Function" if line.row["function"] else None,
    "ServiceCategory": lambda _: "AI and Machine Learning",
    "ServiceName": lambda line: line.row["model"] or "flyball",
    "ServiceSubcategory": lambda _: "Generative AI",
    "SkuId": _text("model"),
    "SkuPriceId": _text("price_version"),
    "SubAccountId": lambda line: line.row["project"],
    "SubAccountName": lambda line: _name(line.projects, line.row["project"]),
    "SubAccountType": lambda _: "Project",
    "Tags": lambda line: json.dumps(dict.fromkeys(line.tags, True), ensure_ascii=False),
    "x_Key": lambda line: _name(line.keys, line.row["key_id"]) or None,
    "x_Member": lambda line: _name(line.members, line.row["member"]) or None,
    "x_Release": _text("release"),
    "x_State": _text("state"),
    "x_Requests": _sum("requests"),
    "x_Attempts": _sum("entries"),
    "x_UnpricedAttempts": _sum("unpriced"),
    "x_EstimatedAttempts": _sum("estimated"),
}
COLUMNS: dict[Format, dict[str, Callable[[_Line], object]]] = {"csv": _PLAIN, "focus": _FOCUS}
