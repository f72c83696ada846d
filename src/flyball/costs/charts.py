"""What was spent, as bars over time, and numbers as places on an axis: for drawing. Pure; knows sums, and no page."""

from typing import NamedTuple

from flyball.kit.clock import to_datetime

from .records import Forecast, Mover, Point, Spend

WIDE, HIGH = 1_000.0, 160.0
_LEAST = 1.5  # what was spent at all is seen
_MOST_STEPS = 4


class Bar(NamedTuple):
    """One hour or day: where it stands, how high, and what it says."""

    x: float
    width: float
    y: float
    height: float
    when: str
    point: Point


class Line(NamedTuple):
    """A line of the grid, and the nano-dollars that it stands for."""

    y: float
    nano_usd: int


class Chart(NamedTuple):
    """Spend over time. `begins` and `ends` are in words, `most` is the dearest hour or day; None: nothing cost anything."""

    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    begins: str
    ends: str
    most: Bar | None


class Span(NamedTuple):
    """A part of an axis, from 0 to 100."""

    left: float
    width: float


class Outlook(NamedTuple):
    """A forecast as a bar from 0 to 100: what is spent, the interval, what is expected. None: nobody can say."""

    spent: Span
    interval: Span | None
    expected: float | None


def chart(spend: Spend) -> Chart:
    """The series of a window as bars."""
    dearest = max((point.nano_usd for point in spend.series), default=0)
    lines = _grid(dearest)
    top = max(lines[-1].nano_usd if lines else 0, dearest, 1)
    wide = WIDE / max(1, len(spend.series))
    gap = min(3.0, wide / 6)
    bars = tuple(
        Bar(
            x=number * wide + gap,
            width=wide - 2 * gap,
            y=HIGH - (height := _height(point.nano_usd, top)),
            height=height,
            when=_when(point.at_ns, spend),
            point=point,
        )
        for number, point in enumerate(spend.series)
    )
    most = max(bars, key=lambda bar: bar.point.nano_usd, default=None)
    return Chart(
        bars=bars,
        lines=tuple(Line(HIGH - HIGH * line.nano_usd / top, line.nano_usd) for line in lines),
        begins=_when(spend.series[0].at_ns, spend) if spend.series else "",
        ends=_when(spend.series[-1].at_ns, spend) if spend.series else "",
        most=most if most and most.point.nano_usd else None,
    )


def _height(nano_usd: int, top: int) -> float:
    return max(_LEAST, HIGH * nano_usd / top) if nano_usd else 0.0


def _grid(dearest: int) -> list[Line]:
    """Round amounts up to and beyond the dearest: 1, 2 or 5 of some power of ten apart."""
    if dearest <= 0:
        return []
    step = next(
        size * 10**power for power in range(19) for size in (1, 2, 5) if size * 10**power * _MOST_STEPS >= dearest
    )
    return [Line(0.0, step * number) for number in range(1, -(-dearest // step) + 1)]


def _when(at_ns: int, spend: Spend) -> str:
    moment = to_datetime(at_ns)
    return f"{moment:%Y-%m-%d}" if spend.step == "day" else f"{moment:%Y-%m-%d %H:%M}"


def change(mover: Mover, most: int) -> Span:
    """A change as a part of an axis whose middle is none, where the largest change is `most`."""
    width = 50 * abs(mover.moved.delta) / max(1, most)
    return Span(50.0 if mover.moved.delta > 0 else 50.0 - width, width)


def outlook(forecast: Forecast) -> Outlook:
    """A forecast as a bar."""
    known = [one for one in (forecast.spent, forecast.expected, forecast.high) if one is not None]
    whole = max(1, *known) * 1.04
    interval = None
    if forecast.low is not None and forecast.high is not None and forecast.method != "over":
        interval = Span(100 * forecast.low / whole, 100 * (forecast.high - forecast.low) / whole)
    return Outlook(
        spent=Span(0.0, 100 * forecast.spent / whole),
        interval=interval,
        expected=None if forecast.expected is None else 100 * forecast.expected / whole,
    )
