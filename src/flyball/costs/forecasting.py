"""The verb that says what a month will have cost, from the ledger's sums by the day. How: see `predicting`."""

from flyball.infra.context import Context
from flyball.infra.db.database import Connection

from . import store
from .asking import Asked, added, asked, sums_of
from .predicting import CONFIDENCE, FEWEST, MOST, Part, Predicted, predict
from .records import Filters, Forecast, Sums, Window
from .windows import DAY_NS, month_of

_THURSDAY = 3  # 1970-01-01


async def forecast(
    ctx: Context, month: str = "", filters: Filters | None = None, *, organisation_wide: bool = False
) -> Forecast:
    """What was spent in a month (`2026-11`; this one unless said) and what it will have cost when it ends.

    Days are UTC's. The interval holds the truth in about 80 of 100 months; where there is too little to say so, it is None.

    Raises:
        CostsInvalidError: no month, or one that lies ahead; a name that none can be.
        KeyNotFoundError, MemberNotFoundError, ProjectNotFoundError, ExceedsOwnRightsError: as `spend`.
    """
    now_ns = ctx.clock.now_ns()
    name, window = month_of(month, now_ns)
    wanted = await asked(ctx, window, filters, organisation_wide=organisation_wide)
    async with wanted.database.connection() as connection:
        spent, days = await _read(connection, wanted, now_ns)
    predicted = predict(days, _rest(now_ns, window.until_ns)) if now_ns < window.until_ns else None
    expected, low, high = _totals(spent.nano_usd, predicted, over=now_ns >= window.until_ns)
    return Forecast(
        month=name,
        window=window,
        spent=spent.nano_usd,
        unpriced=spent.unpriced,
        expected=expected,
        low=low,
        high=high,
        confidence=CONFIDENCE,
        method="over" if now_ns >= window.until_ns else predicted.method if predicted else "none",
        days=len(days),
        told=_told(predicted, len(days), low=low, over=now_ns >= window.until_ns),
    )


async def _read(connection: Connection, wanted: Asked, now_ns: int) -> tuple[Sums, list[tuple[int, float]]]:
    """What the month spent; and weekday and cost of each whole day before today, after the first with anything, oldest first."""
    month, today_ns = wanted.where.window, now_ns - now_ns % DAY_NS
    over = month.until_ns <= now_ns  # then nothing is learnt
    since_ns = month.since_ns if over else max(0, today_ns - MOST * DAY_NS)
    today_ns = month.until_ns if over else today_ns
    window = Window(min(month.since_ns, since_ns), max(month.until_ns, today_ns))
    where = store.Where(
        projects=wanted.where.projects, window=window, columns=wanted.where.columns, tag=wanted.where.tag
    )
    (rows,) = await store.grouped(connection, where, ("at_ns",))
    spent = added([sums_of(row) for row in rows if month.since_ns <= row["at_ns"] < month.until_ns])
    found = {row["at_ns"]: float(row["nano_usd"]) for row in rows if row["at_ns"] < today_ns}
    if not await store.is_older(connection, where, since_ns):
        since_ns = max(since_ns, min(found, default=today_ns) + DAY_NS)  # the first day may have begun at any hour
    return spent, [(_weekday(day), found.get(day, 0.0)) for day in range(since_ns, today_ns, DAY_NS)]


def _rest(now_ns: int, until_ns: int) -> list[Part]:
    """What is left of today, and the days until the end."""
    tomorrow = now_ns - now_ns % DAY_NS + DAY_NS
    today = Part(_weekday(now_ns), (tomorrow - now_ns) / DAY_NS)
    return [today, *(Part(_weekday(day), 1.0) for day in range(tomorrow, until_ns, DAY_NS))]


def _weekday(at_ns: int) -> int:
    return (at_ns // DAY_NS + _THURSDAY) % 7


def _totals(spent: int, predicted: Predicted | None, *, over: bool) -> tuple[int | None, int | None, int | None]:
    if over:
        return spent, spent, spent
    if predicted is None:
        return None, None, None
    low, high = predicted.low, predicted.high
    return (
        spent + round(predicted.expected),
        None if low is None else spent + round(low),
        None if high is None else spent + round(high),
    )


def _told(predicted: Predicted | None, days: int, *, low: int | None, over: bool) -> str:
    if over:
        return "The month is over: this is what it cost."
    if predicted is None:
        return f"There are {days} whole days to learn from, and it takes {FEWEST}: nobody can say yet."
    if low is None:
        return f"The mean of {days} whole days for each day that is left. There is no interval before a whole week is known."
    if predicted.method == "mean":
        return f"The mean of {days} whole days for each day that is left; weekdays are told apart from 14 days on."
    return (
        f"Each weekday by its own factor, learnt from the last {days} whole days, over a level in which a day counts half as much as "
        "one two weeks later."
    )
