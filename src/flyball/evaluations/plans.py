"""What a run of an evaluation is going to do, fixed before its first question: exact variants, exact dataset version. Light."""

import msgspec

from .records import EvaluationSpec
from .reports import DatasetRef, FunctionRef, VariantRef

KIND = "evaluations.run"  # of the durable run
ITEMS_PER_CHUNK = 25


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The run's first step makes it; all later ones rest on it, also after a crash."""

    evaluation: str
    spec: EvaluationSpec
    spec_hash: str
    function: FunctionRef
    dataset: DatasetRef
    items: int
    variants: tuple[VariantRef, ...]  # the baseline first
    started_by: str
    continues: tuple[
        str, ...
    ] = ()  # ids of the runs whose answers are taken, where nothing of the question has changed

    @property
    def chunks(self) -> int:
        """How many steps the items take."""
        return -(-self.items // ITEMS_PER_CHUNK)

    @property
    def running(self) -> tuple[VariantRef, ...]:
        """The variants that can run."""
        return tuple(variant for variant in self.variants if not variant.skipped)
