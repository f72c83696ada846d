"""An evaluation as declared, and one judged answer. Light. Knows neither how answers are made nor how numbers are."""

from typing import Annotated, Any, Literal

import msgspec

from flyball.kit.hashing import content_hash

DEFAULT_MARGIN = 0.02
MOST_FAILURES_SHOWN = 10
BROKEN_BASELINE = 0.1  # the share of failed items above which a baseline is no reference and no release


class EvaluationSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What flyball.yaml says about an evaluation: dataset x variants x scorers, and the rule of its verdict.

    `margin` is how much worse than the baseline, on the primary metric, a candidate may be and still pass.
    """

    function: str
    dataset: str
    scorers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    baseline: str
    margin: Annotated[float, msgspec.Meta(ge=0, le=1)] = DEFAULT_MARGIN
    primary: str = ""  # the metric that decides; empty: the first scorer
    variants: tuple[str, ...] = ()  # those compared, besides the baseline; empty: all of the function's
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0  # of the bootstrap
    description: str = ""

    @property
    def hash(self) -> str:
        """The content hash of the declaration."""
        return content_hash(self)

    @property
    def primary_metric(self) -> str:
        """The metric that decides."""
        return self.primary or self.scorers[0]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation of a project. Its declaration may change; a report keeps the one that it was made under."""

    project: str
    name: str
    hash: str
    spec: EvaluationSpec
    created_ns: int
    updated_ns: int
    created_by: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the dataset version as an evaluation asks it: `row` holds the input's fields and the references."""

    position: int
    id: str
    hash: str
    row: dict[str, Any]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One item answered by one variant and judged: a row of the lake's table `evaluation_results`.

    `status` is `failed` where the variant gave no answer; `error` says why. A failed item keeps the lowest score of each
    metric, so that it counts against the variant, and is counted as failed besides. `unscored` names the metrics
    without a score: `not applicable` (the row has no reference) or `error: ...` (the scorer broke, or gave no number).
    """

    position: int
    item_id: str
    item_hash: str
    variant: str
    variant_hash: str
    status: Literal["answered", "failed"]
    error: str = ""
    scores: dict[str, float] = {}
    unscored: dict[str, str] = {}
    text: str = ""
    retrieved: tuple[str, ...] = ()
    latency_ns: int = 0
    cost_nano_usd: int | None = 0


NOT_APPLICABLE = "not applicable"
