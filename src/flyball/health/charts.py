"""A day of minutes as drawings: ten minutes to a bar. Pure; knows minutes and places on an axis, and no page."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from flyball.kit.clock import NANOSECONDS, to_datetime

from .objective import MINUTE_NS, is_missed
from .records import Minute, Objective

WIDE, HIGH = 1_000.0, 160.0
BARS, BAR_NS = 144, 10 * MINUTE_NS
_LEAST = 1.5  # what was there at all is seen
_MOST_STEPS = 4
_SHORTEST_LAG = 0.1  # seconds, where the axis of lags begins

Kind: TypeAlias = Literal["", "slow", "none"]


class Bar(NamedTuple):
    """Ten minutes: where they stand, how high, and what they say. `slow`: too slow; `none`: nobody measured."""

    x: float
    width: float
    y: float
    height: float
    kind: Kind
    says: str


class Grid(NamedTuple):
    """A line across, and what it stands for."""

    y: float
    label: str


class Chart(NamedTuple):
    """A day. `aim` is where the objective lies; `line` a second series as points of a polyline."""

    title: str
    told: str
    bars: tuple[Bar, ...]
    grid: tuple[Grid, ...]
    zero: str
    gaps: bool
    begins: str
    ends: str
    aim: float | None = None
    slow: bool = False
    line: str = ""
    bars_are: str = ""
    line_is: str = ""


class Hour(NamedTuple):
    """An hour in numbers, for whoever reads rather than looks."""

    began_ns: int
    measured: int
    missed: int
    worst_lag_ns: int | None
    acknowledged: int
    stored: int
    refused: int
    waiting: int | None
    disk_free: int | None


class _Slot(NamedTuple):
    at_ns: int
    minutes: tuple[Minute, ...]

    def worst(self, name: str) -> float | None:
        return max((value for each in self.minutes if (value := getattr(each, name)) is not None), default=None)

    def rate(self, name: str) -> float:
        together: int = sum(getattr(each, name) for each in self.minutes)
        return together / (60 * max(1, len(self.minutes)))

    @property
    def when(self) -> str:
        return f"{to_datetime(self.at_ns):%H:%M} UTC"


def charts_of(minutes: Sequence[Minute], objective: Objective, disk_total: int, now_ns: int) -> tuple[Chart, ...]:
    """Lag, records per second, what waited, and what was free."""
    slots = _slots(minutes, now_ns)
    return (
        _lag(slots, objective),
        _records(slots),
        _levels(slots, "Waiting", "waiting", lambda value: f"At most {value:,.0f} records waited", f"{0:,}"),
        _free(slots, disk_total),
    )


def hours_of(minutes: Iterable[Minute], objective: Objective) -> tuple[Hour, ...]:
    """The same by the hour, the newest first."""
    by_hour: dict[int, list[Minute]] = {}
    for minute in minutes:
        by_hour.setdefault(minute.minute_ns - minute.minute_ns % (60 * MINUTE_NS), []).append(minute)
    return tuple(
        Hour(
            began_ns=at,
            measured=len(each),
            missed=sum((one.samples or one.failed) > 0 and is_missed(one, objective) for one in each),
            worst_lag_ns=max((one.worst_lag_ns for one in each if one.worst_lag_ns is not None), default=None),
            acknowledged=sum(one.acknowledged for one in each),
            stored=sum(one.stored for one in each),
            refused=sum(one.refused for one in each),
            waiting=max((one.waiting for one in each if one.waiting is not None), default=None),
            disk_free=min((one.disk_free for one in each if one.disk_free is not None), default=None),
        )
        for at, each in sorted(by_hour.items(), reverse=True)
    )


def _slots(minutes: Sequence[Minute], now_ns: int) -> list[_Slot]:
    ends_ns = now_ns - now_ns % BAR_NS + BAR_NS
    begins_ns = ends_ns - BARS * BAR_NS
    held: list[list[Minute]] = [[] for _ in range(BARS)]
    for minute in minutes:
        if begins_ns <= minute.minute_ns < ends_ns:
            held[(minute.minute_ns - begins_ns) // BAR_NS].append(minute)
    return [_Slot(begins_ns + number * BAR_NS, tuple(each)) for number, each in enumerate(held)]


def _lag(slots: list[_Slot], objective: Objective) -> Chart:
    """By powers of ten, so that a bad hour does not hide the good ones."""
    worst = max((value for slot in slots if (value := slot.worst("worst_lag_ns")) is not None), default=0.0)
    top = 10.0 ** max(1, math.ceil(math.log10(max(worst / NANOSECONDS, objective.seconds, _SHORTEST_LAG) * 1.0001)))
    decades = round(math.log10(top / _SHORTEST_LAG))

    def height(seconds: float) -> float:
        return HIGH * max(0.0, math.log10(max(seconds, _SHORTEST_LAG) / _SHORTEST_LAG)) / decades

    bars = []
    for number, slot in enumerate(slots):
        value = slot.worst("worst_lag_ns")
        missed = sum((one.samples or one.failed) > 0 and is_missed(one, objective) for one in slot.minutes)
        says = f"{slot.when}: not measured"
        if value is not None:
            says = f"{slot.when}: {value / NANOSECONDS:.1f} s at most, {missed} of {len(slot.minutes)} minutes missed"
        high = None if value is None else max(_LEAST, height(value / NANOSECONDS))
        bars.append(_bar(number, high, "slow" if missed else "", says))
    bad = sum(bar.kind == "slow" for bar in bars)
    told = f"At most {worst / NANOSECONDS:.1f} s; {bad} of {BARS} bars of ten minutes hold a minute that was too slow"
    return _chart(
        "Lag",
        told,
        slots,
        bars,
        tuple(Grid(HIGH - HIGH * step / decades, f"{_SHORTEST_LAG * 10**step:g} s") for step in range(1, decades + 1)),
        zero=f"{_SHORTEST_LAG:g} s",
        aim=HIGH - height(objective.seconds),
        slow=bool(bad),
        bars_are="the longest wait",
    )


def _records(slots: list[_Slot]) -> Chart:
    most = max((max(slot.rate("acknowledged"), slot.rate("stored")) for slot in slots), default=0.0)
    grid, top = _grid(most, lambda value: f"{value:,.10g}/s")
    bars = [
        _bar(
            number,
            _height(slot.rate("acknowledged"), top) if slot.minutes else None,
            "",
            f"{slot.when}: {slot.rate('acknowledged'):,.1f}/s acknowledged, {slot.rate('stored'):,.1f}/s stored",
        )
        for number, slot in enumerate(slots)
    ]
    wide = WIDE / BARS
    points = [
        f"{(number + 0.5) * wide:.1f},{HIGH - HIGH * slot.rate('stored') / top:.1f}"
        for number, slot in enumerate(slots)
        if slot.minutes
    ]
    return _chart(
        "Records per second",
        f"At most {most:,.1f} per second over ten minutes",
        slots,
        bars,
        grid,
        zero="0",
        line=" ".join(points) if most else "",
        bars_are="acknowledged",
        line_is="stored",
    )


def _levels(slots: list[_Slot], title: str, name: str, says: Callable[[float], str], zero: str) -> Chart:
    most = max((value for slot in slots if (value := slot.worst(name)) is not None), default=0.0)
    grid, top = _grid(most, lambda value: f"{value:,.10g}")
    bars = []
    for number, slot in enumerate(slots):
        value = slot.worst(name)
        told = "not measured" if value is None else says(value)
        bars.append(_bar(number, None if value is None else _height(value, top), "", f"{slot.when}: {told}"))
    return _chart(title, says(most), slots, bars, grid, zero=zero, bars_are="records")


def _free(slots: list[_Slot], total: int) -> Chart:
    known = [[one.disk_free for one in slot.minutes if one.disk_free is not None] for slot in slots]
    least = min((min(each) for each in known if each), default=0)
    bars = []
    for number, (slot, each) in enumerate(zip(slots, known, strict=True)):
        told = f"{min(each) / 1e9:.1f} GB free" if each else "not measured"
        bars.append(_bar(number, _height(min(each), max(total, 1)) if each else None, "", f"{slot.when}: {told}"))
    grid = tuple(Grid(HIGH - HIGH * part / 4, f"{total * part / 4 / 1e9:,.0f} GB") for part in range(1, 5))
    told = f"At least {least / 1e9:.1f} of {total / 1e9:.1f} GB"
    return _chart("Free on the disk", told, slots, bars, grid, zero="0", bars_are="free")


def _bar(number: int, height: float | None, kind: Kind, says: str) -> Bar:
    wide = WIDE / BARS
    if height is None:
        return Bar(number * wide, wide, 0.0, HIGH, "none", says)
    gap = wide / 8
    return Bar(number * wide + gap, wide - 2 * gap, HIGH - height, height, kind, says)


def _height(value: float, top: float) -> float:
    return max(_LEAST, HIGH * value / top) if value else 0.0


def _grid(most: float, label: Callable[[float], str]) -> tuple[tuple[Grid, ...], float]:
    """Round numbers up to and beyond the most: 1, 2 or 5 of some power of ten apart."""
    if most <= 0:
        return (), 1.0
    step = next(
        size * 10.0**power for power in range(-3, 16) for size in (1, 2, 5) if size * 10.0**power * _MOST_STEPS >= most
    )
    steps = math.ceil(most / step - 1e-9)
    top = step * steps
    return tuple(Grid(HIGH - HIGH * number / steps, label(step * number)) for number in range(1, steps + 1)), top


def _chart(
    title: str,
    told: str,
    slots: list[_Slot],
    bars: list[Bar],
    grid: tuple[Grid, ...],
    *,
    zero: str,
    **parts: str | float | None,
) -> Chart:
    first, last = to_datetime(slots[0].at_ns), to_datetime(slots[-1].at_ns + BAR_NS)
    return Chart(
        title=title,
        told=told if any(slot.minutes for slot in slots) else "Nothing was measured yet",
        bars=tuple(bars),
        grid=grid,
        zero=zero if grid else "",
        gaps=any(bar.kind == "none" for bar in bars),
        begins=f"{first:%Y-%m-%d %H:%M}",
        ends=f"{last:%H:%M} UTC",
        **parts,  # type: ignore[arg-type] # each is a field of its own
    )
