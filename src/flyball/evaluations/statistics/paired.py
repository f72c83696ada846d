"""Tests of a difference measured on the same items twice. Knows differences; knows no verdict."""

import math

import numpy as np

from .distributions import student_t_cdf
from .intervals import Values, standard_error


def paired_t(differences: Values) -> tuple[float, float] | None:
    """Student's t of the mean difference and its two-sided p; None for fewer than two items or differences all equal."""
    error = standard_error(differences)
    if error is None or np.ptp(differences) == 0:
        return None
    t = float(differences.mean()) / error
    return t, 2 * student_t_cdf(-abs(t), differences.size - 1)


def mcnemar_exact(gained: int, lost: int) -> float:
    """Two-sided p of as uneven a split of the items that changed, were gains and losses equally likely."""
    changed = gained + lost
    tail: int = sum(math.comb(changed, i) for i in range(min(gained, lost) + 1))
    return min(1.0, 2 * tail / (1 << changed))


def difference_p(differences: Values, *, binary: bool) -> float | None:
    """Two-sided p of no difference: McNemar's exact test for scores of 0 and 1, the paired t test for others.

    None where it is undefined: fewer than two items. Differences that are all zero give 1.
    """
    if differences.size < 2:
        return None
    if binary:
        return mcnemar_exact(int(np.sum(differences > 0)), int(np.sum(differences < 0)))
    if np.ptp(differences) == 0:
        return 1.0 if differences[0] == 0 else None
    result = paired_t(differences)
    return result[1] if result else None


def noninferiority_p(differences: Values, margin: float) -> float | None:
    """One-sided p of a true mean difference at or below -margin (Student's t); None for fewer than two items."""
    error = standard_error(differences)
    if error is None:
        return None
    excess = float(differences.mean()) + margin
    if np.ptp(differences) == 0:
        return 0.0 if excess > 0 else 1.0
    return student_t_cdf(-excess / error, differences.size - 1)
