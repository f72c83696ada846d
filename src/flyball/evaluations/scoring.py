"""Scores of results as arrays: by item, and paired. Knows results and the shelf of scorers, no interval and no verdict."""

from collections.abc import Sequence

import numpy as np

from flyball import scorers
from flyball.scorers import Scorer

from .errors import EvaluationSpecError
from .records import NOT_APPLICABLE, Result
from .statistics.intervals import Values


def of(results: Sequence[Result], metric: str) -> Values:
    """The scores that there are, in the order of the results."""
    return np.array([result.scores[metric] for result in results if metric in result.scores], dtype=np.float64)


def paired(before: Sequence[Result], after: Sequence[Result], metric: str) -> Values:
    """After minus before, for each item that both were scored on, in the order of `before`."""
    found = {result.item_id: result.scores[metric] for result in after if metric in result.scores}
    return np.array(
        [
            found[result.item_id] - result.scores[metric]
            for result in before
            if metric in result.scores and result.item_id in found
        ],
        dtype=np.float64,
    )


def errors(results: Sequence[Result], metric: str) -> int:
    """Items on which the scorer broke, or gave something that is no score."""
    return sum(result.unscored.get(metric, NOT_APPLICABLE) != NOT_APPLICABLE for result in results)


def is_binary(metric: str) -> bool:
    """Whether the metric's scores are 0 and 1 alone."""
    scorer = scorers.get(metric)
    return scorer is not None and scorer.binary


def scorer_of(name: str) -> Scorer:
    """The scorer of a name. Raises EvaluationSpecError, which lists those that there are."""
    scorer = scorers.get(name)
    if scorer is None:
        raise EvaluationSpecError(
            f"there is no scorer named {name!r}", next_step=f"name one of: {', '.join(scorers.names())}"
        )
    return scorer
