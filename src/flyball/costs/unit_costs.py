"""The verb that says what a call, a thousand tokens and a good answer of a function cost."""

from flyball.infra.context import Context
from flyball.infra.db.database import Row
from flyball.traces import scores

from . import goodness, store
from .asking import Asked, added, asked, sums_of
from .errors import CostsInvalidError
from .goodness import FEEDBACK, NOBODY, Call, Judged
from .records import Filters, Sums, UnitRow, Units, Window
from .windows import check

_MOST_SCORES = 20_000


async def units(ctx: Context, window: Window, *, function: str = "", score: str = FEEDBACK) -> Units:
    """What a call of each function and variant cost, and a good answer: one that people or scorers judged so.

    A good answer's cost is the cost of a call over the share that was good among those judged, with that share's interval.

    Raises:
        CostsInvalidError: a window or a name that none can be.
    """
    window = check(window, ctx.clock.now_ns())
    if not (score and score.isprintable() and len(score) <= 200):
        raise CostsInvalidError(f"{score!r:.60} is no name of a score", next_step="say --score feedback")
    wanted = await asked(ctx, window, Filters(function=function))
    async with wanted.database.connection() as connection:
        (rows,) = await store.grouped(connection, wanted.where, ("function", "variant"))
    judged = await _judged(ctx, wanted, score)
    found = [row for row in rows if row["function"]]
    return Units(
        window=window,
        score=score,
        rows=tuple(_rows(found, judged)),
        told=_told(score, sum(each.judged for name, each in judged.items() if not name[1])),
        notes=(*wanted.notes, *_unpriced(found)),
    )


async def _judged(ctx: Context, wanted: Asked, score: str) -> dict[tuple[str, str], Judged]:
    """Scores may come long after the call: all since the window began are looked at, the newest if there are very many."""
    found = await scores.newest_of(ctx, score, since_ns=wanted.where.window.since_ns, most=_MOST_SCORES)
    if not found:
        return {}
    traces = sorted({one.trace_id or one.target_id for one in found})
    async with wanted.database.connection() as connection:
        rows = await store.function_calls(connection, ctx.project, wanted.where.window, traces)
    calls = [Call(row["id"], row["trace_id"], row["function"], row["variant"]) for row in rows]
    return goodness.judge(score, found, calls)


def _rows(rows: list[Row], judged: dict[tuple[str, str], Judged]) -> list[UnitRow]:
    made = []
    functions = {name: [row for row in rows if row["function"] == name] for name in {row["function"] for row in rows}}
    for name, its in sorted(functions.items(), key=lambda each: (-sum(row["nano_usd"] for row in each[1]), each[0])):
        made.append(_row(name, "", added([sums_of(row) for row in its]), judged.get((name, ""), NOBODY)))
        for row in sorted(its, key=lambda row: (-row["nano_usd"], row["variant"])):
            if row["variant"]:
                verdict = judged.get((name, row["variant"]), NOBODY)
                made.append(_row(name, row["variant"], sums_of(row), verdict))
    return made


def _row(function: str, variant: str, sums: Sums, judged: Judged) -> UnitRow:
    known = not sums.unpriced or sums.nano_usd > 0
    per_call = _each(sums.nano_usd, sums.requests) if known else None
    return UnitRow(
        function=function,
        variant=variant,
        sums=sums,
        per_call=per_call,
        per_1k_tokens=_each(sums.nano_usd * 1_000, sums.tokens) if known else None,
        judged=judged.judged,
        good=judged.good,
        share_good=judged.share,
        share_low=judged.low,
        share_high=judged.high,
        per_good=_over(per_call, judged.share),
        per_good_low=_over(per_call, judged.high),
        per_good_high=_over(per_call, judged.low),
    )


def _each(whole: int, count: int) -> int | None:
    return (whole + count // 2) // count if count else None


def _over(per_call: int | None, share: float | None) -> int | None:
    return round(per_call / share) if per_call is not None and share else None


def _told(score: str, judged: int) -> str:
    good = "above 0" if score == FEEDBACK else "of 0.5 or more"
    return (
        f"Good is what the score {score!r} says {good} of; {judged:,} calls of this window have one."
        if judged
        else f"Nobody judged a call of this window: none has the score {score!r}."
    )


def _unpriced(rows: list[Row]) -> list[str]:
    count = sum(row["unpriced"] for row in rows)
    return (
        [f"{count:,} attempts have no known price and are in no cost: `flyball models` declares prices"]
        if count
        else []
    )
