"""The verb that says what was not spent: by providers' prompt caches, by an own cache of answers, by routing."""

from collections import defaultdict
from fractions import Fraction
from math import floor

from flyball.infra.context import Context
from flyball.infra.db.database import Row
from flyball.models.pricing import NanoPrices
from flyball.models.service import prices_by_version

from . import store
from .asking import asked
from .records import CacheSaving, RouteSaving, Savings, Window
from .windows import check

_MILLION = 1_000_000
_CACHED = ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "entries")
_TOLD = (
    "Prompt cache: tokens read from and written to it, at their prices against that of input, as each call was billed.",
    "Cache of answers: flyball has none yet.",
    "Routing: each call of a function at the mean cost of a call of its dearest variant in this window, less what was paid.",
    "What that variant would have cost for the very calls that others answered, nobody knows.",
)


async def savings(ctx: Context, window: Window, *, organisation_wide: bool = False) -> Savings:
    """What was saved in a window, and against what.

    Raises:
        CostsInvalidError: a window that is none.
        ExceedsOwnRightsError: the whole organisation is asked for by somebody who is none of its owners.
    """
    window = check(window, ctx.clock.now_ns())
    wanted = await asked(ctx, window, organisation_wide=organisation_wide)
    async with wanted.database.connection() as connection:
        cached, routed, states = await store.grouped(
            connection,
            wanted.where,
            ("model", "price_version"),
            ("project", "function", "variant"),
            ("state",),
            sums=(*_CACHED, "requests", "nano_usd", "unpriced"),
        )
        prices = await prices_by_version(connection, wanted.where.projects)
    cache = _by_cache(cached, prices)
    routing = _by_routing(routed)
    answers = sum(row["entries"] for row in states if row["state"] == "cached")
    return Savings(
        window=window,
        cache=cache,
        cache_saved=_sum([each.saved for each in cache]),
        cache_paid=_sum([each.paid for each in cache]),
        answers_cached=answers or None,
        routing=routing,
        routing_saved=sum(each.saved for each in routing) if routing else None,
        told=_TOLD,
    )


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _by_cache(rows: list[Row], prices: dict[str, NanoPrices]) -> tuple[CacheSaving, ...]:
    models: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["cache_read_tokens"] or row["cache_write_tokens"] or row["cache_write_1h_tokens"]:
            models[row["model"]].append(row)
    made = [_of_model(model, its, prices) for model, its in models.items()]
    return tuple(sorted(made, key=lambda each: (-(each.saved or 0), each.model)))


def _of_model(model: str, rows: list[Row], prices: dict[str, NanoPrices]) -> CacheSaving:
    saved, paid, unpriced = Fraction(0), Fraction(0), 0
    for row in rows:
        price = prices.get(row["price_version"])
        if price is None:
            unpriced += row["cache_read_tokens"] + row["cache_write_tokens"] + row["cache_write_1h_tokens"]
            continue
        saved += Fraction(row["cache_read_tokens"] * (price.input - price.cache_read), _MILLION)
        dearer = row["cache_write_tokens"] * (price.cache_write - price.input)
        dearer += row["cache_write_1h_tokens"] * (price.cache_write_1h - price.input)
        paid += Fraction(dearer, _MILLION)
    known = any(row["price_version"] in prices for row in rows)
    return CacheSaving(
        model=model,
        read_tokens=sum(row["cache_read_tokens"] for row in rows),
        write_tokens=sum(row["cache_write_tokens"] + row["cache_write_1h_tokens"] for row in rows),
        saved=_rounded(saved) if known else None,
        paid=_rounded(paid) if known else None,
        unpriced_tokens=unpriced,
    )


def _rounded(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))


def _by_routing(rows: list[Row]) -> tuple[RouteSaving, ...]:
    """Functions that several variants with known costs answered. Variants of other projects are others."""
    functions: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["function"] and row["variant"] and row["requests"] and not row["unpriced"]:
            functions[row["project"], row["function"]].append(row)
    made = [_of_function(function, its) for (_, function), its in functions.items() if len(its) > 1]
    return tuple(sorted(made, key=lambda each: (-each.saved, each.function)))


def _of_function(function: str, rows: list[Row]) -> RouteSaving:
    dearest = max(rows, key=lambda row: (Fraction(row["nano_usd"], row["requests"]), row["variant"]))
    calls, paid = sum(row["requests"] for row in rows), sum(row["nano_usd"] for row in rows)
    would_have = _rounded(Fraction(calls * dearest["nano_usd"], dearest["requests"]))
    return RouteSaving(
        function=function,
        baseline=dearest["variant"],
        calls=calls,
        calls_of_baseline=dearest["requests"],
        paid=paid,
        would_have=would_have,
        saved=would_have - paid,
    )
