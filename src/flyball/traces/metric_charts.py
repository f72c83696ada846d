"""The steps of a series as drawings: bars for what came in each step, lines for levels and quantiles. Pure; knows no page."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from flyball.kit.clock import to_datetime

from .signal_records import MetricSeries, Moment, Series

WIDE, HIGH = 1_000.0, 160.0
_LEAST = 1.5  # what was there at all is seen
_MOST_STEPS = 4
_MOST_LINES = 3
_LARGEST = 1e300  # what is larger cannot be drawn
_UNITS = {"1": "", "By": "bytes", "KiBy": "KiB", "MiBy": "MiB", "GiBy": "GiB"}
_INSTANCE = ("service.instance.id", "host.name", "process.pid")


class Bar(NamedTuple):
    """One step: where it stands, how high, and what it says."""

    x: float
    width: float
    y: float
    height: float
    says: str


class Line(NamedTuple):
    """A level over time, in pieces where it was not heard of for long. A piece of one point is a dot."""

    name: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


class Grid(NamedTuple):
    """A line across, and what it stands for."""

    y: float
    label: str


class Chart(NamedTuple):
    """One drawing. `zero` is where the axis lies; `bottom` what its lower edge stands for."""

    title: str
    told: str
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    grid: tuple[Grid, ...]
    zero: float
    bottom: str


class Step(NamedTuple):
    """A step in numbers, for whoever reads rather than looks."""

    at_ns: int
    value: str
    times: str
    sum: str
    quantiles: str


class Drawn(NamedTuple):
    """A series, what tells it from others, its drawings, and its steps in numbers, the newest first."""

    series: Series
    label: str
    instance: str
    unit: str
    charts: tuple[Chart, ...]
    steps: tuple[Step, ...]


def drawn(found: MetricSeries) -> tuple[Drawn, ...]:
    """Every series of a metric with its drawings."""
    return tuple(
        Drawn(
            series=series,
            label=", ".join(f"{name}={value}" for name, value in series.attributes.items()),
            instance=_instance(series),
            unit=unit_of(series.unit),
            charts=_charts(series, found),
            steps=tuple(map(_step, reversed(series.moments))),
        )
        for series in found.series
    )


def unit_of(unit: str) -> str:
    """A unit as people write it: annotations without their braces, a bare number without a unit."""
    return _UNITS.get(unit, unit.strip("{}"))


def number(value: float | None) -> str:
    """A number, short; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size and (size >= 1e15 or size < 1e-4):
        written = f"{size:.3g}"
    else:
        written = f"{size:,.0f}" if size >= 1_000 else f"{size:.4g}"
    return f"\u2212{written}" if value < 0 else written


def _step(moment: Moment) -> Step:
    quantiles = ", ".join(f"{100 * each.quantile:g} % below {number(each.value)}" for each in moment.quantiles)
    return Step(moment.at_ns, number(moment.value), number(moment.count), number(moment.sum), quantiles or "–")


def _instance(series: Series) -> str:
    attributes = series.resource.get("attributes", {})
    return next((f"{name} {attributes[name]}" for name in _INSTANCE if attributes.get(name)), "")


def _charts(series: Series, found: MetricSeries) -> tuple[Chart, ...]:
    unit = unit_of(series.unit)
    if series.shows == "increase":
        return (_bars("Grew by", series.moments, found, unit, lambda moment: moment.value),)
    if series.shows == "level":
        return (_lines("Level", found, unit, {"": _values(series.moments)}),)
    quantiles = _lines("Quantiles", found, unit, _quantiles(series.moments))
    if series.shows == "summary":
        return (quantiles,)
    counts = _bars("Measured", series.moments, found, "times", lambda moment: moment.count)
    return (counts, quantiles) if quantiles.lines else (counts,)


def _values(moments: Iterable[Moment]) -> list[tuple[int, float]]:
    return [(moment.at_ns, moment.value) for moment in moments if _drawable(moment.value)]  # type: ignore[misc] # not None


