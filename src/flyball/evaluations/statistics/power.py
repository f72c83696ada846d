"""What a design can see: shown before a run as the number of items it needs, and after it as its smallest visible effect."""

import math

from .distributions import normal_quantile
from .intervals import Values, standard_error


def minimum_detectable_effect(differences: Values, *, confidence: float = 0.95, power: float = 0.8) -> float | None:
    """The smallest true mean difference that this paired design shows with the given power; None below two items.

    The normal approximation with the differences' own standard error. Where all differences are equal that error is 0
    and would claim that any effect is visible; there it is the smallest *rate* of changed items of which at least one
    would have been among these with the given probability: 1 - (1 - power)^(1/n).
    """
    error = standard_error(differences)
    if error is None:
        return None
    if error == 0 or differences.max() == differences.min():
        return smallest_visible_rate(differences.size, power=power)
    return (normal_quantile((1 + confidence) / 2) + normal_quantile(power)) * error


def smallest_visible_rate(n: int, *, power: float = 0.8) -> float:
    """How often something must happen to be among n items at least once with probability `power`."""
    return float(1 - (1 - power) ** (1 / n))


def required_items(rate: float, effect: float, *, correlation: float = 0.0, power: float = 0.8) -> int:
    """Items that show a difference of `effect` between two rates near `rate`.

    Per arm where the arms have different items (`correlation` 0); where both arms see the same items, that number
    times 1 - correlation.
    """
    z = normal_quantile(0.975) + normal_quantile(power)
    return math.ceil(2 * z * z * rate * (1 - rate) / effect**2 * (1 - correlation))
