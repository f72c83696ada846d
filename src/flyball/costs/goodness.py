"""Which calls of functions were judged good: scores of traces, brought to the calls in the ledger. Pure but for what it is given.

A score of a span that is a function's call is that call's; any other belongs to the one call of a function in its trace, and to
nobody where there are several. Several people's newest scores of one call are one judgement: their mean.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from flyball.evaluations.statistics.distributions import normal_quantile
from flyball.traces.records import Score

FEEDBACK = "feedback"
_CONFIDENCE = 0.95


class Call(NamedTuple):
    """A call of a function, as the ledger has it."""

    id: str  # its span
    trace_id: str
    function: str
    variant: str


class Judged(NamedTuple):
    """How many calls were judged and good. The share is weighed by how likely each was to be judged; None: nobody judged."""

    judged: int
    good: int
    share: float | None
    low: float | None
    high: float | None


NOBODY = Judged(0, 0, None, None, None)


def threshold(score: str) -> float:
    """Above it feedback (-1 to 1) is good; any other score (0 to 1) from it on."""
    return 0.0 if score == FEEDBACK else 0.5


def judge(score: str, scores: Iterable[Score], calls: Sequence[Call]) -> dict[tuple[str, str], Judged]:
    """By function and variant, and by function with an empty variant for all of them."""
    verdicts: dict[tuple[str, str], list[tuple[bool, float]]] = defaultdict(list)
    spans, traces = {call.id: call for call in calls}, _alone(calls)
    said: dict[Call, list[Score]] = defaultdict(list)
    for one in scores:
        call = spans.get(one.target_id) if one.target_kind == "span" else None
        call = call or traces.get(one.trace_id or one.target_id)
        if call is not None and one.value is not None and math.isfinite(one.value):
            said[call].append(one)
    for call, heard in said.items():
        mean = sum(one.value or 0.0 for one in heard) / len(heard)
        good = mean > threshold(score) if score == FEEDBACK else mean >= threshold(score)
        weight = 1 / min(1.0, max(0.001, min(one.propensity for one in heard)))
        for name in {(call.function, call.variant), (call.function, "")}:
            verdicts[name].append((good, weight))
    return {name: _judged(heard) for name, heard in verdicts.items()}


def _alone(calls: Sequence[Call]) -> Mapping[str, Call | None]:
    found: dict[str, Call | None] = {}
    for call in calls:
        found[call.trace_id] = None if call.trace_id in found else call
    return found


def _judged(verdicts: Sequence[tuple[bool, float]]) -> Judged:
    weight = sum(each for _, each in verdicts)
    share = sum(each for good, each in verdicts if good) / weight
    low, high = _wilson(share, weight**2 / sum(each**2 for _, each in verdicts))
    return Judged(len(verdicts), sum(good for good, _ in verdicts), share, low, high)


def _wilson(share: float, trials: float) -> tuple[float, float]:
    """Wilson's interval of a share, for a number of trials that weights make no whole one."""
    z2 = normal_quantile((1 + _CONFIDENCE) / 2) ** 2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials)
    return (0.0 if share == 0 else max(0.0, middle - half)), (1.0 if share == 1 else min(1.0, middle + half))
