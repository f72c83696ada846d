"""What the rest of a month will cost, from whole days that are over, with the interval in which it lies in 80 of 100 months. Pure.

With two weeks of days or more each weekday has a factor of its own; the level is a mean in which a day counts half as much as one
two weeks later. What days miss the level by, and how much they take after the day before, makes the interval, together with how
well level and factors can be known from so few days. With less than two weeks the mean of the days stands for every day; with
less than one, in which nobody has seen a weekend, there is no interval, and with fewer than three days nothing at all. Amounts are estimates, so floats may hold them.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from flyball.evaluations.statistics.distributions import student_t_quantile

from .records import Method

CONFIDENCE = 0.8
FEWEST, WEEK, WEEKS = 3, 7, 14  # whole days: for anything at all, for an interval, for weekdays
MOST = 56  # older days say nothing of the next ones
_HALF_LIFE = 14.0
_SHRINK = 0.3
_STICKIEST = 0.8


class Part(NamedTuple):
    """So much (1: all) of a day of the week (0: Monday) that is to come."""

    weekday: int
    share: float


class Predicted(NamedTuple):
    """What the parts will cost together."""

    expected: float
    low: float | None
    high: float | None
    method: Method


class _Fitted(NamedTuple):
    level: float
    factors: tuple[float, ...]  # by weekday
    deviation: float  # of a day whose factor is 1
    sticky: float  # how much of a day's deviation the next one has
    known_by: float  # how many days the level is worth
    freedom: int
    method: Method


def predict(days: Sequence[tuple[int, float]], parts: Sequence[Part]) -> Predicted | None:
    """What the parts will cost, from the cost of whole days, each with its weekday, the oldest first; None: nobody can say."""
    if len(days) < FEWEST:
        return None
    fitted = _fit(days[-MOST:])
    weights = [fitted.factors[part.weekday] * part.share for part in parts]
    expected = fitted.level * sum(weights)
    if len(days) < WEEK:
        return Predicted(expected, None, None, fitted.method)
    inflated = (1 + fitted.sticky) / (1 - fitted.sticky)
    noise = sum(
        one * other * fitted.sticky ** abs(at - there)
        for at, one in enumerate(weights)
        for there, other in enumerate(weights)
    )
    variance = fitted.deviation**2 * (noise + inflated * _unknown(fitted, parts, weights))
    half = student_t_quantile((1 + CONFIDENCE) / 2, fitted.freedom) * math.sqrt(variance)
    return Predicted(expected, max(0.0, expected - half), expected + half, fitted.method)


def _unknown(fitted: _Fitted, parts: Sequence[Part], weights: Sequence[float]) -> float:
    """How little the means are known that the parts are multiples of, in variances of a day."""
    if fitted.method == "mean":
        return sum(weights) ** 2 / fitted.known_by
    by_weekday = [0.0] * 7
    for part, weight in zip(parts, weights, strict=True):
        by_weekday[part.weekday] += weight
    return sum(weight**2 for weight in by_weekday) * 7 / fitted.known_by


def _fit(days: Sequence[tuple[int, float]]) -> _Fitted:
    by_weekday = len(days) >= WEEKS
    mean = sum(cost for _, cost in days) / len(days)
    factors = tuple(_factor(days, weekday, mean) if by_weekday else 1.0 for weekday in range(7))
    ages = [0.5 ** ((len(days) - 1 - at) / _HALF_LIFE) for at in range(len(days))]
    weight = sum(age * factors[weekday] for age, (weekday, _) in zip(ages, days, strict=True))
    level = sum(age * cost for age, (_, cost) in zip(ages, days, strict=True)) / weight if weight else 0.0
    missed = [(cost - level * factors[weekday]) / max(factors[weekday], 0.05) for weekday, cost in days]
    freedom = max(1, len(days) - (7 if by_weekday else 1))
    return _Fitted(
        level=level,
        factors=factors,
        deviation=math.sqrt(sum(each**2 for each in missed) / freedom),
        sticky=_sticky(missed),
        known_by=sum(ages) ** 2 / sum(age**2 for age in ages),
        freedom=freedom,
        method="weekdays" if by_weekday else "mean",
    )


def _factor(days: Sequence[tuple[int, float]], weekday: int, mean: float) -> float:
    costs = [cost for each, cost in days if each == weekday]
    return (sum(costs) + _SHRINK * mean) / ((len(costs) + _SHRINK) * mean) if mean else 1.0


def _sticky(missed: Sequence[float]) -> float:
    square = sum(each**2 for each in missed)
    if not square:
        return 0.0
    near = sum(one * next_ for one, next_ in itertools.pairwise(missed)) / square
    return min(_STICKIEST, max(0.0, near))
