"""What the points of one series say of each step of a window. Pure; knows kinds of metrics, no table.

A sum that is told as it stands grows from point to point; where it begins anew (another start, or it shrank), all of it
came since. The first point of a window only says where it stood, unless it began within the window.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, NamedTuple

from .distributions import Distribution, distribution_of
from .signal_records import Moment, Quantile, Shows

_DELTA, _CUMULATIVE = 1, 2
_MOST = 2**63 - 1  # what a count is told as at most
_DISTRIBUTIONS = ("histogram", "exponential_histogram")


class Sample(NamedTuple):
    """A point: in which step it lies, since when it counts, its value, and what the values of its step add up to."""

    step: int
    start_ns: int
    time_ns: int
    value: float | None
    together: float | None
    detail: dict[str, Any]


def shows_of(kind: str, temporality: int, *, monotonic: bool) -> Shows:
    """What there is to show of a kind: a sum that may shrink and is told as it stands is a level like a gauge."""
    if kind in _DISTRIBUTIONS:
        return "distribution"
    if kind == "summary":
        return "summary"
    if kind == "sum" and (temporality == _DELTA or (temporality == _CUMULATIVE and monotonic)):
        return "increase"
    return "level"


def moments_of(
    samples: Sequence[Sample], kind: str, temporality: int, shows: Shows, *, since_ns: int, step_ns: int
) -> tuple[Moment, ...]:
    """The steps of which something is known, in order. `samples` are in order of time."""
    delta = temporality == _DELTA
    if shows == "level":
        found = {each.step: Moment(at_ns=0, value=each.value) for each in samples}
    elif shows == "increase":
        grown = ((each.step, each.together) for each in samples) if delta else _grown(samples, since_ns)
        found = {step: Moment(at_ns=0, value=value) for step, value in _added(grown).items()}
    elif shows == "summary":
        found = {each.step: _told(each) for each in samples}
    else:
        found = _distributions(samples, kind, delta=delta, since_ns=since_ns)
    return tuple(
        Moment(
            at_ns=since_ns + step * step_ns,
            value=one.value,
            count=one.count,
            sum=one.sum,
            quantiles=one.quantiles,
        )
        for step, one in sorted(found.items())
    )


def _added(parts: Iterator[tuple[int, float | None]]) -> dict[int, float]:
    together: defaultdict[int, float] = defaultdict(float)
    for step, value in parts:
        if value is not None:
            together[step] += value
    return together


def _grown(samples: Sequence[Sample], since_ns: int) -> Iterator[tuple[int, float | None]]:
    before: Sample | None = None
    for each in samples:
        if each.value is None:
            continue
        if before is None or before.value is None:
            if each.start_ns >= since_ns:
                yield each.step, each.value
        elif _anew(each, before) or each.value < before.value:
            yield each.step, each.value
        else:
            yield each.step, each.value - before.value
        before = each


def _anew(each: Sample, before: Sample) -> bool:
    return each.start_ns != before.start_ns and each.start_ns >= before.time_ns


def _told(each: Sample) -> Moment:
    """A summary as its process told it: of all that it ever measured, or of a time of its own choice."""
    quantiles = tuple(
        Quantile(quantile=one["quantile"], value=one["value"])
        for one in each.detail.get("quantile_values", ())
        if isfinite(one["quantile"]) and isfinite(one["value"])  # without an observation there is none
    )
    return Moment(at_ns=0, count=min(each.detail.get("count", 0), _MOST), sum=each.value, quantiles=quantiles)


def _distributions(samples: Sequence[Sample], kind: str, *, delta: bool, since_ns: int) -> dict[int, Moment]:
    found: dict[int, Distribution] = {}
    before: tuple[Sample, Distribution] | None = None
    for each in samples:
        told = distribution_of(kind, each.value, each.detail)
        new: Distribution | None = told
        if not delta:
            new = _since(each, told, before, since_ns)
            before = (each, told)
        if new is not None:
            known = found.get(each.step)
            found[each.step] = new if known is None else known.plus(new)
    return {step: _moment(one) for step, one in found.items()}


def _since(
    each: Sample, told: Distribution, before: tuple[Sample, Distribution] | None, since_ns: int
) -> Distribution | None:
    """What was measured since the point before."""
    if before is None:
        return told if each.start_ns >= since_ns else None
    if _anew(each, before[0]):
        return told
    return told.minus(before[1])


def _moment(one: Distribution) -> Moment:
    shares = ((share, one.quantile(share)) for share in (0.5, 0.95, 0.99))
    quantiles = tuple(Quantile(quantile=share, value=value) for share, value in shares if value is not None)
    return Moment(at_ns=0, count=min(one.count, _MOST), sum=one.sum, quantiles=quantiles)