def _quantiles(moments: Sequence[Moment]) -> dict[str, list[tuple[int, float]]]:
    """By what they are, the middle first; of many, the middle and the highest."""
    shares = sorted({each.quantile for moment in moments for each in moment.quantiles})
    middle = min(shares, key=lambda share: abs(share - 0.5), default=0.5)
    chosen = [middle, *[share for share in shares if share > middle][-(_MOST_LINES - 1) :]]
    return {
        f"{100 * share:g} % below ": [
            (moment.at_ns, each.value)
            for moment in moments
            for each in moment.quantiles
            if each.quantile == share and _drawable(each.value)
        ]
        for share in chosen
    }


def _drawable(value: float | None) -> bool:
    return value is not None and abs(value) < _LARGEST


def _bars(
    title: str,
    moments: Sequence[Moment],
    found: MetricSeries,
    unit: str,
    value_of: Callable[[Moment], float | None],
) -> Chart:
    told = [(moment.at_ns, value) for moment in moments if _drawable(value := value_of(moment)) and value is not None]
    low, high, grid = _axis([value for _, value in told])
    steps = max(1, -(-(found.until_ns - found.since_ns) // found.step_ns))
    wide = WIDE / steps
    zero = HIGH * high / (high - low)
    bars = []
    for at_ns, value in told:
        height = max(_LEAST, HIGH * abs(value) / (high - low)) if value else 0.0
        left = (at_ns - found.since_ns) / found.step_ns * wide + wide / 8
        y = zero - height if value > 0 else zero
        bars.append(Bar(left, wide * 3 / 4, y, height, f"{_when(at_ns)}: {number(value)} {unit}".rstrip()))
    together = math.fsum(value for _, value in told)
    says = f"{number(together)} {unit}".rstrip() + " in all" if told else "Nothing that can be drawn yet"
    return Chart(title, says, tuple(bars), (), grid, zero, number(low))


def _lines(title: str, found: MetricSeries, unit: str, told: dict[str, list[tuple[int, float]]]) -> Chart:
    low, high, grid = _axis([value for each in told.values() for _, value in each])

    def place(at_ns: int, value: float) -> tuple[float, float]:
        middle = at_ns + found.step_ns / 2 - found.since_ns
        return WIDE * middle / (found.until_ns - found.since_ns), HIGH * (high - value) / (high - low)

    lines = []
    for name, values in told.items():
        pieces = [[place(*one) for one in piece] for piece in _pieces(values)]
        drawn_pieces = tuple(" ".join(f"{x:.1f},{y:.1f}" for x, y in piece) for piece in pieces if len(piece) > 1)
        lines.append(
            Line(name.removesuffix(" below "), drawn_pieces, tuple(piece[0] for piece in pieces if len(piece) == 1))
        )
    last = [f"{name}{number(values[-1][1])}" for name, values in told.items() if values]
    says = f"At last {', '.join(last)} {unit}".rstrip() if last else "Nothing that can be drawn yet"
    shown = tuple(line for line in lines if line.pieces or line.dots)
    return Chart(title, says, (), shown, grid, HIGH * high / (high - low), number(low))


def _pieces(values: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Cut where it was silent for more than three times as long as usual."""
    if not values:
        return []
    gaps = [after[0] - before[0] for before, after in pairwise(values)]
    usual = median(gaps) if gaps else 0
    pieces = [[values[0]]]
    for gap, value in zip(gaps, values[1:], strict=True):
        if gap > 3 * usual:
            pieces.append([])
        pieces[-1].append(value)
    return pieces


def _axis(values: Sequence[float]) -> tuple[float, float, tuple[Grid, ...]]:
    """From zero, or below, to a round number beyond all: 1, 2 or 5 of some power of ten apart."""
    low, high = min([0.0, *values]), max([0.0, *values])
    if low == high:
        return 0.0, 1.0, ()
    rough = (high - low) / _MOST_STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(size * power for size in (1, 2, 5, 10) if size * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    low, high = first * step, last * step
    return (
        low,
        high,
        tuple(
            Grid(HIGH * (high - part * step) / (high - low), number(part * step)) for part in range(first + 1, last + 1)
        ),
    )


def _when(at_ns: int) -> str:
    return f"{to_datetime(at_ns):%Y-%m-%d %H:%M} UTC"
