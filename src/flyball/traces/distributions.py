"""Histograms as counts in buckets: added up, taken from each other, and what share lies below which value.

Buckets with bounds that were told are read by straight lines; those of exponential histograms by powers of their base.
An estimate lies in the right bucket, and is no better than that. Pure; knows no time and no table.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

_MOST_BUCKETS = 640  # of an exponential histogram, to each side of zero; processes use 160


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured: how often, together, and how often in which bucket.

    `bounds` and `counts` are those of a histogram whose bounds were told; `scale`, `zeros` and `indexes`, by sign and index,
    of an exponential one. `sum`, `least` and `most` are None where they are not known.
    """

    count: int
    sum: float | None = None
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    scale: int | None = None
    zeros: int = 0
    indexes: Mapping[tuple[int, int], int] = {}
    least: float | None = None
    most: float | None = None

    def plus(self, other: "Distribution") -> "Distribution":
        """Both together; without buckets where theirs do not fit each other."""
        return self._with(other, 1)

    def minus(self, other: "Distribution") -> "Distribution":
        """What came beside the other, of which this is the continuation; all of this where it is none."""
        found = self._with(other, -1)
        negative = found.count < 0 or found.zeros < 0 or any(count < 0 for count in found.counts)
        return self if negative or any(count < 0 for count in found.indexes.values()) else found

    def quantile(self, share: float) -> float | None:
        """Below which value the share lies, as the buckets tell; None where they do not tell."""
        buckets = self._buckets()
        whole = sum(count for _, _, count in buckets)
        rank, seen = share * whole, 0
        for low, high, count in buckets:
            if count and seen + count >= rank:
                value = _between(low, high, (rank - seen) / count, bent=self.scale is not None)
                return self._within(value)
            seen += count
        return None

    def _within(self, value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        if self.least is not None and value < self.least:
            return self.least
        return self.most if self.most is not None and value > self.most else value

    def _with(self, other: "Distribution", sign: int) -> "Distribution":
        left, right = _alike(self, other)
        sums = (left.sum, right.sum)
        together = Counter(left.indexes)
        for place, count in right.indexes.items():
            together[place] += sign * count
        fit = left.bounds == right.bounds and len(left.counts) == len(right.counts)
        return Distribution(
            count=left.count + sign * right.count,
            sum=None if None in sums else sums[0] + sign * sums[1],  # type: ignore[operator] # neither is None
            bounds=left.bounds if fit else (),
            counts=tuple(a + sign * b for a, b in zip(left.counts, right.counts, strict=True)) if fit else (),
            scale=left.scale,
            zeros=left.zeros + sign * right.zeros,
            indexes=together,
            # An extreme is of all that was ever measured: what came beside lies within it as well.
            least=_outer(min, left.least, right.least) if sign > 0 else left.least,
            most=_outer(max, left.most, right.most) if sign > 0 else left.most,
        )

    def _buckets(self) -> list[tuple[float, float, int]]:
        """Lower end, upper end and count, in order."""
        if self.scale is None:
            return self._of_bounds() if self.bounds else []
        below = [(-high, -low, count) for low, high, count in reversed(self._side(-1))]
        return [*below, (0.0, 0.0, self.zeros), *self._side(1)]

    def _of_bounds(self) -> list[tuple[float, float, int]]:
        """The outermost buckets end where the extremes say, else the first begins at zero and the last has no end."""
        first, last = self.bounds[0], self.bounds[-1]
        low = min(first, 0.0 if self.least is None else self.least)
        high = math.inf if self.most is None else max(last, self.most)
        ends = (low, *self.bounds, high)
        return list(zip(ends, ends[1:], self.counts, strict=False))

    def _side(self, sign: int) -> list[tuple[float, float, int]]:
        scale = self.scale or 0
        mine = sorted((index, count) for (side, index), count in self.indexes.items() if side == sign and count)
        return [(_power(index, scale), _power(index + 1, scale), count) for index, count in mine]


def distribution_of(kind: str, total: float | None, detail: Mapping[str, Any]) -> Distribution:
    """The histogram of a point's detail."""
    shared = {"count": detail.get("count", 0), "sum": total, "least": detail.get("min"), "most": detail.get("max")}
    if kind == "histogram":
        bounds, counts = tuple(detail.get("explicit_bounds", ())), tuple(detail.get("bucket_counts", ()))
        fit = len(counts) == len(bounds) + 1 and list(bounds) == sorted(bounds)
        return Distribution(**shared, bounds=bounds if fit else (), counts=counts if fit else ())
    sides = {sign: detail.get(name, {}) for name, sign in (("positive", 1), ("negative", -1))}
    longest = max(len(side.get("bucket_counts", ())) for side in sides.values())
    steps = max(0, math.ceil(math.log2(longest / _MOST_BUCKETS))) if longest else 0
    indexes = {
        (sign, index): count
        for sign, side in sides.items()
        for index, count in _coarse(side.get("offset", 0), side.get("bucket_counts", ()), steps)
    }
    scale = detail.get("scale", 0) - steps
    return Distribution(**shared, scale=scale, zeros=detail.get("zero_count", 0), indexes=indexes)


def _coarse(offset: int, counts: Sequence[int], steps: int) -> Iterator[tuple[int, int]]:
    """Buckets by their index, so many times two of them as one: what nobody sees a difference in is not read one by one."""
    if not steps:
        yield from ((offset + number, count) for number, count in enumerate(counts) if count)
    elif counts:
        places = (offset + np.arange(len(counts), dtype=np.int64)) >> steps
        together = np.bincount(places - places[0], weights=np.asarray(counts, dtype=np.float64))
        yield from ((int(places[0]) + int(number), int(together[number])) for number in np.flatnonzero(together))


def _alike(left: Distribution, right: Distribution) -> tuple[Distribution, Distribution]:
    """Both by the coarser of their scales, where they have some."""
    if left.scale is None or right.scale is None or left.scale == right.scale:
        return left, right
    scale = min(left.scale, right.scale)
    return _coarser(left, scale), _coarser(right, scale)


def _coarser(one: Distribution, scale: int) -> Distribution:
    steps = (one.scale or 0) - scale
    indexes: Counter[tuple[int, int]] = Counter()
    for (sign, index), count in one.indexes.items():
        indexes[sign, index >> steps] += count
    return msgspec.structs.replace(one, scale=scale, indexes=indexes)


def _power(index: int, scale: int) -> float:
    """The lower end of a bucket: the base, which is 2 to the power of 2 to the minus scale, to the index."""
    try:
        return 2.0 ** math.ldexp(index, -scale) if index else 1.0
    except OverflowError:
        return 0.0 if index < 0 else math.inf


def _between(low: float, high: float, part: float, *, bent: bool) -> float | None:
    """The place in a bucket; of one without an upper end the lower one."""
    if math.isinf(high) or math.isinf(low):
        return None if math.isinf(low) else low
    if bent and low > 0:
        return float(low * (high / low) ** part)
    if bent and high < 0:
        return float(-((-low) * (high / low) ** part))
    return low + (high - low) * part


def _outer(choose: Any, left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else choose(left, right)
