"""Intervals for a rate and for a mean. What cannot be known from the data is None, never 0."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .distributions import beta_quantile, normal_cdf, normal_quantile, student_t_quantile

Values = NDArray[np.float64]

RESAMPLES = 9_999
_DRAWS_AT_ONCE = 2_000_000


class Interval(NamedTuple):
    """The bounds between which the truth lies with the stated confidence."""

    lo: float
    hi: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval | None:
    """Wilson's score interval of a rate; None for no trials."""
    if n < 1:
        return None
    z2 = normal_quantile((1 + confidence) / 2) ** 2
    rate = successes / n
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(
        0.0 if successes == 0 else max(0.0, middle - half), 1.0 if successes == n else min(1.0, middle + half)
    )


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval | None:
    """The exact interval of a rate, never too narrow, for compliance reports; None for no trials."""
    if n < 1:
        return None
    tail = (1 - confidence) / 2
    lo = 0.0 if successes == 0 else beta_quantile(tail, successes, n - successes + 1)
    hi = 1.0 if successes == n else beta_quantile(1 - tail, successes + 1, n - successes)
    return Interval(lo, hi)


def student_t(values: Values, confidence: float = 0.95) -> Interval | None:
    """Student's interval of a mean; None for fewer than two values."""
    error = standard_error(values)
    if error is None:
        return None
    half = student_t_quantile((1 + confidence) / 2, values.size - 1) * error
    return Interval(float(values.mean() - half), float(values.mean() + half))


def standard_error(values: Values) -> float | None:
    """Of the mean; None for fewer than two values (0 would claim certainty)."""
    if values.size < 2:
        return None
    return float(values.std(ddof=1) / math.sqrt(values.size))


class BootstrapMean:
    """The mean's bootstrap distribution, drawn once and asked for bias-corrected and accelerated (BCa) intervals.

    The same values, seed and number of resamples give the same bounds, bit by bit: they equal those of
    `scipy.stats.bootstrap(method="BCa", rng=numpy.random.default_rng(seed))`.
    """

    def __init__(self, values: Values, *, seed: int, resamples: int = RESAMPLES) -> None:
        self._values = values
        self._means = _resampled_means(values, seed, resamples) if values.size >= 2 else None

    def interval(self, confidence: float = 0.95) -> Interval | None:
        """BCa bounds of the mean; None for fewer than two values. Values that are all equal give that value twice."""
        if self._means is None:
            return None
        if np.ptp(self._values) == 0:
            return Interval(float(self._values[0]), float(self._values[0]))
        tail = (1 - confidence) / 2
        levels = [100 * self._corrected(normal_quantile(p)) for p in (tail, 1 - tail)]
        lo, hi = np.percentile(self._means, levels)
        return Interval(float(lo), float(hi))

    def _corrected(self, z: float) -> float:
        """The level of the resampled means that stands for the normal quantile z."""
        bias = normal_quantile(self._share_below())
        shifted = bias + z
        return normal_cdf(bias + shifted / (1 - self._acceleration() * shifted))

    def _share_below(self) -> float:
        """Of resampled means below the mean itself, ties counted half."""
        mean = self._values.mean()
        below, up_to = np.sum(self._means < mean), np.sum(self._means <= mean)
        return float(below + up_to) / (2 * self._means.size)  # type: ignore[union-attr] # only asked for where drawn

    def _acceleration(self) -> float:
        """From the jackknife: how the standard error changes with the mean."""
        n = self._values.size
        left_out = (self._values.sum() - self._values) / (n - 1)
        influence = (n - 1) * (left_out.mean() - left_out)
        return float((np.sum(influence**3) / n**3) / (6 * (np.sum(influence**2) / n**2) ** 1.5))


def _resampled_means(values: Values, seed: int, resamples: int) -> Values:
    """Drawn in batches of bounded memory; the stream of random numbers does not depend on the batch."""
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    at_once = max(1, _DRAWS_AT_ONCE // values.size)
    for first in range(0, resamples, at_once):
        rows = min(at_once, resamples - first)
        means[first : first + rows] = values[generator.integers(0, values.size, (rows, values.size))].mean(axis=-1)
    return means
