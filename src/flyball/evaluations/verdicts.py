"""The rule by which a candidate passes against the baseline. Knows differences per item; knows no lake, scorer or release.

With [lo, hi] the 95 % paired bootstrap interval of candidate - baseline on the primary metric and m the margin:

- PASS where lo > -m: not worse than the margin allows. Also *better* where lo > 0.
- FAIL where hi < -m.
- INCONCLUSIVE otherwise: the data cannot tell.

Several candidates at once: Holm's rule. The candidate with the strongest evidence passes by the bound at confidence
1 - 0.05/k, the next by 1 - 0.05/(k-1), and so on until one does not pass; with one candidate that is the plain rule.

Three things keep a verdict from PASS whatever the interval says: the baseline failed on more than a tenth of the items
(better than something broken proves nothing), the scorer itself broke on an item, or all differences are equal on so few
items that a loss as large as the margin would probably not have been among them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .records import BROKEN_BASELINE
from .reports import Judgement
from .statistics.intervals import BootstrapMean, Interval, Values
from .statistics.paired import noninferiority_p
from .statistics.power import minimum_detectable_effect, smallest_visible_rate

LEVEL = 0.05


class Candidate(NamedTuple):
    """A variant and its differences to the baseline, one per item that both were scored on."""

    name: str
    hash: str
    differences: Values
    scorer_errors: int


class Gate(NamedTuple):
    """The rule's parameters, and how the baseline fared."""

    margin: float
    seed: int
    resamples: int
    items: int
    baseline_failed: int


def judge(candidates: Sequence[Candidate], gate: Gate) -> list[Judgement]:
    """A judgement for each candidate, in the order given."""
    order = sorted(range(len(candidates)), key=lambda index: _doubt(candidates[index], gate.margin))
    judgements: dict[int, Judgement] = {}
    still_passing = True
    for step, index in enumerate(order):
        confidence = 1 - LEVEL / (len(candidates) - step)
        judgement = _judge_one(candidates[index], gate, confidence, may_pass=still_passing)
        still_passing = still_passing and judgement.verdict == "PASS"
        judgements[index] = judgement
    return [judgements[index] for index in range(len(candidates))]


def _doubt(candidate: Candidate, margin: float) -> float:
    p = noninferiority_p(candidate.differences, margin)
    return 2.0 if p is None else p


def _judge_one(candidate: Candidate, gate: Gate, confidence: float, *, may_pass: bool) -> Judgement:
    drawn = BootstrapMean(candidate.differences, seed=gate.seed, resamples=gate.resamples)
    plain, bound = drawn.interval(), drawn.interval(confidence)
    if plain is None or bound is None:
        verdict, reason = "INCONCLUSIVE", f"{candidate.differences.size} items are too few to compare"
    else:
        verdict, reason = _decide(candidate, gate, plain, bound, may_pass=may_pass)
    return Judgement(
        variant=candidate.name,
        variant_hash=candidate.hash,
        verdict=verdict,  # type: ignore[arg-type] # one of the three words
        better=verdict == "PASS" and bound is not None and bound.lo > 0,
        reason=reason,
        gate_lo=bound.lo if bound else None,
        gate_confidence=confidence,
    )


def _decide(candidate: Candidate, gate: Gate, plain: Interval, bound: Interval, *, may_pass: bool) -> tuple[str, str]:
    margin = gate.margin
    if plain.hi < -margin:
        return "FAIL", f"worse than the margin: at best {plain.hi:+.4f}, allowed -{margin:g}"
    if bound.lo <= -margin:
        seen = minimum_detectable_effect(candidate.differences) or 0.0
        return "INCONCLUSIVE", (
            f"the interval [{bound.lo:+.4f}, {bound.hi:+.4f}] holds -{margin:g}; "
            f"with {candidate.differences.size} items an effect below {seen:.4f} stays unseen"
        )
    obstacle = _obstacle(candidate, gate, may_pass=may_pass)
    if obstacle:
        return "INCONCLUSIVE", obstacle
    if bound.lo > 0:
        return "PASS", f"better: at least {bound.lo:+.4f}"
    return "PASS", f"not worse than the margin: at least {bound.lo:+.4f}, allowed -{margin:g}"


def _obstacle(candidate: Candidate, gate: Gate, *, may_pass: bool) -> str:
    """What forbids a PASS though the interval would allow it; empty where nothing does."""
    if gate.baseline_failed > BROKEN_BASELINE * gate.items:
        return f"the baseline failed on {gate.baseline_failed} of {gate.items} items: mend it before comparing with it"
    if candidate.scorer_errors:
        return f"the scorer gave no number on {candidate.scorer_errors} items: mend it before trusting it"
    if np.ptp(candidate.differences) == 0:
        visible = smallest_visible_rate(candidate.differences.size)
        if visible > gate.margin:
            return (
                f"no item tells them apart, and with {candidate.differences.size} items a change on fewer than "
                f"{visible:.1%} of them stays unseen"
            )
    if not may_pass:
        return "a candidate with stronger evidence did not pass, so this one cannot (Holm's rule)"
    return ""
