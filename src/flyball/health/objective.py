"""The objective for lag, judged by minutes. Pure: minutes in, how it stands out.

A minute is missed when anything waited longer than the objective in it, or when every attempt to measure it failed. Minutes in
which nobody tried, since flyball did not run, count for neither side. One missed minute is always allowed: a share of few
minutes is less than one.
"""

from collections.abc import Sequence

from flyball.kit.clock import NANOSECONDS

from .records import Attainment, Minute, Objective, Standing

MINUTE_NS = 60 * NANOSECONDS
BURNING = 4.0  # times faster than allowed: a day's budget is used up in six hours
_HOUR = 60  # minutes


def is_missed(minute: Minute, objective: Objective) -> bool:
    """Whether a minute was too slow, or could not be measured."""
    return minute.worst_lag_ns is None or minute.worst_lag_ns > objective.seconds * NANOSECONDS


def attain(minutes: Sequence[Minute], objective: Objective, now_ns: int) -> Attainment:
    """How the objective stands. The minute that runs counts once it is missed, or over."""
    since_ns = now_ns - objective.hours * 3600 * NANOSECONDS
    judged = [
        (minute, is_missed(minute, objective))
        for minute in minutes
        if minute.minute_ns >= since_ns
        and (minute.samples or minute.failed)
        and (_is_over(minute, now_ns) or (minute.worst_lag_ns is not None and is_missed(minute, objective)))
    ]
    missed = [minute for minute, too_slow in judged if too_slow]
    allowed = 1 - objective.percent / 100
    budget = max(1.0, allowed * len(judged))
    burn = _burn(judged, allowed, now_ns)
    worst = max((each for each, _ in judged), key=lambda each: each.worst_lag_ns or 0, default=None)
    return Attainment(
        state=_state(len(judged), len(missed), budget, burn),
        objective=objective,
        measured=len(judged),
        unmeasured=max(0, objective.hours * _HOUR - len(judged)),
        missed=len(missed),
        budget=round(budget, 2),
        left=round(1 - len(missed) / budget, 4),
        percent=round(100 * (1 - len(missed) / len(judged)), 3) if judged else None,
        burn=burn,
        worst_ns=worst.worst_lag_ns if worst else None,
        worst_at_ns=worst.minute_ns if worst else None,
        last_missed_ns=missed[-1].minute_ns if missed else None,
    )


def _is_over(minute: Minute, now_ns: int) -> bool:
    return minute.minute_ns + MINUTE_NS <= now_ns


def _burn(judged: Sequence[tuple[Minute, bool]], allowed: float, now_ns: int) -> float | None:
    lately = [too_slow for minute, too_slow in judged if minute.minute_ns >= now_ns - _HOUR * MINUTE_NS]
    if not lately or allowed <= 0:
        return None
    # Of an hour, also where less of it was measured: one slow minute after a start is no fire.
    return round(sum(lately) / _HOUR / allowed, 2)


def _state(measured: int, missed: int, budget: float, burn: float | None) -> Standing:
    if not measured:
        return "unmeasured"
    if missed > budget:
        return "missed"
    return "burning" if burn is not None and burn >= BURNING else "met"
