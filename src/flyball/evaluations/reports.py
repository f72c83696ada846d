"""What a run of an evaluation found: numbers with intervals, differences to the baseline, verdicts. Immutable and light.

Knows the shape of evidence; `reporting` computes it. A number that the data cannot give is None, never 0.
"""

from typing import Any, Literal

import msgspec

from flyball.kit.hashing import content_hash

from .records import EvaluationSpec

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]


class DatasetRef(msgspec.Struct, frozen=True, kw_only=True):
    """The dataset version that was asked."""

    name: str
    version: int
    version_id: str
    hash: str


class FunctionRef(msgspec.Struct, frozen=True, kw_only=True):
    """The function version whose variants answered."""

    name: str
    version: int
    hash: str


class VariantRef(msgspec.Struct, frozen=True, kw_only=True):
    """A variant by its content hash. One that was skipped says why."""

    name: str
    kind: str
    hash: str
    skipped: str = ""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of one variant: the mean over `n` judged items with its 95 % interval.

    `failed` items count with the lowest score and are among `n`. `errors` (the scorer broke or gave no number) and
    `not_applicable` items (no reference in the row) are not.
    """

    metric: str
    n: int
    mean: float | None
    lo: float | None
    hi: float | None
    method: Literal["wilson", "bca"]
    failed: int = 0
    errors: int = 0
    not_applicable: int = 0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An item that got no answer, and why."""

    item_id: str
    reason: str


class VariantReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one variant did. One that was skipped has no metrics."""

    variant: VariantRef
    items: int = 0
    failed: int = 0
    failures: tuple[Failure, ...] = ()  # the first ten
    metrics: tuple[Metric, ...] = ()
    latency_p50_ns: int | None = None
    latency_p95_ns: int | None = None
    cost_nano_usd: int | None = 0

    def metric(self, name: str) -> Metric | None:
        """The metric of this name."""
        return next((metric for metric in self.metrics if metric.metric == name), None)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate minus baseline, paired by item: the mean with its 95 % interval, and what the design could have seen.

    `p` is of no difference: McNemar's exact test for hits and misses, the paired t test otherwise. `p_holm` is corrected
    over all comparisons of the report.
    """

    variant: str
    baseline: str
    metric: str
    n: int
    mean: float | None
    lo: float | None
    hi: float | None
    higher: int  # items on which the candidate scored higher
    lower: int
    p: float | None
    p_holm: float | None
    smallest_effect: float | None  # that this design shows at 80 % power


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one variant, by the primary metric's difference to the baseline.

    `gate_lo` is the lower bound that had to stay above -margin: that of the 95 % interval, widened by Holm's rule where
    several candidates compete. The baseline itself is not judged: its verdict is BASELINE.
    """

    variant: str
    variant_hash: str
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE", "BASELINE"]
    better: bool = False
    reason: str
    gate_lo: float | None = None
    gate_confidence: float | None = None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that is computed from the stored results, and can be computed from them again."""

    items: int
    variants: tuple[VariantReport, ...]
    differences: tuple[Difference, ...]
    judgements: tuple[Judgement, ...]
    verdict: Verdict
    reason: str
    winner: str
    winner_hash: str
    resamples: int
    results_hash: str  # of the results themselves, so that the report names its data


class ReportLine(msgspec.Struct, frozen=True, kw_only=True):
    """A report in a list."""

    id: str
    evaluation: str
    hash: str
    function: str
    dataset: str
    dataset_version: int
    dataset_version_id: str
    verdict: Verdict
    winner: str
    run_id: str
    created_ns: int
    created_by: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence that a release rests on. `hash` is of everything else in it."""

    id: str
    project: str
    evaluation: str
    spec: EvaluationSpec
    spec_hash: str
    run_id: str
    function: FunctionRef
    dataset: DatasetRef
    findings: Findings
    created_ns: int
    created_by: str
    hash: str = ""

    def content_hash(self) -> str:
        """What `hash` has to be."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        del body["hash"]
        body["created_ns"] = str(self.created_ns)  # canonical JSON holds integers up to 2^53
        return content_hash(body)

    def sealed(self) -> "Report":
        """The report with its hash."""
        return msgspec.structs.replace(self, hash=self.content_hash())

    def line(self) -> ReportLine:
        """The report in a list."""
        return ReportLine(
            id=self.id,
            evaluation=self.evaluation,
            hash=self.hash,
            function=self.function.name,
            dataset=self.dataset.name,
            dataset_version=self.dataset.version,
            dataset_version_id=self.dataset.version_id,
            verdict=self.findings.verdict,
            winner=self.findings.winner,
            run_id=self.run_id,
            created_ns=self.created_ns,
            created_by=self.created_by,
        )

    def judgement_of(self, variant_hash: str) -> Judgement | None:
        """The verdict on exactly this variant; None where the report does not concern it."""
        return next((found for found in self.findings.judgements if found.variant_hash == variant_hash), None)


class MetricChange(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one variant in two reports: the means over all items of each, and the paired change on shared items."""

    variant: str
    metric: str
    hash_before: str
    hash_after: str
    mean_before: float | None
    mean_after: float | None
    shared: int  # items with a score in both
    change: float | None
    lo: float | None
    hi: float | None
    higher: int
    lower: int
    p: float | None


class ItemScores(msgspec.Struct, frozen=True, kw_only=True):
    """The scores that an item got, by variant and metric."""

    item_id: str
    scores: dict[str, dict[str, float]]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What changed between two reports of evaluations.

    Items are the same where id and content hash agree; one whose content changed is listed, not paired.
    """

    before: ReportLine
    after: ReportLine
    shared: int
    changes: tuple[MetricChange, ...]
    new: tuple[ItemScores, ...]  # asked only in the later one
    gone: tuple[str, ...]  # asked only in the earlier one
    reworded: tuple[str, ...]  # asked in both, with other content


class ReportCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a report is what its hash says, its results are those that it was made from, and they give its numbers."""

    report_id: str
    hash_holds: bool
    results_hold: bool
    findings_hold: bool
