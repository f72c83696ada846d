"""Two reports side by side: paired on the items that both asked, new items listed. Pure: results in, comparison out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from . import scoring
from .errors import NotComparableError
from .records import Result
from .reports import Comparison, ItemScores, MetricChange, Report, VariantReport
from .statistics.intervals import BootstrapMean
from .statistics.paired import difference_p

MOST_LISTED = 200


class _Pairs(NamedTuple):
    """The results of the items that both reports asked."""

    old: Sequence[Result]
    new: Sequence[Result]


def compare(before: Report, after: Report, old: Sequence[Result], new: Sequence[Result]) -> Comparison:
    """What changed from `before` to `after`, by variant name and metric.

    Raises:
        NotComparableError: no variant and metric is in both.
    """
    hashes_before, hashes_after = _hashes(old), _hashes(new)
    shared = {item for item, hash_ in hashes_before.items() if hashes_after.get(item) == hash_}
    pairs = _Pairs(*([one for one in found if one.item_id in shared] for found in (old, new)))
    changes = tuple(
        _change(metric, earlier, later, pairs, after.spec.seed)
        for later in after.findings.variants
        for earlier in before.findings.variants
        if later.variant.name == earlier.variant.name and earlier.metrics and later.metrics
        for metric in after.spec.scorers
        if earlier.metric(metric) is not None and later.metric(metric) is not None
    )
    if not changes:
        raise NotComparableError(
            f"the reports {before.id} and {after.id} have no variant with a common metric",
            next_step="compare two reports of the same evaluation; `flyball eval show NAME` lists them",
        )
    added = [item for item in hashes_after if item not in hashes_before]
    return Comparison(
        before=before.line(),
        after=after.line(),
        shared=len(shared),
        changes=changes,
        new=tuple(_scores_of(item, new) for item in added[:MOST_LISTED]),
        gone=tuple(item for item in hashes_before if item not in hashes_after)[:MOST_LISTED],
        reworded=tuple(item for item in hashes_before if item in hashes_after and item not in shared)[:MOST_LISTED],
    )


def _hashes(results: Sequence[Result]) -> Mapping[str, str]:
    ordered = sorted(results, key=lambda result: result.position)
    return {result.item_id: result.item_hash for result in ordered}


def _change(metric: str, earlier: VariantReport, later: VariantReport, pairs: _Pairs, seed: int) -> MetricChange:
    old = [one for one in pairs.old if one.variant_hash == earlier.variant.hash]
    new = [one for one in pairs.new if one.variant_hash == later.variant.hash]
    differences = scoring.paired(old, new, metric)
    interval = BootstrapMean(differences, seed=seed).interval()
    before, after = earlier.metric(metric), later.metric(metric)
    return MetricChange(
        variant=later.variant.name,
        metric=metric,
        hash_before=earlier.variant.hash,
        hash_after=later.variant.hash,
        mean_before=before.mean if before else None,
        mean_after=after.mean if after else None,
        shared=differences.size,
        change=float(differences.mean()) if differences.size else None,
        lo=interval.lo if interval else None,
        hi=interval.hi if interval else None,
        higher=int(np.sum(differences > 0)),
        lower=int(np.sum(differences < 0)),
        p=difference_p(differences, binary=scoring.is_binary(metric)),
    )


def _scores_of(item_id: str, results: Sequence[Result]) -> ItemScores:
    found = [result for result in results if result.item_id == item_id]
    return ItemScores(item_id=item_id, scores={result.variant: result.scores for result in found})
