"""A release: which variants serve a function, in what shares, on what evidence, by whose approval. Light and immutable.

What people sign is the bundle, by its content hash. The status around it moves; the bundle does not.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from flyball.kit.hashing import content_hash

Status = Literal["proposed", "approved", "live", "superseded", "rejected"]
Decision = Literal["approved", "rejected"]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of a hundred calls a variant answers."""

    variant: str
    variant_hash: str
    percent: Annotated[int, msgspec.Meta(ge=1, le=100)]


class VariantVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a report found about one of the release's variants."""

    variant_hash: str
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE", "BASELINE"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A report, by id and content hash, and its verdicts on the release's variants."""

    report_id: str
    report_hash: str
    evaluation: str
    verdicts: tuple[VariantVerdict, ...]


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """Why the gate's refusal was set aside, and what it had refused."""

    reason: str
    refusals: tuple[str, ...]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """What is proposed, approved and served.

    `supersedes` is the release that was live when this one was proposed, empty where there was none; `rolls_back_to`
    the earlier release that a rollback brings back.
    """

    function: str
    shares: tuple[Share, ...]
    evidence: tuple[Evidence, ...]
    reason: str
    override: Override | None = None
    supersedes: str = ""
    rolls_back_to: str = ""

    @property
    def hash(self) -> str:
        """What an approval signs."""
        return content_hash(self)


Words: TypeAlias = Annotated[str, msgspec.Meta(max_length=10_000)]  # that a person gives as a reason


class Proposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for: variants (by name as they are now, or by hash) with their percents, and the reports behind them.

    Without `shares` the winner of the first report takes all calls. `override` is the reason for which a refusal of the
    gate is set aside.
    """

    function: str
    evidence: tuple[str, ...] = ()
    shares: dict[str, int] = {}
    reason: Words = ""
    override: Words = ""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle and where it is on its way."""

    id: str
    project: str
    function: str
    version: int
    hash: str
    bundle: Bundle
    status: Status
    created_ns: int
    created_by: str
    served_ns: int | None = None
    ended_ns: int | None = None


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A person's decision on a bundle. It holds for the bundle whose hash it names, and for no other."""

    id: str
    project: str
    release_id: str
    member: str
    member_name: str
    decision: Decision
    comment: str
    bundle_hash: str
    created_ns: int


class ReleaseDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A release with its decisions. Those of a rollback are the decisions on the release that it brings back."""

    release: Release
    approvals: tuple[Approval, ...]
    standing: bool  # whether an approval holds for the bundle as it is now
    lapsed: str = ""  # why one does not, where there was one
