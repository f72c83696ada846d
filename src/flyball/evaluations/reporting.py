"""From stored results to findings: means with intervals, paired differences, verdicts, the winner. Pure: same in, same out.

Knows results, the declaration and the variants; reads no database, lake or clock. A report's findings are computed here
when a run ends, and again by whoever wants to check them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from flyball.kit.hashing import content_hash

from . import scoring, verdicts
from .records import MOST_FAILURES_SHOWN, NOT_APPLICABLE, EvaluationSpec, Result
from .reports import Difference, Failure, Findings, Judgement, Metric, VariantRef, VariantReport, Verdict
from .statistics.correction import holm
from .statistics.intervals import RESAMPLES, BootstrapMean, Values, wilson
from .statistics.paired import difference_p
from .statistics.power import minimum_detectable_effect


def build(spec: EvaluationSpec, variants: Sequence[VariantRef], results: Sequence[Result]) -> Findings:
    """The findings. Results may come in any order; variants that were skipped are listed with their reason."""
    ordered = sorted(results, key=lambda result: (result.position, result.variant))
    by_variant = {ref.hash: [one for one in ordered if one.variant_hash == ref.hash] for ref in variants}
    reports = tuple(_variant(spec, ref, by_variant[ref.hash]) for ref in variants)
    differences = _differences(spec, variants, by_variant)
    judgements = _judgements(spec, variants, by_variant)
    verdict, reason = _overall(judgements)
    winner = _winner(spec, reports, judgements)
    return Findings(
        items=len({result.item_id for result in ordered}),
        variants=reports,
        differences=differences,
        judgements=judgements,
        verdict=verdict,
        reason=reason,
        winner=winner.name,
        winner_hash=winner.hash,
        resamples=RESAMPLES,
        results_hash=content_hash([_essence(result) for result in ordered]),
    )


def _essence(result: Result) -> list[Any]:
    """What of a result the numbers rest on."""
    return [
        result.item_id,
        result.item_hash,
        result.variant_hash,
        result.status,
        result.scores,
        result.unscored,
        result.text,
        result.latency_ns,
        result.cost_nano_usd,
    ]


def _variant(spec: EvaluationSpec, ref: VariantRef, results: Sequence[Result]) -> VariantReport:
    if ref.skipped:
        return VariantReport(variant=ref)
    failed = [result for result in results if result.status == "failed"]
    latencies = [result.latency_ns for result in results if result.status == "answered"]
    costs = [result.cost_nano_usd for result in results]
    return VariantReport(
        variant=ref,
        items=len(results),
        failed=len(failed),
        failures=tuple(Failure(item_id=one.item_id, reason=one.error) for one in failed[:MOST_FAILURES_SHOWN]),
        metrics=tuple(_metric(name, spec.seed, results) for name in spec.scorers),
        latency_p50_ns=_percentile(latencies, 50),
        latency_p95_ns=_percentile(latencies, 95),
        cost_nano_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
    )


def _metric(name: str, seed: int, results: Sequence[Result]) -> Metric:
    judged = [result for result in results if name in result.scores]
    values = scoring.of(judged, name)
    binary = scoring.is_binary(name)
    interval = wilson(int(values.sum()), values.size) if binary else BootstrapMean(values, seed=seed).interval()
    not_applicable = sum(result.unscored.get(name) == NOT_APPLICABLE for result in results)
    return Metric(
        metric=name,
        n=values.size,
        mean=float(values.mean()) if values.size else None,
        lo=interval.lo if interval else None,
        hi=interval.hi if interval else None,
        method="wilson" if binary else "bca",
        failed=sum(result.status == "failed" for result in judged),
        errors=sum(name in result.unscored for result in results) - not_applicable,
        not_applicable=not_applicable,
    )


def _differences(
    spec: EvaluationSpec, variants: Sequence[VariantRef], by_variant: Mapping[str, Sequence[Result]]
) -> tuple[Difference, ...]:
    baseline = _baseline(spec, variants)
    found = [
        _difference(
            spec, candidate, metric, scoring.paired(by_variant[baseline.hash], by_variant[candidate.hash], metric)
        )
        for candidate in _candidates(spec, variants)
        for metric in spec.scorers
    ]
    known = [index for index, one in enumerate(found) if one.p is not None]
    corrected = dict(zip(known, holm([found[index].p or 0.0 for index in known]), strict=True))
    return tuple(_with_holm(one, corrected.get(index)) for index, one in enumerate(found))


def _difference(spec: EvaluationSpec, candidate: VariantRef, metric: str, differences: Values) -> Difference:
    interval = BootstrapMean(differences, seed=spec.seed).interval()
    return Difference(
        variant=candidate.name,
        baseline=spec.baseline,
        metric=metric,
        n=differences.size,
        mean=float(differences.mean()) if differences.size else None,
        lo=interval.lo if interval else None,
        hi=interval.hi if interval else None,
        higher=int(np.sum(differences > 0)),
        lower=int(np.sum(differences < 0)),
        p=difference_p(differences, binary=scoring.is_binary(metric)),
        p_holm=None,
        smallest_effect=minimum_detectable_effect(differences),
    )


def _with_holm(difference: Difference, p_holm: float | None) -> Difference:
    return msgspec.structs.replace(difference, p_holm=p_holm)


def _judgements(
    spec: EvaluationSpec, variants: Sequence[VariantRef], by_variant: Mapping[str, Sequence[Result]]
) -> tuple[Judgement, ...]:
    baseline = _baseline(spec, variants)
    reference = by_variant[baseline.hash]
    metric = spec.primary_metric
    gate = verdicts.Gate(
        margin=spec.margin,
        seed=spec.seed,
        resamples=RESAMPLES,
        items=len(reference),
        baseline_failed=sum(result.status == "failed" for result in reference),
    )
    candidates = [
        verdicts.Candidate(
            name=one.name,
            hash=one.hash,
            differences=scoring.paired(reference, by_variant[one.hash], metric),
            scorer_errors=scoring.errors(reference, metric) + scoring.errors(by_variant[one.hash], metric),
        )
        for one in _candidates(spec, variants)
    ]
    itself = Judgement(
        variant=baseline.name,
        variant_hash=baseline.hash,
        verdict="BASELINE",
        reason="what the others are compared with",
    )
    return (itself, *verdicts.judge(candidates, gate))


def _overall(judgements: Sequence[Judgement]) -> tuple[Verdict, str]:
    """PASS where a candidate passed, FAIL where all failed, INCONCLUSIVE otherwise or where there was none."""
    candidates = [one for one in judgements if one.verdict != "BASELINE"]
    if not candidates:
        return "INCONCLUSIVE", "no candidate beside the baseline could run"
    passed = [one.variant for one in candidates if one.verdict == "PASS"]
    if passed:
        return "PASS", f"passed: {', '.join(passed)}"
    if all(one.verdict == "FAIL" for one in candidates):
        return "FAIL", "; ".join(f"{one.variant}: {one.reason}" for one in candidates)
    open_ = [one for one in candidates if one.verdict == "INCONCLUSIVE"]
    return "INCONCLUSIVE", "; ".join(f"{one.variant}: {one.reason}" for one in open_)


def _winner(spec: EvaluationSpec, reports: Sequence[VariantReport], judgements: Sequence[Judgement]) -> VariantRef:
    """The best mean of the primary metric among those that passed; the baseline where none did.

    A tie goes to the cheaper one (an unknown cost is the dearest), then to the first in the list.
    """
    passed = {one.variant_hash for one in judgements if one.verdict == "PASS"}
    wanted = [one for one in reports if one.variant.hash in passed] or [
        one for one in reports if one.variant.name == spec.baseline
    ]
    return min(wanted, key=lambda one: (-_mean(one, spec.primary_metric), _cost(one))).variant


def _mean(report: VariantReport, metric: str) -> float:
    found = report.metric(metric)
    return found.mean if found and found.mean is not None else -np.inf


def _cost(report: VariantReport) -> float:
    return np.inf if report.cost_nano_usd is None else report.cost_nano_usd


def _baseline(spec: EvaluationSpec, variants: Sequence[VariantRef]) -> VariantRef:
    return next(ref for ref in variants if ref.name == spec.baseline)


def _candidates(spec: EvaluationSpec, variants: Sequence[VariantRef]) -> list[VariantRef]:
    return [ref for ref in variants if ref.name != spec.baseline and not ref.skipped]


def _percentile(values: Sequence[int], level: float) -> int | None:
    return int(np.percentile(values, level)) if values else None
