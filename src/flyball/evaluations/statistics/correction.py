"""Corrections for looking at several comparisons at once: Holm for gates, Benjamini-Hochberg for exploration."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given; the chance of any false alarm stays below the level."""
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for step, index in enumerate(_ascending(p_values)):
        largest = max(largest, min(1.0, (count - step) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given; the expected share of false alarms among the alarms stays below the level."""
    count = len(p_values)
    adjusted = [0.0] * count
    smallest = 1.0
    for step, index in enumerate(reversed(_ascending(p_values))):
        smallest = min(smallest, count / (count - step) * p_values[index])
        adjusted[index] = smallest
    return adjusted


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=lambda index: p_values[index])
